//! `recharge_order_N`: chances that users were given. What an account was granted is its activity's
//! welcome chances and the sum of its recharge orders.
use jiff::Timestamp;
use market::recharge::{RechargeKind, RechargeOrder};
use market::{OrderId, RequestId, UserId};

use super::table::{LockOrder, OfUsers, Table};
use crate::store::rows::{activity_id, number, order_id, user_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on recharge orders.
    RechargeOrderStatements in "recharge_orders" {
        /// Writes recharge orders.
        insert,
        /// `[[order], ...]` -> recharge orders.
        of_ids,
        /// The greatest id; 0 without any.
        read_last,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct RechargeOrders;

impl Table for RechargeOrders {
    type Key = OrderId;
    type Row = RechargeOrder;

    const NAME: &'static str = "recharge_order";
    const LOCKED: LockOrder = LockOrder::RechargeOrders;

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
