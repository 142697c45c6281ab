//! What the tables have in common.
use std::fmt;

use market::UserId;

use crate::store::Rows;

/// The order in which every transaction locks rows of several tables, whatever it does: two that
/// keep to one order cannot deadlock. Within a table rows are locked in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LockOrder {
    Accounts,
    Calls,
    Orders,
    RechargeOrders,
    #[expect(
        dead_code,
        reason = "only the audit writes it, in a transaction of its own"
    )]
    LabelRepairs,
    Epochs,
    Receipts,
    Issued,
}

/// A table whose rows commands read or write.
pub(crate) trait Table {
    /// What names a row.
    type Key: Clone + fmt::Debug + Ord;
    /// What is written as a row.
    type Row: Clone + fmt::Debug + PartialEq;

    /// Its name in the database, without the number where there are several.
    #[allow(dead_code, reason = "tests name it")]
    const NAME: &'static str;
    /// Its place among the tables that are locked.
    const LOCKED: LockOrder;

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
