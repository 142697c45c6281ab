//! Chance: every choice of a run comes from one sequence of numbers.
use std::time::Duration;

use market::random::Randomness;
use testkit::random::{Seeded, seeded};

/// The numbers of one run.
pub(super) struct Dice(Seeded);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seeded(seed))
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A number from `from` to `to`, both included.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// Whether something happens that has this chance in a thousand.
    pub(super) fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }

    /// A duration of whole milliseconds.
    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// The index of one out of `count` things.
    pub(super) fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("no larger than count")
    }

    /// How long a request travels when nothing is wrong.
    pub(super) fn hop(&mut self) -> Duration {
        Duration::from_millis(self.below(4).saturating_sub(1))
    }
}
