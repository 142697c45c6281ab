//! How what commands make is stored: the one list of it, by kind. It says which rows are new, and
//! how they are read again by the ids that follow from their calls.
//!
//! Lanes and readers are strict: what they cannot understand, or do not find whole, is an error.
//! The audit is lenient ([`StoredMade`]): it takes rows as they stand, for its checks to judge.
use std::collections::HashMap;

use market::{Call, Kind, Made, MadeCall, Order, OrderId, RechargeOrder};

use super::rows::json_rows;
use super::tables::calls::{StoredCall, ids_of};
use super::tables::orders::{self, Orders, StoredOrder};
use super::tables::recharge_orders::{self, RechargeOrders, StoredRecharge};
use super::tables::{InOrder, Numbered, NumberedTable as _, OfUsers};
use super::{Columns, Input, SqlOutcome, SqlStep, StoreError, out_of_range};

/// Gets the rows that new calls made, table by table.
pub(crate) trait NewRows<'a> {
    /// Takes the new rows of a table, which may be none, and the statement that inserts them.
    fn add<T: OfUsers<Key = OrderId> + InOrder>(
        &mut self,
        rows: &[&'a T::Row],
        insert: fn(&Numbered) -> &String,
    );
}

/// Hands on all rows that new calls made.
pub(crate) fn add_new_rows<'a>(made: &'a [MadeCall], to: &mut impl NewRows<'a>) {
    let (mut orders, mut recharges) = (Vec::with_capacity(made.len()), Vec::new());
    for made in made {
        match &made.made {
            Made::Draws(drawn) => orders.extend(drawn.iter()),
            Made::Recharges(orders) => recharges.extend(orders.iter()),
        }
    }
    to.add::<Orders>(&orders, |sql| &sql.orders.insert);
    to.add::<RechargeOrders>(&recharges, |sql| &sql.recharge_orders.insert);
}

/// The table that calls of a kind make rows of. Its rows begin with their ids.
#[derive(Debug)]
pub(crate) struct MadeTable {
    /// Its name, before the number.
    #[cfg_attr(not(test), expect(dead_code, reason = "the fake store goes by it"))]
    pub(crate) name: &'static str,
    /// `[id, ...]` -> rows, with the columns that the table's `write` has.
    pub(crate) of_ids: fn(&Numbered) -> &String,
}

impl MadeTable {
    /// That of a kind.
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Draw => Self {
                name: Orders::NAME,
                of_ids: |sql| &sql.orders.of_ids,
            },
            Kind::Grant | Kind::Exchange | Kind::SignIn | Kind::Reward | Kind::Points => Self {
                name: RechargeOrders::NAME,
                of_ids: |sql| &sql.recharge_orders.of_ids,
            },
        }
    }
}

/// A row that a call made.
#[derive(Debug, Clone)]
enum MadeRow {
    Order(Order),
    Recharge(RechargeOrder),
}

impl MadeRow {
    fn read(row: &impl Columns, call: &Call) -> Result<Self, StoreError> {
        match call.kind {
            Kind::Draw => orders::read(row, 0, call).map(Self::Order),
            _ => recharge_orders::read(row, 0).map(Self::Recharge),
        }
    }

    /// Whether it names the call's user and request id.
    fn is_of(&self, call: &Call) -> bool {
        let names = match self {
            Self::Order(order) => (&order.user, &order.request),
            Self::Recharge(order) => (&order.user, &order.request),
        };
        names == (&call.user, &call.request)
    }

    fn order(self) -> Option<Order> {
        match self {
            Self::Order(order) => Some(order),
            Self::Recharge(_) => None,
        }
    }

    fn recharge(self) -> Option<RechargeOrder> {
        match self {
            Self::Recharge(order) => Some(order),
            Self::Order(_) => None,
        }
    }
}

/// All that a call of this kind made, out of its rows in the order of their ids.
fn made_of(kind: Kind, rows: Vec<MadeRow>) -> Option<Made> {
    if kind == Kind::Draw {
        let orders: Option<Vec<Order>> = rows.into_iter().map(MadeRow::order).collect();
        let orders = orders.filter(|orders| !orders.is_empty())?;
        Some(Made::Draws(orders.into()))
    } else {
        let orders: Option<Vec<_>> = rows.into_iter().map(MadeRow::recharge).collect();
        let orders = orders.filter(|orders| !orders.is_empty())?;
        Some(Made::Recharges(orders.into()))
    }
}

/// What earlier calls of a shard made.
#[derive(Debug, Default)]
pub(crate) struct Makings<'a> {
    sought: Vec<SoughtRows<'a>>,
    found: HashMap<OrderId, MadeRow>,
}

/// Rows of one table that are looked for by their ids.
#[derive(Debug)]
pub(crate) struct SoughtRows<'a> {
    table: MadeTable,
    sql: &'a Numbered,
    call_of: HashMap<OrderId, &'a Call>,
}

impl SoughtRows<'_> {
    /// The name of their table, before the number.
    #[cfg(test)]
    pub(crate) fn table(&self) -> &'static str {
        self.table.name
    }

    /// Their ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = OrderId> {
        self.call_of.keys().copied()
    }
}

impl<'a> Makings<'a> {
    /// Looks for what these calls made, whose users' tables have these statements. A table that
    /// none of them made rows of is not read.
    pub(crate) fn look_for(
        &mut self,
        sql: &'a Numbered,
        calls: &(impl Iterator<Item = &'a Call> + Clone),
    ) {
        for kind in Kind::ALL {
            let calls = calls.clone().filter(|call| call.kind == kind);
            let call_of: HashMap<_, _> = calls
                .flat_map(|call| ids_of(call).map(move |id| (id, call)))
                .collect();
            if !call_of.is_empty() {
                self.sought.push(SoughtRows {
                    table: MadeTable::of(kind),
                    sql,
                    call_of,
                });
            }
        }
    }

    /// What is looked for, table by table.
    #[cfg(test)]
    pub(crate) fn sought(&self) -> &[SoughtRows<'a>] {
        &self.sought
    }

    /// The statements that read it.
    pub(crate) fn steps(&self) -> Vec<SqlStep<'a>> {
        let step = |sought: &SoughtRows<'a>| {
            let ids = sought.ids().map(OrderId::get);
            let sql = (sought.table.of_ids)(sought.sql);
            SqlStep::read(sql, Input::Json(json_rows(ids)))
        };
        self.sought.iter().map(step).collect()
    }

    /// Takes what was found, table by table.
    pub(crate) fn found<R: Columns>(
        &mut self,
        outcomes: &[SqlOutcome<R>],
    ) -> Result<(), StoreError> {
        for (sought, outcome) in self.sought.iter().zip(outcomes) {
            for row in &outcome.rows {
                let id = OrderId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?;
                let call = sought.call_of.get(&id).ok_or_else(|| out_of_range(0))?;
                self.found.insert(id, MadeRow::read(row, call)?);
            }
        }
        Ok(())
    }

    /// What a call made, all of it.
    pub(crate) fn of(&self, call: &Call) -> Result<MadeCall, StoreError> {
        let row = |id| self.found.get(&id).filter(|row| row.is_of(call)).cloned();
        let rows: Option<Vec<MadeRow>> = ids_of(call).map(row).collect();
        let made = rows.and_then(|rows| made_of(call.kind, rows));
        let made = made.ok_or_else(|| {
            StoreError::Data("a call is there, and what it made is not".to_owned())
        })?;
        Ok(MadeCall {
            call: call.clone(),
            made,
        })
    }
}

/// A row that a call made, as it stands, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredMade {
    Order(StoredOrder),
    Recharge(StoredRecharge),
}

impl StoredMade {
    /// The row that a call of this kind names, with this index among those of its call.
    pub(crate) fn read(
        row: &impl Columns,
        kind: Kind,
        call: &StoredCall,
        index: i64,
    ) -> Result<Self, StoreError> {
        match kind {
            Kind::Draw => StoredOrder::of(row, call, index).map(Self::Order),
            _ => StoredRecharge::of(row).map(Self::Recharge),
        }
    }
}

/// Calls of a kind with what they made, for tests of all stores. Among them are odd values.
#[cfg(test)]
pub(crate) fn examples(kind: Kind) -> Vec<MadeCall> {
    match kind {
        Kind::Draw => orders::examples(),
        _ => recharge_orders::examples(kind),
    }
}
