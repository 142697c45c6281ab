//! What a check implements that goes by rows.
use crate::audit::campaigns::Versions;
use crate::audit::history::{DrawHistory, RowContext, TableLocation};
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredCall, StoredEntry, StoredOrder};

/// A check that goes by the rows of users. It notes violations in the report
/// that each method gets. Each table pair has checks of its own; their reports are added up.
pub(in crate::audit) trait RowCheck: Send {
    /// Its name in the report.
    fn name(&self) -> &'static str;

    /// The next call of a user. A user's calls come before the user's other rows.
    fn call(&mut self, _: &mut CheckReport, _: TableLocation, _: &str, _: &StoredCall) {}

    /// A user's rows beside orders and entries. They come once, after the calls, and before all
    /// orders.
    fn user(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &BesideDraws<'_>) {}

    /// A user's rows in one activity begin. The history holds the account and no orders yet.
    fn begin(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &DrawHistory) {}

    /// The next order, which the history does not contain yet.
    fn order(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &DrawHistory, _: &StoredOrder) {
    }

    /// No more orders follow of the history's latest day.
    fn day_over(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &DrawHistory) {}

    /// No more orders follow of the month of that day.
    fn month_over(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &DrawHistory) {}

    /// The history is complete.
    fn end(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &DrawHistory) {}

    /// The next entry of a user. All entries come in their order, after the user's orders; of a
    /// user who is read in parts, after each part.
    fn entry(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &str, _: &StoredEntry) {}

    /// All entries of a user came, after the last part of the user's orders or an earlier one.
    fn entries_over(&mut self, _: &mut CheckReport, _: &RowContext<'_>, _: &str, _last: bool) {}

    /// All users of a table pair were read, and its orders were counted after that.
    fn table_over(&mut self, _: &mut CheckReport, _: TableLocation, _: &OrderCounts) {}

    /// All table pairs were read, and all campaign versions after that. The report is the sum.
    fn all_over(&mut self, _: &mut CheckReport, _: &Versions) {}
}

/// How many orders a table has.
#[derive(Debug, Default)]
pub(in crate::audit) struct OrderCounts {
    /// Rows of orders.
    pub(in crate::audit) stored: i64,
    /// Orders that calls say they made.
    pub(in crate::audit) named: i64,
    /// Orders that belong to no call, with their users; only read where the numbers differ.
    pub(in crate::audit) strays: Vec<(i64, String)>,
}
