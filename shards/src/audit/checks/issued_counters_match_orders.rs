//! A shard's counters of issued units say what its orders say.
//!
//! An order that takes a unit and the counter that says so are committed together, and neither
//! ever falls. The orders were read in pages, each at a moment of its own, after the counters had
//! been read once and before they were read again: so they are at least what the counters said
//! first and at most what they said at last, and exactly that where nothing was drawn meanwhile.
//!
//! Where each lane of a shard counts by itself, its counters are compared with its table too.
use std::collections::BTreeMap;

use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History};
use crate::audit::report::Check;
use crate::audit::rows::StoredOrder;
use crate::audit::stock::{Counts, add, name, prizes, units};

/// The units that orders took.
#[derive(Debug, Default)]
pub(in crate::audit) struct UnitsInOrders {
    pub(in crate::audit) stocked: Counts,
}

impl DrawCheck for UnitsInOrders {
    fn order(&mut self, _: &Context<'_>, history: &History, order: &StoredOrder) {
        if order.stocked == 1 {
            *self
                .stocked
                .entry((history.activity, order.award))
                .or_default() += 1;
        }
    }
}

/// One shard's counters, before and after its orders were read.
#[derive(Debug, Default)]
pub(in crate::audit) struct Counters {
    pub(in crate::audit) before: Counts,
    pub(in crate::audit) after: Counts,
    /// Those of lanes, before, where each lane counts by itself: a part of what it has issued.
    pub(in crate::audit) by_lane: BTreeMap<i64, Counts>,
}

/// One shard's units.
#[derive(Debug, Default)]
pub(in crate::audit) struct ShardUnits {
    /// In the orders of each table.
    pub(in crate::audit) tables: Vec<Counts>,
    pub(in crate::audit) counters: Counters,
}

impl ShardUnits {
    /// In the orders of all tables.
    pub(in crate::audit) fn in_orders(&self) -> Counts {
        let mut units = Counts::new();
        self.tables.iter().for_each(|table| add(&mut units, table));
        units
    }
}

pub(in crate::audit) fn issued_counters_match_orders(shards: &[ShardUnits]) -> Check {
    let mut check = Check::new("issued_counters_match_orders");
    for (shard, ShardUnits { tables, counters }) in shards.iter().enumerate() {
        compare(&mut check, shard, &shards[shard].in_orders(), counters);
        for (lane, counted) in &counters.by_lane {
            let table = usize::try_from(*lane)
                .ok()
                .and_then(|lane| tables.get(lane));
            compare_lane(
                &mut check,
                &format!("shard {shard}, table {lane}"),
                table,
                counted,
            );
        }
    }
    check
}

fn compare(check: &mut Check, shard: usize, in_orders: &Counts, counters: &Counters) {
    for prize in prizes([in_orders, &counters.before, &counters.after]) {
        check.checked += 1;
        let orders = units(in_orders, prize);
        let (before, after) = (
            units(&counters.before, prize),
            units(&counters.after, prize),
        );
        if !(before..=after).contains(&orders) {
            let counted = if before == after {
                before.to_string()
            } else {
                format!("{before} and then {after}")
            };
            check.violation(|| {
                format!(
                    "shard {shard}, {}: the counters of issued units say {counted}, {orders} orders took one",
                    name(prize)
                )
            });
        }
    }
}

/// The orders of a table are at least what its lane counted before.
fn compare_lane(check: &mut Check, place: &str, in_orders: Option<&Counts>, counted: &Counts) {
    for (&prize, &counter) in counted {
        check.checked += 1;
        let orders = in_orders.map_or(0, |in_orders| units(in_orders, prize));
        if orders < counter {
            check.violation(|| {
                format!("{place}, {}: its lane counted {counter} issued units, {orders} orders took one", name(prize))
            });
        }
    }
}
