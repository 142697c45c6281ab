//! No award has more units in orders than its stock operations sum to. Of skus
//! `skus_not_oversold` says the same.
use crate::audit::audited::{AuditError, Audited};
use crate::audit::report::CheckReport;
use crate::audit::stock::{Counts, items, units};
use crate::audit::sums::StoredSums;

/// Reads the totals after the orders. So additions and withdrawals in between cannot make sound
/// stock look oversold.
pub(super) async fn check<A: Audited>(
    sums: &StoredSums<'_, A>,
) -> Result<Option<CheckReport>, AuditError> {
    let totals = sums.totals().await?;
    Ok(Some(stock_not_oversold(&sums.in_orders(), &totals)))
}

/// `issued` are the units in the orders of all shards.
pub(in crate::audit) fn stock_not_oversold(issued: &Counts, totals: &Counts) -> CheckReport {
    let mut report = CheckReport::new("stock_not_oversold");
    for item in items([issued, totals])
        .into_iter()
        .filter(|item| !item.is_sku())
    {
        report.checked += 1;
        let (issued, total) = (units(issued, item), units(totals, item).max(0));
        if issued > total {
            report.violation(|| {
                format!("{item}: {issued} units are in orders, but the total is {total}")
            });
        }
    }
    report
}
