//! `recharge_order_N`: chances that users were given. What an account was granted is its activity's
//! welcome chances and the sum of its recharge orders.
use jiff::Timestamp;
use market::grant::RechargeKind;
use market::{OrderId, RechargeOrder, RequestId, UserId};

use super::table::{NumberedTable, OfUsers, ReadLast, Table};
use crate::store::rows::{activity_id, number, order_id, user_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on recharge orders.
    RechargeOrderStatements in "recharge_orders" {
        /// Writes recharge orders.
        insert,
        /// `[order, ...]` -> recharge orders.
        of_ids,
        /// The greatest id; 0 without any.
        read_last,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct RechargeOrders;

impl NumberedTable for RechargeOrders {
    const NAME: &'static str = "recharge_order";
    const READ_LAST: Option<ReadLast> =
        Some(|dialect, table| RechargeOrderStatements::of(dialect, table).read_last);
}

impl Table for RechargeOrders {
    type Key = OrderId;
    type Row = RechargeOrder;

    fn key(row: &RechargeOrder) -> OrderId {
        row.id
    }

    fn write<'r>(row: &'r RechargeOrder, rows: &mut Rows<'r>) {
        rows.push([
            number(row.id.get()),
            row.user.as_str().into(),
            row.request.as_str().into(),
            number(row.activity.get()),
            row.kind.name().into(),
            row.chances.into(),
            Value::Integer(row.created_at.as_millisecond()),
        ]);
    }
}

impl OfUsers for RechargeOrders {
    fn user(row: &Self::Row) -> &UserId {
        &row.user
    }
}

/// A whole row, whose columns begin with column `first`.
pub(crate) fn read(row: &impl Columns, first: usize) -> Result<RechargeOrder, StoreError> {
    Ok(RechargeOrder {
        id: order_id(row, first)?,
        user: user_id(row, first + 1)?,
        request: RequestId::new(row.text(first + 2)?).map_err(|_| out_of_range(first + 2))?,
        activity: activity_id(row, first + 3)?,
        kind: RechargeKind::from_name(row.text(first + 4)?)
            .ok_or_else(|| out_of_range(first + 4))?,
        chances: row.number(first + 5)?,
        created_at: Timestamp::from_millisecond(row.integer(first + 6)?)
            .map_err(|_| out_of_range(first + 6))?,
    })
}

/// A recharge order as it stands, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredRecharge {
    pub(crate) id: i64,
    pub(crate) activity: i64,
    pub(crate) chances: i64,
}

impl StoredRecharge {
    /// The recharge order in a row.
    pub(crate) fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.integer(0)?,
            activity: row.integer(3)?,
            chances: row.integer(5)?,
        })
    }
}

/// The call that asked for this recharge order, with it.
#[cfg(test)]
pub(crate) fn made_with(order: RechargeOrder) -> market::MadeCall {
    let call = market::Call {
        user: order.user.clone(),
        request: order.request.clone(),
        kind: market::Kind::Grant,
        activity: order.activity,
        asked: order.chances.into(),
        first_id: order.id,
        made: 1,
        created_at: order.created_at,
    };
    let made = market::Made::Grant(order);
    market::MadeCall { call, made }
}

/// Grants of a few chances and of the most.
#[cfg(test)]
pub(crate) fn examples() -> Vec<market::MadeCall> {
    let mut ids = super::examples::Ids::of(market::Kind::Grant);
    let grant = |(user, request, chances): (&str, &str, u32)| {
        let user = UserId::new(user).expect("a user");
        made_with(RechargeOrder {
            id: ids.next(&user),
            user,
            request: RequestId::new(request).expect("a key"),
            activity: market::ActivityId::new(100_301).expect("an id"),
            kind: RechargeKind::Operator,
            chances,
            created_at: Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
        })
    };
    let grants = [("given", "g", 3), ("GIVEN", "G!", u32::MAX), ("ù", "g", 1)];
    grants.into_iter().map(grant).collect()
}
