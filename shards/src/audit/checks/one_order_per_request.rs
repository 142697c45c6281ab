//! An order belongs to one call, and a request id of a user to one call.
//!
//! The key of calls ensures the second. For the first it is enough to count: where each call has
//! its own orders (`calls_are_whole`) and there are no more and no fewer orders than calls name, no
//! order belongs to no call or to two.
use super::row_check::{OrderCounts, RowCheck};
use crate::audit::history::TableLocation;
use crate::audit::report::CheckReport;
use crate::audit::rows::StoredCall;

#[derive(Debug, Default)]
pub(super) struct OneOrderPerRequest {
    /// Whether a call was read some of whose rows are missing: `calls_are_whole` reports it.
    rows_missing: bool,
}

impl RowCheck for OneOrderPerRequest {
    fn name(&self) -> &'static str {
        "one_order_per_request"
    }

    fn call(&mut self, _: &mut CheckReport, _: TableLocation, _: &str, call: &StoredCall) {
        self.rows_missing |= call.found < call.made;
    }

    fn table_over(&mut self, report: &mut CheckReport, at: TableLocation, counted: &OrderCounts) {
        let OrderCounts {
            stored,
            named,
            strays,
        } = counted;
        report.checked += u64::try_from(*stored).unwrap_or(0);
        for (id, user) in strays {
            report.violation(|| {
                format!("{at}: order {id} of user {user:?} belongs to no request id")
            });
        }
        if stored < named && !self.rows_missing {
            report.violation(|| {
                format!("{at}: the request ids name {named} orders, {stored} are stored")
            });
        }
    }
}
