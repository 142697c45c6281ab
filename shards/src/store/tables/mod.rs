//! The tables of a shard, one a file: what its rows look like, their key, its statements by name,
//! and its place in the order in which transactions lock tables.
//!
//! Some are there several times in each shard, with a number behind their names ([`Numbered`]);
//! users are spread over these. The others are there once.
pub(crate) mod accounts;
pub(crate) mod calls;
pub(crate) mod epochs;
pub(crate) mod issued;
pub(crate) mod label_repairs;
mod numbered;
pub(crate) mod orders;
pub(crate) mod receipts;
pub(crate) mod recharge_orders;
mod table;
mod writes;

pub(crate) use numbered::Numbered;
pub(crate) use table::{LockOrder, OfUsers};
pub(crate) use writes::Writes;
<<<<<<< HEAD
=======

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

/// A table whose rows have ids of their own. They are of the runs that processes claim.
pub(crate) struct WithIds {
    /// Its name, before the number.
    pub(crate) prefix: &'static str,
    /// The statement that reads the greatest id in the table of a number; 0 without any.
    pub(crate) read_last: fn(&Dialect, u16) -> String,
}

/// All of them.
pub(crate) const WITH_IDS: [WithIds; 2] = [
    WithIds {
        prefix: "raffle_order_",
        read_last: |dialect, table| orders::OrderStatements::of(dialect, table).read_last,
    },
    WithIds {
        prefix: "recharge_order_",
        read_last: |dialect, table| {
            recharge_orders::RechargeOrderStatements::of(dialect, table).read_last
        },
    },
];

/// The statements on all tables of one number.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(crate) accounts: accounts::AccountStatements,
    pub(crate) calls: calls::CallStatements,
    pub(crate) orders: orders::OrderStatements,
    pub(crate) recharge_orders: recharge_orders::RechargeOrderStatements,
    pub(crate) label_repairs: label_repairs::LabelRepairStatements,
}

impl Numbered {
    /// On the tables of number `table` of a shard.
    pub(crate) fn of(dialect: &Dialect, table: u16) -> Self {
        Self {
            accounts: accounts::AccountStatements::of(dialect, table),
            calls: calls::CallStatements::of(dialect, table),
            orders: orders::OrderStatements::of(dialect, table),
            recharge_orders: recharge_orders::RechargeOrderStatements::of(dialect, table),
            label_repairs: label_repairs::LabelRepairStatements::of(dialect, table),
        }
    }
}
>>>>>>> w-settings
