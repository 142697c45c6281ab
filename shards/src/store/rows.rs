//! Rows to domain values and back. The column order of each is that of its statement file.
use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use market::calendar::Day;
use market::chances::Account;
use market::order::{DrawCount, Order, Rule};
use market::{ActivityId, AwardId, OrderId, RequestId, UserId};
use serde::Serialize;
use serde::ser::Serializer as _;

use super::{Columns, Input, StoreError, Value, out_of_range};

/// Columns from `first` on: order, request, activity, version, ordinal, day, award, title, index,
/// rule, stocked, time of creation in milliseconds, place in the call, draws that the call asked
/// for.
pub(crate) fn order_from_row(
    row: &impl Columns,
    first: usize,
    user: UserId,
) -> Result<Order, StoreError> {
    let id = |index| row.number::<u64>(first + index);
    Ok(Order {
        id: OrderId::new(id(0)?).ok_or_else(|| out_of_range(first))?,
        user,
        request: RequestId::new(row.text(first + 1)?).map_err(|_| out_of_range(first + 1))?,
        seq: row.number(first + 12)?,
        asked: DrawCount::new(row.number(first + 13)?).map_err(|_| out_of_range(first + 13))?,
        activity: ActivityId::new(id(2)?).ok_or_else(|| out_of_range(first + 2))?,
        version: row.number(first + 3)?,
        ordinal: row.number(first + 4)?,
        day: Day::from_number(row.number(first + 5)?),
        award: AwardId::new(id(6)?).ok_or_else(|| out_of_range(first + 6))?,
        award_title: Arc::from(row.text(first + 7)?),
        award_index: row.number(first + 8)?,
        rule: Rule::from_name(row.text(first + 9)?).ok_or_else(|| out_of_range(first + 9))?,
        stocked: row.integer(first + 10)? != 0,
        created_at: Timestamp::from_millisecond(row.integer(first + 11)?)
            .map_err(|_| out_of_range(first + 11))?,
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
        number(order.id.get()),
        order.user.as_str().into(),
        order.request.as_str().into(),
        number(order.activity.get()),
        order.version.into(),
        order.ordinal.into(),
        order.day.number().into(),
        number(order.award.get()),
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
pub(super) fn account_row<'a>(
    user: &'a UserId,
    activity: ActivityId,
    account: &Account,
) -> [Value<'a>; 7] {
    [
        user.as_str().into(),
        number(activity.get()),
        account.granted.into(),
        account.used.into(),
        account.day.number().into(),
        account.day_used.into(),
        account.month_used.into(),
    ]
}

/// An id or an epoch.
pub(super) fn number<'a>(number: u64) -> Value<'a> {
    Value::Integer(i64::try_from(number).expect("ids are below 2^63"))
}

/// The one bound value of a statement: a JSON array of rows.
pub(crate) fn json_rows(rows: impl IntoIterator<Item = impl Serialize>) -> String {
    let mut json = Vec::with_capacity(4096);
    serde_json::Serializer::new(&mut json)
        .collect_seq(rows)
        .expect("plain values can be written to memory");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// What a statement works on, as its one bound value.
pub(super) fn json<'i>(input: &'i Input<'_>) -> Cow<'i, str> {
    match input {
        Input::Json(json) => Cow::Borrowed(json),
        Input::Rows(rows) => Cow::Owned(json_rows(rows.by_row())),
        Input::Nothing => Cow::Borrowed("[]"),
    }
}
