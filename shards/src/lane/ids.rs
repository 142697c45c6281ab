//! Order ids and grant ids of one lane.
use market::{OrderId, UserId};
use router::{OrderNumbers, Run, Slot};

use crate::store::GrantId;

/// Grants of one run; more than there can be orders, because a batch without orders needs a
/// grant too.
const GRANT_BITS: u32 = 38;

/// The number of the run that a grant belongs to.
pub(crate) const fn run_of_grant(grant: GrantId) -> u64 {
    grant.0 >> GRANT_BITS
}

/// The ids of one run. A lane claims a run at its start, and another when the ids are used up.
#[derive(Debug)]
pub(super) struct LaneIds {
    run: Run,
    orders: OrderNumbers,
    grants: u64,
}

impl LaneIds {
    pub(super) fn new(run: Run) -> Self {
        Self { run, orders: OrderNumbers::new(run), grants: 0 }
    }

    /// Whether the run can name `orders` more orders and two more grants: a batch may ask twice.
    pub(super) fn cover(&self, orders: usize) -> bool {
        self.orders.remaining() as usize >= orders && self.grants + 2 < 1 << GRANT_BITS
    }

    /// A grant id that was never used and never will be again.
    pub(super) fn next_grant(&mut self) -> GrantId {
        self.grants += 1;
        GrantId(u64::from(self.run.get()) << GRANT_BITS | self.grants)
    }

    /// An order id that carries the user's slot. The run must cover it.
    pub(super) fn next_order(&mut self, user: &UserId) -> OrderId {
        let number = self.orders.next(Slot::of(user.as_str()));
        number.and_then(OrderId::new).expect("the lane checked that its run covers the batch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_of_different_runs_never_meet() {
        let mut first = LaneIds::new(Run::new(1).expect("run"));
        let mut second = LaneIds::new(Run::new(2).expect("run"));
        let (a, b, c) = (first.next_grant(), first.next_grant(), second.next_grant());
        assert!(a < b && b < c);
        assert!(c.0 < 1 << 63);
    }

    #[test]
    fn a_run_that_is_nearly_used_up_does_not_cover_a_batch() {
        let run = Run::new(1).expect("run");
        let ids = LaneIds { run, orders: OrderNumbers::starting_at(run, (1 << 28) - 3), grants: 0 };
        assert!(ids.cover(3) && !ids.cover(4));
        let ids = LaneIds { run, orders: OrderNumbers::new(run), grants: (1 << GRANT_BITS) - 1 };
        assert!(!ids.cover(1));
    }
}
