//! `label_repair_N`: accounts whose day label was ahead of the clock and was set back, by
//! `drawbridge audit --repair`, which locks the account first. Only the audit reads it.
use super::table::{NumberedTable, StoredOfUser};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, StoreError};

numbered_statements! {
    /// Statements on repairs of labels.
    LabelRepairStatements in "label_repairs" {
        /// `[[user, activity, used, today, day_before, at_ms]]`: notes a repair.
        insert,
        /// `[after, up to]` -> at most `{rows_max}` repairs of the users in between, by key.
        page,
        /// `[user]` -> repairs, by key.
        of_user,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct LabelRepairs;

impl NumberedTable for LabelRepairs {
    const NAME: &'static str = "label_repair";
}

/// An account's label was ahead of the clock and was set back: of its first `used` orders, those
/// labelled later than `today` do not count for the label any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LabelRepair {
    pub(crate) activity: i64,
    pub(crate) used: i64,
    pub(crate) today: i64,
}

impl StoredOfUser for LabelRepair {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            used: row.integer(2)?,
            today: row.integer(3)?,
        })
    }
}
