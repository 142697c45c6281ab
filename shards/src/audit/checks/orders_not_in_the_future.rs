//! No order, no account and no sign-in is labelled with a day that has not begun, unless a repair has
//! noted it.
//! One wrong clock can write such a label. Right clocks then refuse the user until that day.
//!
//! A label is compared with the current day. The time of an order may be up to a day ahead: that
//! does no harm except by its label, and passes by itself.
use jiff::Timestamp;

use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext};
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredOrder};

/// How far the time of an order may be ahead.
const AHEAD_MAX_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub(super) struct OrdersNotInTheFuture {
    /// The latest label of a day that has begun, for the history that began last.
    latest: Option<i64>,
}

impl RowCheck for OrdersNotInTheFuture {
    fn name(&self) -> &'static str {
        "orders_not_in_the_future"
    }

    fn user(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        beside: &BesideDraws<'_>,
    ) {
        for row in beside.sign_ins {
            report.checked += 1;
            let latest = context.latest_label(row.activity);
            if latest.is_some_and(|latest| row.day > latest) {
                let (at, user, day) = (context.at, beside.user, row.day);
                report.violation(|| {
                    format!(
                        "{at}: the last sign-in of user {user:?} in activity {} is of day {day}, which has not begun: \
                         `drawbridge audit --repair` sets it back",
                        row.activity
                    )
                });
            }
        }
    }

    fn begin(&mut self, report: &mut CheckReport, context: &RowContext<'_>, history: &DrawHistory) {
        self.latest = context.latest_label(history.activity);
        let Some((account, latest)) = history.account.zip(self.latest) else {
            return;
        };
        report.checked += 1;
        if account.day > latest {
            let (at, day) = (context.at, account.day);
            report.violation(|| {
                format!(
                    "{at}: the account of {history} counts for day {day}, which has not begun: \
                     `drawbridge audit --repair` sets it back"
                )
            });
        }
    }

    fn order(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        report.checked += 1;
        if history.is_excused(order) {
            return;
        }
        let (at, id, day) = (context.at, order.id, order.day);
        if self.latest.is_some_and(|latest| day > latest) {
            report.violation(|| {
                format!("{at}: order {id} of {history} counts for day {day}, which has not begun")
            });
        } else if order.created_at_ms > context.now.as_millisecond().saturating_add(AHEAD_MAX_MS) {
            let made_at = Timestamp::from_millisecond(order.created_at_ms)
                .map_or_else(|_| order.created_at_ms.to_string(), |at| at.to_string());
            let now = context.now;
            report.violation(|| {
                format!(
                    "{at}: order {id} of {history} was made at {made_at}, but the database's clock is at {now}"
                )
            });
        }
    }
}
