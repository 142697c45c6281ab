//! Conversions between values and columns that all tables have.
use std::borrow::Cow;

use market::{ActivityId, AwardId, OrderId, UserId};
use serde::Serialize;
use serde::ser::Serializer as _;

use super::{Columns, Input, StoreError, Value, out_of_range};

/// The user id in a column.
pub(super) fn user_id(row: &impl Columns, index: usize) -> Result<UserId, StoreError> {
    UserId::new(row.text(index)?).map_err(|_| out_of_range(index))
}

/// The activity's id in a column.
pub(super) fn activity_id(row: &impl Columns, index: usize) -> Result<ActivityId, StoreError> {
    ActivityId::new(row.number(index)?).ok_or_else(|| out_of_range(index))
}

/// The award's id in a column.
pub(super) fn award_id(row: &impl Columns, index: usize) -> Result<AwardId, StoreError> {
    AwardId::new(row.number(index)?).ok_or_else(|| out_of_range(index))
}

/// The activity's id in a column; `None` for 0.
pub(super) fn optional_activity_id(
    row: &impl Columns,
    index: usize,
) -> Result<Option<ActivityId>, StoreError> {
    match row.integer(index)? {
        0 => Ok(None),
        _ => activity_id(row, index).map(Some),
    }
}

/// The id of an order of any kind in a column.
pub(super) fn order_id(row: &impl Columns, index: usize) -> Result<OrderId, StoreError> {
    OrderId::new(row.number(index)?).ok_or_else(|| out_of_range(index))
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

/// The input of a statement as its one bound value.
pub(super) fn json<'i>(input: &'i Input<'_>) -> Cow<'i, str> {
    match input {
        Input::Json(json) => Cow::Borrowed(json),
        Input::Rows(rows) => Cow::Owned(json_rows(rows.by_row())),
        Input::Nothing => Cow::Borrowed("[]"),
    }
}
