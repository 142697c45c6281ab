//! A user's draws: those of a call, one, or a page of all of them.
//!
//! A page is read out of the user's range of the key of calls, so its work is bounded by the number
//! of calls that this user has made, which cost chances. No row of another user is read, and no
//! index but the primary keys is needed. The database keeps no more rows in memory than a page has.
use std::str::FromStr;

use jiff::Timestamp;
use market::{ActivityId, Call, Kind, Made, Order, OrderId, RequestId, UserId};

use crate::store::tables::{Numbered, calls, orders};
use crate::store::{
    Columns, Connection, Input, Makings, SqlStep, StoreError, json_rows, out_of_range,
};

/// How orders are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderKey {
    /// All orders of one call, by its request id.
    Request(RequestId),
    /// One order, by its id.
    Order(OrderId),
    /// The latest orders of a user, in one activity or in all; the newest first, at most 100.
    Latest(Option<ActivityId>),
}

/// The number of a user's draws in a page: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u8);

/// A number of draws that no page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an integer from 1 to 100")]
pub struct InvalidPageSize;

impl PageSize {
    /// The greatest one.
    pub const MAX: Self = Self(100);

    /// Checks a number and makes it the size of a page.
    pub const fn new(number: u8) -> Result<Self, InvalidPageSize> {
        if 0 < number && number <= Self::MAX.0 {
            Ok(Self(number))
        } else {
            Err(InvalidPageSize)
        }
    }

    pub(crate) fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for PageSize {
    /// That of a caller who names none.
    fn default() -> Self {
        Self(20)
    }
}

impl FromStr for PageSize {
    type Err = InvalidPageSize;

    fn from_str(text: &str) -> Result<Self, InvalidPageSize> {
        // Rust's own parser takes a leading plus sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        Self::new(number.ok_or(InvalidPageSize)?)
    }
}

/// Which of a user's draws: a page of them, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrdersPage {
    /// Those of one activity, or of all.
    pub activity: Option<ActivityId>,
    /// At most so many.
    pub size: PageSize,
    /// Those that come after this one, which is older than all of them.
    pub before: Option<OrderId>,
}

/// A page of a user's draws.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundPage {
    /// The newest first.
    pub orders: Vec<Order>,
    /// Where the next page begins, if there is one.
    pub next: Option<OrderId>,
}

/// The orders under a key; none where there are none.
pub(super) async fn found_orders<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    key: &OrderKey,
) -> Result<Vec<Order>, StoreError> {
    match key {
        OrderKey::Request(request) => {
            let key = json_rows([(user.as_str(), request.as_str())]);
            let rows = connection.rows(&sql.calls.find, &key).await?;
            let calls = calls_in(&rows)?;
            draws_of(connection, sql, &calls).await
        }
        OrderKey::Order(order) => {
            let found = order_of(connection, sql, user, *order).await?;
            Ok(found.into_iter().map(|(_, order)| order).collect())
        }
        OrderKey::Latest(activity) => {
            let page = OrdersPage {
                activity: *activity,
                size: PageSize::MAX,
                before: None,
            };
            let (found, _) = found_page(connection, sql, user, page).await?;
            Ok(found.unwrap_or_default().orders)
        }
    }
}

/// An order of any user.
pub(super) async fn found_of_anyone<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    order: OrderId,
) -> Result<Vec<Order>, StoreError> {
    let key = json_rows([order.get()]);
    let rows = connection.rows(&sql.orders.of_ids, &key).await?;
    let Some(row) = rows.first() else {
        return Ok(Vec::new());
    };
    let user = UserId::new(row.text(1)?).map_err(|_| out_of_range(1))?;
    let found = order_of(connection, sql, &user, order).await?;
    Ok(found.into_iter().map(|(_, order)| order).collect())
}

/// A page of a user's draws. Draws of one call have one time; among calls of one time the greater
/// id counts as newer. `None` when the draw that it begins behind is not one of the user's there.
/// Also returns whether the server still takes writes, if it was asked.
pub(super) async fn found_page<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    page: OrdersPage,
) -> Result<(Option<FoundPage>, Option<bool>), StoreError> {
    let before = match page.before {
        None => None,
        Some(id) => match order_of(connection, sql, user, id).await? {
            Some(found)
                if page
                    .activity
                    .is_none_or(|wanted| wanted == found.1.activity) =>
            {
                Some(found)
            }
            _ => return Ok((None, None)),
        },
    };
    let up_to = UpTo {
        draws: true,
        activity: page.activity,
        call: before.as_ref().map(|(call, _)| call),
    };
    let (mut calls, may_write) = calls_up_to(connection, sql, user, up_to).await?;
    let draws_before = before.as_ref().map_or(0, |(call, order)| {
        usize::from(call.made.saturating_sub(u16::from(order.seq)))
    });
    keep_newest(&mut calls, draws_before + page.size.get() + 1);
    let orders = draws_of(connection, sql, &calls).await?;
    let place = |order: &Order| (order.created_at, order.id);
    let before = before.map(|(_, order)| place(&order));
    let (orders, next) = cut_to_page(orders, place, before, page.size);
    Ok((Some(FoundPage { orders, next }), Some(may_write)))
}

/// Cuts rows down to those of a page, the newest first; with the last one, where there are more.
pub(super) fn cut_to_page<T>(
    mut rows: Vec<T>,
    place: impl Fn(&T) -> (Timestamp, OrderId),
    before: Option<(Timestamp, OrderId)>,
    size: PageSize,
) -> (Vec<T>, Option<OrderId>) {
    rows.retain(|row| before.is_none_or(|before| place(row) < before));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(place(row)));
    let has_more = rows.len() > size.get();
    rows.truncate(size.get());
    let last = rows.last().map(|row| place(row).1);
    (rows, last.filter(|_| has_more))
}

/// Which of a user's calls.
pub(super) struct UpTo<'a> {
    /// Calls for draws, or all others.
    pub(super) draws: bool,
    /// Those that name this activity, or all.
    pub(super) activity: Option<ActivityId>,
    /// Up to this one, that one included.
    pub(super) call: Option<&'a Call>,
}

/// The newest of these calls, and whether the server still takes writes.
pub(super) async fn calls_up_to<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    up_to: UpTo<'_>,
) -> Result<(Vec<Call>, bool), StoreError> {
    let (at_ms, first) = up_to
        .call
        .map_or((i64::MAX, i64::MAX.unsigned_abs()), |call| {
            (call.created_at.as_millisecond(), call.first_id.get())
        });
    let activity = up_to.activity.map_or(0, ActivityId::get);
    let draws = u8::from(up_to.draws);
    let key = serde_json::to_string(&(user.as_str(), activity, at_ms, first, draws));
    let latest = Input::Json(key.expect("plain values"));
    let step = SqlStep::read(&sql.calls.latest, latest);
    let read = connection.read_all(vec![step]).await?;
    let rows = read
        .outcomes
        .first()
        .map_or(&[][..], |latest| &*latest.rows);
    Ok((calls_in(rows)?, read.may_write))
}

/// Keeps the first of these calls, as many as make this number of rows together.
pub(super) fn keep_newest(calls: &mut Vec<Call>, rows_max: usize) {
    let mut rows = 0;
    calls.retain(|call| {
        let is_wanted = rows < rows_max;
        rows += usize::from(call.made);
        is_wanted
    });
}

/// An order of this user, and its call.
async fn order_of<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    order: OrderId,
) -> Result<Option<(Call, Order)>, StoreError> {
    let key = json_rows([(user.as_str(), order.get())]);
    let rows = connection.rows(&sql.orders.find, &key).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let call = calls::read(row, 0)?;
    let order = orders::read(row, calls::COLUMNS, &call)?;
    Ok(Some((call, order)))
}

fn calls_in(rows: &[impl Columns]) -> Result<Vec<Call>, StoreError> {
    rows.iter().map(|row| calls::read(row, 1)).collect()
}

/// All draws of these calls, call by call. Calls of other kinds have none.
async fn draws_of<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    calls: &[Call],
) -> Result<Vec<Order>, StoreError> {
    let draws = calls.iter().filter(|call| call.kind == Kind::Draw);
    let made = made_by(connection, sql, draws).await?;
    let orders = made.iter().flat_map(|made| made.orders().iter().cloned());
    Ok(orders.collect())
}

/// What these calls made, call by call.
pub(super) async fn made_by<'c, C: Connection>(
    connection: &mut C,
    sql: &'c Numbered,
    calls: impl Iterator<Item = &'c Call> + Clone,
) -> Result<Vec<Made>, StoreError> {
    let mut made = Makings::default();
    made.look_for(sql, &calls);
    let steps = made.steps();
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let outcomes = connection.run_all(&steps).await?;
    made.found(&outcomes)?;
    calls.map(|call| Ok(made.of(call)?.made)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_one_to_a_hundred_draws_and_one_spelling() {
        assert_eq!("1".parse(), PageSize::new(1));
        assert_eq!("100".parse(), Ok(PageSize::MAX));
        assert_eq!(PageSize::default().get(), 20);
        for bad in ["", "0", "101", "256", "+1", "-1", "1.0", " 1", "x"] {
            assert_eq!(bad.parse::<PageSize>(), Err(InvalidPageSize), "{bad:?}");
        }
    }
}
