//! What the tables have in common.
use std::fmt;

use market::UserId;

use crate::store::{Columns, Dialect, Rows, StoreError};

/// The statement that reads the greatest id in the table of a number; 0 without any.
pub(crate) type ReadLast = fn(&Dialect, u16) -> String;

/// A table that each shard has several of, with a number behind its name.
pub(crate) trait NumberedTable {
    /// Its name in the database, before the number.
    const NAME: &'static str;
    /// How its greatest id is read, when its rows have ids of their own. They are of the runs that
    /// processes claim: a meta database that is older than they are would give them out again.
    const READ_LAST: Option<ReadLast> = None;
    /// Whether it has rows as soon as anyone has used the shard.
    const SHOWS_USE: bool = false;
}

/// A table whose rows commands read or write.
pub(crate) trait Table: NumberedTable {
    /// What names a row.
    type Key: Clone + fmt::Debug + Ord;
    /// What is written as a row.
    type Row: Clone + fmt::Debug + PartialEq;

    /// What names a row.
    fn key(row: &Self::Row) -> Self::Key;
    /// Adds a row to be written, in the order of the table's columns.
    fn write<'r>(row: &'r Self::Row, rows: &mut Rows<'r>);

    /// Rows to be written.
    fn rows<'r>(of: impl IntoIterator<Item = &'r Self::Row>) -> Rows<'r>
    where
        Self::Row: 'r,
    {
        let mut rows = Rows::default();
        for row in of {
            Self::write(row, &mut rows);
        }
        rows
    }
}

/// A table whose rows are of users, spread over the tables of its name by their users.
pub(crate) trait OfUsers: Table {
    /// Whose row it is.
    fn user(row: &Self::Row) -> &UserId;
}

/// A row of a user as it stands, for the audit. The user's id is its first column.
pub(crate) trait StoredOfUser: Sized {
    /// The one in a row, without the user.
    fn of(row: &impl Columns) -> Result<Self, StoreError>;
}
