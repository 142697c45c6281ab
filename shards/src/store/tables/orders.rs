//! `raffle_order_N`: what was drawn and by whom, one row for each draw. Under which request id and
//! when is said by its call, whose orders have consecutive ids: so they are a range of the primary key,
//! and an order costs no other index. Ids of one lane ascend, so rows are appended.
use std::sync::Arc;

use market::calendar::Day;
use market::call::Call;
use market::order::{DrawCount, Order, Rule};
use market::{AwardId, OrderId, UserId};

use super::table::{LockOrder, OfUsers, Table};
use crate::store::rows::{activity_id, number, order_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on orders.
    OrderStatements in "orders" {
        /// Writes orders.
        insert,
        /// `[order, ...]` -> orders.
        of_ids,
        /// `[[user, order]]` -> the order's call, and the order.
        find,
        /// The greatest order id; 0 without any.
        read_last,
        /// Activities and versions that orders name.
        scan_versions,
        /// How many orders there are, and how many the calls for draws say there are.
        count,
        /// At most 100 orders that belong to no call.
        strays,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Orders;

impl Table for Orders {
    type Key = OrderId;
    type Row = Order;

    const NAME: &'static str = "raffle_order";
    const LOCKED: LockOrder = LockOrder::Orders;

    fn key(row: &Order) -> OrderId {
        row.id
    }

    fn write<'r>(row: &'r Order, rows: &mut Rows<'r>) {
        rows.push([
            number(row.id.get()),
            row.user.as_str().into(),
            number(row.activity.get()),
            row.version.into(),
            row.ordinal.into(),
            row.day.number().into(),
            number(row.award.get()),
            (&*row.award_title).into(),
            row.award_index.into(),
            row.rule.name().into(),
            Value::Integer(row.stocked.into()),
        ]);
    }
}

impl OfUsers for Orders {
    fn user(row: &Self::Row) -> &UserId {
        &row.user
    }
}

/// An order that this call made. Its columns begin with column `first`: order, user, activity,
/// version, ordinal, day, award, title, index, rule, stocked.
pub(crate) fn read(row: &impl Columns, first: usize, call: &Call) -> Result<Order, StoreError> {
    let id = order_id(row, first)?;
    if row.text(first + 1)? != call.user.as_str() {
        return Err(out_of_range(first + 1));
    }
    Ok(Order {
        id,
        user: call.user.clone(),
        request: call.request.clone(),
        seq: index_in(call, id).ok_or_else(|| out_of_range(first))?,
        asked: asked(call)?,
        activity: activity_id(row, first + 2)?,
        version: row.number(first + 3)?,
        ordinal: row.number(first + 4)?,
        day: Day::from_number(row.number(first + 5)?),
        award: AwardId::new(row.number(first + 6)?).ok_or_else(|| out_of_range(first + 6))?,
        award_title: Arc::from(row.text(first + 7)?),
        award_index: row.number(first + 8)?,
        rule: Rule::from_name(row.text(first + 9)?).ok_or_else(|| out_of_range(first + 9))?,
        stocked: row.integer(first + 10)? != 0,
        created_at: call.created_at,
    })
}

/// An order's index among those of its call.
fn index_in(call: &Call, id: OrderId) -> Option<u8> {
    let index = super::calls::ids_of(call).position(|of_call| of_call == id)?;
    u8::try_from(index).ok()
}

fn asked(call: &Call) -> Result<DrawCount, StoreError> {
    let asked = u8::try_from(call.asked).ok();
    asked
        .and_then(|asked| DrawCount::new(asked).ok())
        .ok_or_else(|| StoreError::Data("a call for draws asks for a wrong number".to_owned()))
}
