//! When a batch looks for earlier calls under the keys of its commands.
//!
//! Nearly every call is new, and looking for an earlier one costs as much as reading the account. So
//! a batch does not look: it claims the keys of its commands by inserting their calls, before it is
//! planned and before it takes units. If one is there, the batch is undone, and its next try looks.
//! A claimed call of a command that is refused is taken back.
//!
//! Repeats come together: after a network that failed, or from a caller who tries it. While a lane
//! meets them, its batches look, and none begins in vain. So do batches that are mostly refused.
use std::time::Duration;

use tokio::time::Instant;

/// How long batches look after one that should have. Commands that are set aside because of a lock
/// are tried again in this time.
const LOOK_FOR: Duration = Duration::from_secs(2);

/// A batch should not have claimed its keys when more than one in this many commands is refused.
const MANY: usize = 4;

/// When a lane looks for earlier calls.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    until: Option<Instant>,
}

impl Lookups {
    /// Whether the next batch looks.
    pub(super) fn are_due(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Notes that a batch met an earlier call, or failed.
    pub(super) fn met(&mut self, now: Instant) {
        self.until = Some(now + LOOK_FOR);
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
    fn batches_look_while_earlier_calls_are_met() {
        let (mut lookups, start) = (Lookups::default(), Instant::now());
        assert!(!lookups.are_due(start));
        lookups.met(start);
        assert!(lookups.are_due(start + LOOK_FOR - Duration::from_millis(1)));
        assert!(!lookups.are_due(start + LOOK_FOR));
    }

    #[test]
    fn batches_look_where_more_than_a_quarter_is_refused() {
        let (mut lookups, start) = (Lookups::default(), Instant::now());
        lookups.refused(0, 0, start);
        lookups.refused(25, 100, start);
        assert!(!lookups.are_due(start));
        lookups.refused(26, 100, start);
        assert!(lookups.are_due(start));
    }
}
