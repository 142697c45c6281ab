//! What a check has that goes by rows.
use crate::audit::history::{Context, History};
use crate::audit::rows::StoredOrder;

/// A check that goes by the rows of accounts and orders.
pub(in crate::audit) trait DrawCheck {
    /// A user's rows in an activity begin.
    fn begin(&mut self, _: &Context<'_>, _: &History) {}
    /// The next order, which the history does not hold yet.
    fn order(&mut self, _: &Context<'_>, _: &History, _: &StoredOrder) {}
    /// No more orders follow of the day in the history.
    fn day_over(&mut self, _: &Context<'_>, _: &History) {}
    /// Nor of the month.
    fn month_over(&mut self, _: &Context<'_>, _: &History) {}
    /// The history is complete.
    fn end(&mut self, _: &Context<'_>, _: &History) {}
}
