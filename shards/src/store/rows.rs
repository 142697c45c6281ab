//! Rows to domain values and back. The column order of each is that of its statement file.
use std::sync::Arc;

use jiff::Timestamp;
use market::calendar::Day;
use market::chances::Account;
use market::order::{DrawCount, Order, Rule};
use market::{ActivityId, AwardId, OrderId, RequestId, UserId};
use serde::Serialize;
use serde::ser::Serializer as _;

use super::{Columns, Rows, StoreError, Value, out_of_range};

/// Columns: key, order, request, activity, version, ordinal, day, award, title, index, rule,
/// stocked, time of creation in milliseconds, place in the call, draws that the call asked for.
pub(crate) fn order_from_row(row: &impl Columns, user: UserId) -> Result<Order, StoreError> {
    let id = |index| row.number::<u64>(index);
    Ok(Order {
        id: OrderId::new(id(1)?).ok_or_else(|| out_of_range(1))?,
        user,
        request: RequestId::new(row.text(2)?).map_err(|_| out_of_range(2))?,
        seq: row.number(13)?,
        asked: DrawCount::new(row.number(14)?).map_err(|_| out_of_range(14))?,
        activity: ActivityId::new(id(3)?).ok_or_else(|| out_of_range(3))?,
        version: row.number(4)?,
        ordinal: row.number(5)?,
        day: Day::from_number(row.number(6)?),
        award: AwardId::new(id(7)?).ok_or_else(|| out_of_range(7))?,
        award_title: Arc::from(row.text(8)?),
        award_index: row.number(9)?,
        rule: Rule::from_name(row.text(10)?).ok_or_else(|| out_of_range(10))?,
        stocked: row.integer(11)? != 0,
        created_at: Timestamp::from_millisecond(row.integer(12)?).map_err(|_| out_of_range(12))?,
    })
}

/// Columns from `first` on: chances granted, used, day, used on it, used in its month.
pub(crate) fn account_from_row(row: &impl Columns, first: usize) -> Result<Account, StoreError> {
    Ok(Account {
        granted: row.number(first)?,
        used: row.number(first + 1)?,
        day: Day::from_number(row.number(first + 2)?),
        day_used: row.number(first + 3)?,
        month_used: row.number(first + 4)?,
    })
}

/// The row of an order for `insert_orders`.
pub(super) fn order_row(order: &Order) -> [Value<'_>; 15] {
    [
        id(order.id.get()),
        order.user.as_str().into(),
        order.request.as_str().into(),
        id(order.activity.get()),
        order.version.into(),
        order.ordinal.into(),
        order.day.number().into(),
        id(order.award.get()),
        (&*order.award_title).into(),
        order.award_index.into(),
        order.rule.name().into(),
        Value::Integer(order.stocked.into()),
        Value::Integer(order.created_at.as_millisecond()),
        Value::Integer(order.seq.into()),
        Value::Integer(order.asked.get().into()),
    ]
}

/// The row of an account for `insert_accounts` and `update_accounts`.
pub(super) fn account_row<'a>(user: &'a UserId, activity: ActivityId, account: &Account) -> [Value<'a>; 7] {
    [
        user.as_str().into(),
        id(activity.get()),
        account.granted.into(),
        account.used.into(),
        account.day.number().into(),
        account.day_used.into(),
        account.month_used.into(),
    ]
}

fn id<'a>(number: u64) -> Value<'a> {
    Value::Integer(i64::try_from(number).expect("ids are below 2^63"))
}

/// The one bound value of a statement: a JSON array of rows.
pub(crate) fn json_rows(rows: impl IntoIterator<Item = impl Serialize>) -> String {
    let mut json = Vec::with_capacity(4096);
    serde_json::Serializer::new(&mut json).collect_seq(rows).expect("plain values can be written to memory");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// The same of rows that are there already.
pub(super) fn json(rows: &Rows<'_>) -> String {
    json_rows(rows.by_row())
}
