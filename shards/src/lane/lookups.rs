//! When a batch looks for earlier calls under the keys of its commands.
//!
//! Nearly every call is new, and looking for an earlier one costs as much as reading the account. So
//! a batch that is planned takes its calls for new:
//!
//! * A command that makes something inserts its call. If there is an earlier one, the insert fails,
//!   the batch is undone, and its next try looks first.
//! * A command that is refused inserts nothing. An earlier call would have answered it before any
//!   rule, so it is looked for before the refusal is answered.
//!
//! Repeats come together: after a network that failed, or from a caller who tries it. While a lane
//! meets them, each batch looks first, and none is written in vain.
use std::time::Duration;

use tokio::time::Instant;

use crate::store::BatchReads;

/// How long batches look first after one that should have. Commands that are set aside because of
/// a lock are tried again in this time.
const FIRST_FOR: Duration = Duration::from_secs(2);

/// A batch that looks for so many of its commands after it was planned had better have looked
/// first: one part of so many.
const MANY: usize = 4;

/// When a lane looks for earlier calls.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    first_until: Option<Instant>,
}

impl Lookups {
    /// What the next batch reads.
    pub(super) fn reads(&self, now: Instant) -> BatchReads {
        match self.first_until {
            Some(until) if now < until => BatchReads::AccountsAndCalls,
            _ => BatchReads::Accounts,
        }
    }

    /// Notes that a batch met an earlier call, another process, or a lock.
    pub(super) fn met(&mut self, now: Instant) {
        self.first_until = Some(now + FIRST_FOR);
    }

    /// Notes that `refused` of the `commands` of a batch were refused.
    pub(super) fn refused(&mut self, refused: usize, commands: usize, now: Instant) {
        if refused * MANY > commands {
            self.met(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_look_first_while_earlier_calls_are_met() {
        let (mut lookups, start) = (Lookups::default(), Instant::now());
        assert_eq!(lookups.reads(start), BatchReads::Accounts);
        lookups.met(start);
        let last = start + FIRST_FOR - Duration::from_millis(1);
        assert_eq!(lookups.reads(last), BatchReads::AccountsAndCalls);
        assert_eq!(lookups.reads(start + FIRST_FOR), BatchReads::Accounts);
    }

    #[test]
    fn batches_look_first_where_more_than_a_quarter_is_refused() {
        let (mut lookups, start) = (Lookups::default(), Instant::now());
        lookups.refused(0, 0, start);
        lookups.refused(25, 100, start);
        assert_eq!(lookups.reads(start), BatchReads::Accounts);
        lookups.refused(26, 100, start);
        assert_eq!(lookups.reads(start), BatchReads::AccountsAndCalls);
    }
}
