//! An order belongs to one call, and a request id of a user to one call. The second is seen to by the
//! key of calls. For the first it is enough that there are as many orders as the calls name, where
//! each call has its own (`calls_are_whole`): an order without a call, or with two, would be one too
//! many or one too few.
use crate::audit::history::Place;
use crate::audit::report::Check;

#[derive(Debug)]
pub(in crate::audit) struct OneOrderPerRequest {
    pub(super) check: Check,
}

impl Default for OneOrderPerRequest {
    fn default() -> Self {
        Self {
            check: Check::new("one_order_per_request"),
        }
    }
}

impl OneOrderPerRequest {
    /// How many orders of a table are there and how many its calls name; where these differ, some
    /// of the orders that belong to no call, with their users. Whether all calls are whole.
    pub(in crate::audit) fn compare(
        &mut self,
        place: Place,
        (there, named): (i64, i64),
        strays: &[(i64, String)],
        all_whole: bool,
    ) {
        self.check.checked += u64::try_from(there).unwrap_or(0);
        for (id, user) in strays {
            self.check.violation(|| {
                format!("{place}: order {id} of user {user:?} belongs to no request id")
            });
        }
        if there < named && all_whole {
            self.check.violation(|| {
                format!("{place}: the request ids name {named} orders, {there} are there")
            });
        }
    }
}
