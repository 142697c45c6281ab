//! Stored rows as they stand. Numbers are not narrowed to the ranges that the program writes:
//! a value out of its range is for the checks to find, not a reason to stop looking.
use crate::store::{Columns, StoreError};

/// One row of a table pair: an account or an order of this user in this activity.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredRow<'r> {
    pub(super) user: &'r str,
    pub(super) activity: i64,
    pub(super) content: Content<'r>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'r> {
    Account(StoredAccount),
    Order(StoredOrder<'r>),
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StoredAccount {
    pub(super) granted: i64,
    pub(super) used: i64,
    pub(super) day: i64,
    pub(super) day_used: i64,
    pub(super) month_used: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct StoredOrder<'r> {
    pub(super) id: i64,
    pub(super) version: i64,
    pub(super) ordinal: i64,
    pub(super) day: i64,
    pub(super) award: i64,
    pub(super) award_title: &'r str,
    pub(super) award_index: i64,
    pub(super) rule: &'r str,
    pub(super) stocked: i64,
    pub(super) created_at_ms: i64,
    pub(super) request: &'r str,
    pub(super) seq: i64,
    pub(super) asked: i64,
}

/// The columns are those of `scan_draws`. A row without an order id is an account.
pub(super) fn stored_row(row: &impl Columns) -> Result<StoredRow<'_>, StoreError> {
    let content = match row.optional_integer(3)? {
        None => Content::Account(StoredAccount {
            granted: row.integer(4)?,
            used: row.integer(5)?,
            day: row.integer(6)?,
            day_used: row.integer(7)?,
            month_used: row.integer(8)?,
        }),
        Some(id) => Content::Order(StoredOrder {
            id,
            ordinal: row.integer(2)?,
            day: row.integer(6)?,
            version: row.integer(9)?,
            award: row.integer(10)?,
            award_title: row.text(11)?,
            award_index: row.integer(12)?,
            rule: row.text(13)?,
            stocked: row.integer(14)?,
            created_at_ms: row.integer(15)?,
            request: row.text(16)?,
            seq: row.integer(17)?,
            asked: row.integer(18)?,
        }),
    };
    Ok(StoredRow { user: row.text(0)?, activity: row.integer(1)?, content })
}
