//! What the tables have in common whose rows batches lock.
use std::fmt;

use market::UserId;

use super::{Numbered, NumberedTable};
use crate::store::{Columns, Rows, StoreError};

/// A table whose rows batches lock and read before they are planned, and write when they are
/// settled.
pub(crate) trait LockedTable: NumberedTable {
    /// What names a row.
    type Key: Clone + fmt::Debug + Ord;
    /// What a row holds beside its key.
    type State: Copy + fmt::Debug + PartialEq;
    /// A key as a row of the database has it.
    type KeyOfRow<'r>: Ord;

    /// Whose row it is.
    fn user(key: &Self::Key) -> &UserId;
    /// Adds the key of a row that is to be read.
    fn write_key<'r>(key: &'r Self::Key, rows: &mut Rows<'r>);
    /// Adds a row to be written, in the order of the table's columns.
    fn write_state<'r>(key: &'r Self::Key, state: &Self::State, rows: &mut Rows<'r>);
    /// A key in the form in which rows have it.
    fn as_in_row(key: &Self::Key) -> Self::KeyOfRow<'_>;
    /// The key of a row, which begins at its first column.
    fn read_key(row: &impl Columns) -> Result<Self::KeyOfRow<'_>, StoreError>;
    /// What a row holds, which begins behind its key.
    fn read_state(row: &impl Columns) -> Result<Self::State, StoreError>;
    /// A key as JSON, for `find_held`.
    fn json_key(key: &Self::Key) -> serde_json::Value;
    /// The statements on a table.
    fn statements(sql: &Numbered) -> LockedStatements<'_>;
}

/// The statements that a [`LockedTable`] has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LockedStatements<'s> {
    /// Keys, sorted -> rows, locked.
    pub(crate) lock_batch: &'s String,
    /// JSON keys, sorted -> the indexes of those that another transaction has locked.
    pub(crate) find_held: &'s String,
    /// Writes rows that were not there.
    pub(crate) insert: &'s String,
    /// Writes rows that were, and that change.
    pub(crate) update: &'s String,
}

/// The [`LockedStatements`] among the statements on a table.
macro_rules! locked_statements {
    ($of:expr) => {
        $crate::store::tables::locked::LockedStatements {
            lock_batch: &$of.lock_batch,
            find_held: &$of.find_held,
            insert: &$of.insert,
            update: &$of.update,
        }
    };
}

pub(super) use locked_statements;
