//! A call has what it says that it made. Its orders stand one after the other: a lane makes all of
//! them in one go.
use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History, Place};
use crate::audit::report::Check;
use crate::audit::rows::{StoredCall, StoredOrder};

#[derive(Debug)]
pub(in crate::audit) struct CallsAreWhole {
    pub(super) check: Check,
    /// The call for several draws whose orders are being read.
    call: Option<Call>,
}

#[derive(Debug)]
struct Call {
    request: Box<str>,
    asked: i64,
    version: i64,
    /// How many of its orders were read, were none missing.
    made: i64,
}

impl Default for CallsAreWhole {
    fn default() -> Self {
        Self {
            check: Check::new("calls_are_whole"),
            call: None,
        }
    }
}

impl DrawCheck for CallsAreWhole {
    fn order(&mut self, context: &Context<'_>, history: &History, order: &StoredOrder) {
        let (seq, asked, request) = (order.seq, order.asked, &order.request);
        let follows =
            |call: &&mut Call| (&call.request, call.asked, call.made) == (request, asked, seq);
        if let Some(call) = self.call.as_mut().filter(follows) {
            call.made += 1;
        } else {
            self.end_call(context, history);
            self.check.checked += 1;
            if seq != 0 {
                self.violation(
                    context,
                    history,
                    order,
                    "and the one before it is not there",
                );
            }
            let several = (asked, seq) != (1, 0);
            let call = || Call {
                request: request.clone(),
                asked,
                version: order.version,
                made: seq + 1,
            };
            self.call = several.then(call);
        }
        if seq == asked {
            self.violation(context, history, order, "which is one too many");
        }
    }

    fn end(&mut self, context: &Context<'_>, history: &History) {
        self.end_call(context, history);
    }
}

impl CallsAreWhole {
    /// The next call, whatever it was for.
    pub(in crate::audit) fn call(&mut self, place: Place, user: &str, call: &StoredCall) {
        self.check.checked += 1;
        let (made, found, request) = (call.made, call.found, &call.request);
        if made != found || made < 1 {
            self.check.violation(|| {
                format!("{place}: request id {request:?} of user {user:?} made {made} rows, {found} are there")
            });
        }
    }

    /// Whether a call was found that is not.
    pub(in crate::audit) fn is_broken(&self) -> bool {
        self.check.is_broken()
    }

    /// Adds what was found elsewhere.
    pub(in crate::audit) fn add(&mut self, other: Self) {
        self.check.add(other.check);
    }

    fn violation(
        &mut self,
        context: &Context<'_>,
        history: &History,
        order: &StoredOrder,
        what: &str,
    ) {
        let (
            place,
            StoredOrder {
                id,
                seq,
                asked,
                request,
                ..
            },
        ) = (context.place, order);
        self.check.violation(|| {
            format!(
                "{place}: order {id} of {history} is draw {} of {asked} under request id {request:?}, {what}",
                seq + 1
            )
        });
    }

    /// A call that made fewer draws than it asked for needs a version that allows it.
    fn end_call(&mut self, context: &Context<'_>, history: &History) {
        let Some(Call {
            request,
            asked,
            version,
            made,
        }) = self.call.take()
        else {
            return;
        };
        if made < asked
            && context
                .known
                .versions
                .is_all_or_nothing(history.activity, version)
        {
            let place = context.place;
            self.check.violation(|| {
                format!("{place}: request id {request:?} of {history} has {made} draws of {asked}, the version makes all or none")
            });
        }
    }
}
