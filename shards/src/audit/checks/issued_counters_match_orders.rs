//! A shard's counters of issued awards are equal to its orders.
//!
//! An order that takes a unit and the counter of that unit are committed together, and neither ever
//! falls. The counters were read before the orders and after them; the orders were read in pages,
//! each at a moment of its own. So the orders are between the two readings of the counters. Where
//! nothing was drawn meanwhile, all three are equal.
//!
//! Where each lane of a shard has counters of its own, they are also compared with its table.
use std::future::{Ready, ready};

use crate::audit::audited::{AuditError, Audited};
use crate::audit::report::CheckReport;
use crate::audit::stock::{Counts, IssuedCounters, ShardUnits, items, units};
use crate::audit::sums::StoredSums;

pub(super) fn check<A: Audited>(
    sums: &StoredSums<'_, A>,
) -> Ready<Result<Option<CheckReport>, AuditError>> {
    ready(Ok(Some(issued_counters_match_orders(&sums.shards))))
}

pub(in crate::audit) fn issued_counters_match_orders(shards: &[ShardUnits]) -> CheckReport {
    let mut report = CheckReport::new("issued_counters_match_orders");
    for (shard, ShardUnits { tables, counters }) in shards.iter().enumerate() {
        compare(&mut report, shard, &shards[shard].in_orders(), counters);
        for (lane, counted) in &counters.by_lane {
            let table = usize::try_from(*lane)
                .ok()
                .and_then(|lane| tables.get(lane));
            let at = format!("shard {shard}, table {lane}");
            compare_lane(&mut report, &at, table, counted);
        }
    }
    report
}

fn compare(report: &mut CheckReport, shard: usize, in_orders: &Counts, counters: &IssuedCounters) {
    let all = items([in_orders, &counters.before, &counters.after]);
    for item in all.into_iter().filter(|item| !item.is_sku()) {
        report.checked += 1;
        let orders = units(in_orders, item);
        let before = units(&counters.before, item);
        let after = units(&counters.after, item);
        if !(before..=after).contains(&orders) {
            let counted = if before == after {
                before.to_string()
            } else {
                format!("{before} and then {after}")
            };
            report.violation(|| {
                format!(
                    "shard {shard}, {item}: the counters of issued units are {counted}, {orders} orders took a unit"
                )
            });
        }
    }
}

/// Checks that a table has no fewer orders than its lane had counted before.
fn compare_lane(report: &mut CheckReport, at: &str, in_orders: Option<&Counts>, counted: &Counts) {
    for (&item, &counter) in counted.iter().filter(|(item, _)| !item.is_sku()) {
        report.checked += 1;
        let orders = in_orders.map_or(0, |in_orders| units(in_orders, item));
        if orders < counter {
            report.violation(|| {
                format!(
                    "{at}, {item}: its lane counted {counter} issued units, {orders} orders took a unit"
                )
            });
        }
    }
}
