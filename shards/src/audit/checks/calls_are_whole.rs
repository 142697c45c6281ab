//! A call made the rows that it names, and they are stored. Its orders follow each other without a
//! gap, because a lane makes all of them at once.
use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext, TableLocation};
use crate::audit::report::CheckReport;
use crate::audit::rows::{StoredCall, StoredOrder};

#[derive(Debug, Default)]
pub(super) struct CallsAreWhole {
    /// The call for several draws whose orders are being read.
    call: Option<CallBeingRead>,
}

#[derive(Debug)]
struct CallBeingRead {
    request: Box<str>,
    asked: i64,
    version: i64,
    /// How many of its orders there are up to here, if none is missing.
    made: i64,
}

impl RowCheck for CallsAreWhole {
    fn name(&self) -> &'static str {
        "calls_are_whole"
    }

    fn call(&mut self, report: &mut CheckReport, at: TableLocation, user: &str, call: &StoredCall) {
        report.checked += 1;
        let (made, found, request) = (call.made, call.found, &call.request);
        if made != found || made < 1 {
            report.violation(|| {
                format!(
                    "{at}: request id {request:?} of user {user:?} made {made} rows, {found} are stored"
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
        let (seq, asked, request) = (order.seq, order.asked, &order.request);
        let follows = |call: &&mut CallBeingRead| {
            (&call.request, call.asked, call.made) == (request, asked, seq)
        };
        if let Some(call) = self.call.as_mut().filter(follows) {
            call.made += 1;
        } else {
            self.end_call(report, context, history);
            report.checked += 1;
            if seq != 0 {
                let why = "but the draw before it is missing";
                misplaced(report, context, history, order, why);
            }
            let several = (asked, seq) != (1, 0);
            let call = || CallBeingRead {
                request: request.clone(),
                asked,
                version: order.version,
                made: seq + 1,
            };
            self.call = several.then(call);
        }
        if seq == asked {
            let why = "which is one more than the call asked for";
            misplaced(report, context, history, order, why);
        }
    }

    fn end(&mut self, report: &mut CheckReport, context: &RowContext<'_>, history: &DrawHistory) {
        self.end_call(report, context, history);
    }
}

impl CallsAreWhole {
    /// A call that made fewer draws than it asked for needs a version that allows it.
    fn end_call(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
    ) {
        let Some(CallBeingRead {
            request,
            asked,
            version,
            made,
        }) = self.call.take()
        else {
            return;
        };
        let versions = &context.known.versions;
        if made < asked && versions.is_all_or_nothing(history.activity, version) {
            let at = context.at;
            report.violation(|| {
                format!(
                    "{at}: request id {request:?} of {history} has {made} draws of {asked}, \
                     but its version makes all of them or none"
                )
            });
        }
    }
}

fn misplaced(
    report: &mut CheckReport,
    context: &RowContext<'_>,
    history: &DrawHistory,
    order: &StoredOrder,
    why: &str,
) {
    let (at, number) = (context.at, order.seq + 1);
    let StoredOrder {
        id, asked, request, ..
    } = order;
    report.violation(|| {
        format!(
            "{at}: order {id} of {history} is draw {number} of {asked} under request id {request:?}, {why}"
        )
    });
}
