//! The tables of a shard, one a file: what its rows look like, their key, its statements by name.
//! This file is the one list of them, in the order in which transactions lock tables.
//!
//! Some are there several times in each shard, with a number behind their names ([`Numbered`]);
//! users are spread over these. The others are there once.
//!
//! Rows are read in two ways. Lanes and readers are strict: a value that the program cannot have
//! written is an error. The audit is lenient (types such as [`calls::StoredCall`]): numbers are not
//! narrowed to the ranges that the program writes, so that its checks find what is wrong.
pub(crate) mod accounts;
pub(crate) mod calls;
pub(crate) mod epochs;
#[cfg(test)]
mod examples;
pub(crate) mod issued;
pub(crate) mod label_repairs;
pub(crate) mod locked;
pub(crate) mod orders;
pub(crate) mod points_accounts;
pub(crate) mod points_entries;
pub(crate) mod receipts;
pub(crate) mod recharge_orders;
pub(crate) mod sign_ins;
mod table;
pub(crate) mod user_awards;
mod writes;

#[cfg(test)]
pub(crate) use table::Table;
pub(crate) use table::{NumberedTable, OfUsers, ReadLast, StoredOfUser};
pub(crate) use writes::Writes;

use crate::store::Dialect;

/// Declares all tables. Of a numbered one it needs the module, the table and its statements; of the
/// others the name in the order alone.
macro_rules! tables {
    (
        numbered { $($module:ident: $table:ident, $statements:ident;)* }
        once { $($once:ident;)* }
    ) => {
        /// The order in which every transaction locks rows of several tables, whatever it does: two
        /// that keep to one order cannot deadlock. Within a table rows are locked in the order of
        /// their keys. One exception: a batch claims keys by inserting calls before it inserts new
        /// accounts. Where two meet in a circle the server ends one, which is planned again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum LockOrder { $($table,)* $($once,)* }

        /// The statements on all tables of one number.
        #[derive(Debug, Clone)]
        pub(crate) struct Numbered { $(pub(crate) $module: $module::$statements,)* }

        impl Numbered {
            /// On the tables of number `table` of a shard.
            pub(crate) fn of(dialect: &Dialect, table: u16) -> Self {
                Self { $($module: $module::$statements::of(dialect, table),)* }
            }

            /// The same, with the locking reads of batches refused where a row is locked, instead
            /// of waiting for it.
            pub(crate) fn impatient(&self, dialect: &Dialect) -> Self {
                let mut sql = self.clone();
                for text in [
                    &mut sql.accounts.lock_batch,
                    &mut sql.points_accounts.lock_batch,
                    &mut sql.sign_ins.lock_batch,
                    &mut sql.user_awards.lock_batch,
                    &mut sql.calls.lock_batch,
                ] {
                    text.push_str(dialect.no_wait);
                }
                sql
            }
        }

        $(impl InOrder for $module::$table {
            const LOCKED: LockOrder = LockOrder::$table;
        })*

        /// What is known of the numbered tables by their names.
        pub(crate) const NUMBERED: &[TableFacts] = &[$(TableFacts::of::<$module::$table>(),)*];
    };
}

tables! {
    numbered {
        accounts: Accounts, AccountStatements;
        points_accounts: PointsAccounts, PointsAccountStatements;
        sign_ins: SignIns, SignInStatements;
        user_awards: UserAwards, UserAwardStatements;
        calls: Calls, CallStatements;
        orders: Orders, OrderStatements;
        recharge_orders: RechargeOrders, RechargeOrderStatements;
        points_entries: PointsEntries, PointsEntryStatements;
        label_repairs: LabelRepairs, LabelRepairStatements;
    }
    once {
        Epochs;
        Receipts;
        Issued;
    }
}

/// A table with its place in the order.
pub(crate) trait InOrder {
    const LOCKED: LockOrder;
}

/// What is known of a numbered table by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableFacts {
    /// Its name, before the number.
    pub(crate) name: &'static str,
    /// Whether it has rows as soon as anyone has used the shard.
    pub(crate) shows_use: bool,
    read_last: Option<ReadLast>,
}

/// A table whose rows have ids of their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WithIds {
    /// Its name, before the number.
    pub(crate) name: &'static str,
    /// The statement that reads the greatest id in the table of a number; 0 without any.
    pub(crate) read_last: ReadLast,
}

impl TableFacts {
    const fn of<T: NumberedTable>() -> Self {
        Self {
            name: T::NAME,
            shows_use: T::SHOWS_USE,
            read_last: T::READ_LAST,
        }
    }
}

/// The tables whose rows have ids of their own.
pub(crate) fn with_ids() -> impl Iterator<Item = WithIds> {
    NUMBERED.iter().filter_map(|table| {
        Some(WithIds {
            name: table.name,
            read_last: table.read_last?,
        })
    })
}

/// The number behind the name of a table in a database, if it is one of `table`.
pub(crate) fn number_of(table: &str, name: &str) -> Option<u16> {
    name.strip_prefix(table)?.strip_prefix('_')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_name_and_number() {
        let account = accounts::Accounts::NAME;
        assert_eq!(number_of(account, "raffle_account_12"), Some(12));
        for other in ["raffle_account", "raffle_account_", "raffle_account_x", "x"] {
            assert_eq!(number_of(account, other), None, "{other}");
        }
    }

    #[test]
    fn ids_are_those_of_orders_of_all_kinds() {
        let names: Vec<&str> = with_ids().map(|table| table.name).collect();
        assert_eq!(names, ["raffle_order", "recharge_order"]);
    }
}
