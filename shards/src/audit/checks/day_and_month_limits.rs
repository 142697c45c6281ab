//! No account has more orders on a day or in a month than its activity allows.
use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext, month};
use crate::audit::report::CheckReport;

#[derive(Debug)]
pub(super) struct DayAndMonthLimits;

impl RowCheck for DayAndMonthLimits {
    fn name(&self) -> &'static str {
        "day_and_month_limits"
    }

    fn day_over(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
    ) {
        let limits = context.known.versions.limits(history.activity);
        let (orders, day) = (history.labels.day_orders, history.labels.day);
        let limit = limits.map(|limits| limits.day);
        compare(report, context, history, (orders, limit), day);
    }

    fn month_over(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
    ) {
        let limits = context.known.versions.limits(history.activity);
        let (orders, month) = (history.labels.month_orders, month(history.labels.day));
        let limit = limits.map(|limits| limits.month);
        compare(report, context, history, (orders, limit), month);
    }
}

/// Compares the orders of a period with its limit. `label` is the day or the month.
fn compare(
    report: &mut CheckReport,
    context: &RowContext<'_>,
    history: &DrawHistory,
    (orders, limit): (i64, Option<i64>),
    label: i64,
) {
    let Some(limit) = limit.filter(|_| orders > 0) else {
        return;
    };
    report.checked += 1;
    if orders > limit {
        let at = context.at;
        report.violation(|| {
            format!("{at}: {history} has {orders} orders in {label}, the limit is {limit}")
        });
    }
}
