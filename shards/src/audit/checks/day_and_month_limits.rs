//! No account has more orders on a day or in a month than its activity allows.
use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History, month};
use crate::audit::report::Check;

#[derive(Debug)]
pub(super) struct DayAndMonthLimits {
    pub(super) check: Check,
}

impl Default for DayAndMonthLimits {
    fn default() -> Self {
        Self {
            check: Check::new("day_and_month_limits"),
        }
    }
}

impl DrawCheck for DayAndMonthLimits {
    fn day_over(&mut self, context: &Context<'_>, history: &History) {
        let limit = context
            .known
            .versions
            .limits(history.activity)
            .map(|limits| limits.day);
        self.period(
            context,
            history,
            history.labels.day_orders,
            limit,
            history.labels.day,
        );
    }

    fn month_over(&mut self, context: &Context<'_>, history: &History) {
        let limit = context
            .known
            .versions
            .limits(history.activity)
            .map(|limits| limits.month);
        self.period(
            context,
            history,
            history.labels.month_orders,
            limit,
            month(history.labels.day),
        );
    }
}

impl DayAndMonthLimits {
    fn period(
        &mut self,
        context: &Context<'_>,
        history: &History,
        orders: i64,
        limit: Option<i64>,
        label: i64,
    ) {
        let Some(limit) = limit.filter(|_| orders > 0) else {
            return;
        };
        self.check.checked += 1;
        if orders > limit {
            let place = context.place;
            self.check.violation(|| {
                format!("{place}: {history} has {orders} orders in {label}, the limit is {limit}")
            });
        }
    }
}
