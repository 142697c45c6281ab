//! No order, and no account's label, is of a day that has not begun, unless a repair has noted it.
//! One wrong clock can write such a label, and right clocks then refuse the user until that day.
//!
//! A label is judged by the day of now. The moment of an order may be up to a day ahead: that much
//! spoils nothing but by its label, and ends by itself.
use jiff::Timestamp;

use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History};
use crate::audit::report::Check;
use crate::audit::rows::StoredOrder;

/// How far an order's moment may lie ahead.
const AHEAD_MAX_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug)]
pub(super) struct OrdersNotInTheFuture {
    pub(super) check: Check,
    /// The latest label that is none of the future, for the history that began last.
    latest: Option<i64>,
}

impl Default for OrdersNotInTheFuture {
    fn default() -> Self {
        Self {
            check: Check::new("orders_not_in_the_future"),
            latest: None,
        }
    }
}

impl DrawCheck for OrdersNotInTheFuture {
    fn begin(&mut self, context: &Context<'_>, history: &History) {
        self.latest = context.latest_label(history.activity);
        let Some((account, latest)) = history.account.zip(self.latest) else {
            return;
        };
        self.check.checked += 1;
        if account.day > latest {
            let (place, day) = (context.place, account.day);
            self.check.violation(|| {
                format!(
                    "{place}: the account of {history} counts for day {day}, which has not begun: \
                     `drawbridge audit --repair` sets it back"
                )
            });
        }
    }

    fn order(&mut self, context: &Context<'_>, history: &History, order: &StoredOrder) {
        self.check.checked += 1;
        if history.is_excused(order) {
            return;
        }
        let (place, id, day) = (context.place, order.id, order.day);
        if self.latest.is_some_and(|latest| day > latest) {
            self.check.violation(|| {
                format!(
                    "{place}: order {id} of {history} counts for day {day}, which has not begun"
                )
            });
        } else if order.created_at_ms > context.now.as_millisecond().saturating_add(AHEAD_MAX_MS) {
            let at = Timestamp::from_millisecond(order.created_at_ms)
                .map_or_else(|_| order.created_at_ms.to_string(), |at| at.to_string());
            let now = context.now;
            self.check.violation(|| {
                format!("{place}: order {id} of {history} was made at {at}, by the database's clock it is {now}")
            });
        }
    }
}
