//! The tables that each shard has several of.
use market::call::Kind;

use super::accounts::AccountStatements;
use super::calls::CallStatements;
use super::label_repairs::LabelRepairStatements;
use super::orders::OrderStatements;
use super::recharge_orders::RechargeOrderStatements;
use crate::store::Dialect;

/// The statements on all tables of one number.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(crate) accounts: AccountStatements,
    pub(crate) calls: CallStatements,
    pub(crate) orders: OrderStatements,
    pub(crate) recharge_orders: RechargeOrderStatements,
    pub(crate) label_repairs: LabelRepairStatements,
}

impl Numbered {
    /// On the tables of number `table` of a shard.
    pub(crate) fn of(dialect: &Dialect, table: u16) -> Self {
        Self {
            accounts: AccountStatements::of(dialect, table),
            calls: CallStatements::of(dialect, table),
            orders: OrderStatements::of(dialect, table),
            recharge_orders: RechargeOrderStatements::of(dialect, table),
            label_repairs: LabelRepairStatements::of(dialect, table),
        }
    }

    /// `[id, ...]` -> the rows that calls of a kind made, by their ids.
    pub(crate) fn made_by(&self, kind: Kind) -> &str {
        match kind {
            Kind::Draw => &self.orders.of_ids,
            Kind::Grant => &self.recharge_orders.of_ids,
        }
    }
}
