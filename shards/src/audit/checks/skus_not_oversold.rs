//! No sku has more units issued than its stock operations sum to, and each unit that a shard has
//! issued of a sku is that of a recharge order.
//!
//! Recharge orders are compared as orders are in `issued_counters_match_orders`: a recharge order
//! and the counter of its unit are committed together, and neither ever falls.
use crate::audit::audited::{AuditError, Audited};
use crate::audit::report::CheckReport;
use crate::audit::stock::{Counts, IssuedCounters, ItemKey, ShardUnits, add, items, units};
use crate::audit::sums::StoredSums;

/// Reads the totals after the counters. So additions and withdrawals in between cannot make sound
/// stock look oversold.
pub(super) async fn check<A: Audited>(
    sums: &StoredSums<'_, A>,
) -> Result<Option<CheckReport>, AuditError> {
    let totals = sums.totals().await?;
    Ok(Some(skus_not_oversold(&sums.shards, &totals)))
}

pub(in crate::audit) fn skus_not_oversold(shards: &[ShardUnits], totals: &Counts) -> CheckReport {
    let mut report = CheckReport::new("skus_not_oversold");
    let mut issued = Counts::new();
    for (number, shard) in shards.iter().enumerate() {
        add(&mut issued, &shard.counters.after);
        compare(&mut report, number, &shard.in_orders(), &shard.counters);
    }
    let skus = items([&issued, totals]);
    for sku in skus.into_iter().filter(ItemKey::is_sku) {
        report.checked += 1;
        let (issued, total) = (units(&issued, sku), units(totals, sku).max(0));
        if issued > total {
            report.violation(|| {
                format!("{sku}: {issued} units are issued, but the total is {total}")
            });
        }
    }
    report
}

/// Compares a shard's counters before and after with its recharge orders, which were read between
/// them.
fn compare(report: &mut CheckReport, shard: usize, sold: &Counts, counters: &IssuedCounters) {
    let all = items([sold, &counters.before, &counters.after]);
    for sku in all.into_iter().filter(ItemKey::is_sku) {
        let orders = units(sold, sku);
        let (before, after) = (units(&counters.before, sku), units(&counters.after, sku));
        if !(before..=after).contains(&orders) {
            let counted = if before == after {
                before.to_string()
            } else {
                format!("{before} and then {after}")
            };
            report.violation(|| {
                format!(
                    "shard {shard}, {sku}: the counters of issued units are {counted}, {orders} recharge orders took a unit"
                )
            });
        }
    }
}
