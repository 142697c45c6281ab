//! A page of what a user was given or has bought beside prizes.
//!
//! It is read as a page of draws is: out of the user's range of the key of calls. So it needs no
//! index but the primary keys, and reads no row of another user. A call may be of several
//! activities, so there is no page of one activity.
use market::{Call, OrderId, RechargeOrder, UserId};

use super::orders::{PageSize, UpTo, calls_up_to, cut_to_page, keep_newest, made_by};
use crate::store::tables::calls::ids_of;
use crate::store::tables::{Numbered, calls, recharge_orders};
use crate::store::{Connection, StoreError, json_rows};

/// Which of a user's recharge orders: a page of them, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RechargesPage {
    /// At most so many.
    pub size: PageSize,
    /// Those that come after this one, which is newer than all of them.
    pub before: Option<OrderId>,
}

/// A page of a user's recharge orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundRecharges {
    /// The newest first.
    pub orders: Vec<RechargeOrder>,
    /// Where the next page begins, if there is one.
    pub next: Option<OrderId>,
}

/// A page of a user's recharge orders. Those of one call have one time; of one time the greater id
/// counts as newer. `None` when the one that it begins behind is not one of the user's.
pub(super) async fn found_recharges<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    page: RechargesPage,
) -> Result<(Option<FoundRecharges>, Option<bool>), StoreError> {
    let before = match page.before {
        None => None,
        Some(id) => match recharge_of(connection, sql, user, id).await? {
            None => return Ok((None, None)),
            found => found,
        },
    };
    let up_to = UpTo {
        draws: false,
        activity: None,
        call: before.as_ref().map(|(call, _)| call),
    };
    let (mut calls, may_write) = calls_up_to(connection, sql, user, up_to).await?;
    // Those of the same call that are not older.
    let rows_before = before.as_ref().map_or(0, |(call, order)| {
        ids_of(call).filter(|&id| id >= order.id).count()
    });
    keep_newest(&mut calls, rows_before + page.size.get() + 1);
    let made = made_by(connection, sql, calls.iter()).await?;
    let orders = made
        .iter()
        .flat_map(|made| made.recharges().iter().cloned());
    let place = |order: &RechargeOrder| (order.created_at, order.id);
    let before = before.map(|(_, order)| place(&order));
    let (orders, next) = cut_to_page(orders.collect(), place, before, page.size);
    Ok((Some(FoundRecharges { orders, next }), Some(may_write)))
}

/// A recharge order of this user, and its call.
async fn recharge_of<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    order: OrderId,
) -> Result<Option<(Call, RechargeOrder)>, StoreError> {
    let key = json_rows([(user.as_str(), order.get())]);
    let rows = connection.rows(&sql.recharge_orders.find, &key).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let call = calls::read(row, 0)?;
    let order = recharge_orders::read(row, calls::COLUMNS)?;
    Ok(Some((call, order)))
}

#[cfg(test)]
mod tests {
    use market::Kind;

    use crate::store::MadeTable;
    use crate::store::tables::NumberedTable as _;
    use crate::store::tables::recharge_orders::RechargeOrders;

    /// A page takes all calls that are no draws.
    #[test]
    fn all_kinds_but_draws_make_recharge_orders() {
        for kind in Kind::ALL {
            let makes_recharges = MadeTable::of(kind).name == RechargeOrders::NAME;
            assert_eq!(makes_recharges, kind != Kind::Draw, "{kind:?}");
        }
    }
}
