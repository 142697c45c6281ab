//! Bound values and columns that several topics have.
use jiff::Timestamp;
use market::ActivityId;
use market::batch::{Good, StockItem};
use serde::Serialize;

use crate::store::{Columns, StoreError, out_of_range};

/// The bound value of statements that need none.
pub(super) const NOTHING: &str = "[]";

/// One row as a bound value.
pub(super) fn json(row: &impl Serialize) -> String {
    serde_json::to_string(row).expect("plain values")
}

/// The number in the first column of the only row.
pub(super) fn only_number<T: TryFrom<i64>>(rows: &[impl Columns]) -> Result<T, StoreError> {
    only_row(rows)?.number(0)
}

/// The only row of a result that must have one.
pub(super) fn only_row<R: Columns>(rows: &[R]) -> Result<&R, StoreError> {
    rows.first().ok_or_else(|| out_of_range(0))
}

/// Columns from `first` on: activity, kind of the good, good.
pub(crate) fn item(row: &impl Columns, first: usize) -> Result<StockItem, StoreError> {
    let activity = ActivityId::new(row.number(first)?).ok_or_else(|| out_of_range(first))?;
    let good = Good::stored(row.number(first + 1)?, row.number(first + 2)?);
    let good = good.ok_or_else(|| out_of_range(first + 2))?;
    Ok(StockItem { activity, good })
}

/// A string as a value of its own.
pub(super) fn string(row: &impl Columns, index: usize) -> Result<String, StoreError> {
    row.text(index).map(str::to_owned)
}

/// A time in milliseconds.
pub(super) fn time(row: &impl Columns, index: usize) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(row.integer(index)?).map_err(|_| out_of_range(index))
}

/// An expiry: a time in milliseconds, where 0 stands for never.
pub(super) fn expiry(row: &impl Columns, index: usize) -> Result<Option<Timestamp>, StoreError> {
    match row.integer(index)? {
        0 => Ok(None),
        _ => time(row, index).map(Some),
    }
}

/// The reverse of [`expiry`].
pub(super) fn expiry_ms(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_millisecond)
}
