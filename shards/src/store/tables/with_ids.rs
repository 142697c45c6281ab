//! The tables whose rows have ids of their own.
use super::{orders, recharge_orders};
use crate::store::Dialect;

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
