//! The tables whose rows have ids of their own. Those are of the runs that processes claim, so a
//! meta database must know the greatest of them.
use super::orders::OrderStatements;
use super::recharge_orders::RechargeOrderStatements;
use crate::store::Dialect;

/// A table whose rows have ids of their own.
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
        read_last: |dialect, table| OrderStatements::of(dialect, table).read_last,
    },
    WithIds {
        prefix: "recharge_order_",
        read_last: |dialect, table| RechargeOrderStatements::of(dialect, table).read_last,
    },
];
