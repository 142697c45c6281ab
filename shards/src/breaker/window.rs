//! What became of the calls of the last moments.
use std::time::Duration;

use tokio::time::Instant;

/// The window slides by this share of its length.
const BUCKETS: usize = 10;

/// Calls of a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

/// The counts of the last moments: of the whole length at most, and of nine tenths of it at least.
#[derive(Debug)]
pub(super) struct Window {
    begun: Instant,
    bucket: Duration,
    /// The number of the bucket that is being filled, from `begun` on.
    newest: u64,
    buckets: [Counts; BUCKETS],
    sum: Counts,
    failed_in_a_row: u32,
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let bucket =
            (length / u32::try_from(BUCKETS).expect("a small number")).max(Duration::from_nanos(1));
        Self {
            begun: now,
            bucket,
            newest: 0,
            buckets: Default::default(),
            sum: Counts::default(),
            failed_in_a_row: 0,
        }
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool, now: Instant) {
        self.slide(now);
        let place = self.place();
        for counts in [&mut self.buckets[place], &mut self.sum] {
            counts.calls += 1;
            counts.failed += u64::from(failed);
            counts.slow += u64::from(slow);
        }
        self.failed_in_a_row = if failed {
            self.failed_in_a_row.saturating_add(1)
        } else {
            0
        };
    }

    pub(super) fn counts(&self) -> Counts {
        self.sum
    }

    /// Calls that failed since the last one that did not.
    pub(super) fn failed_in_a_row(&self) -> u32 {
        self.failed_in_a_row
    }

    /// Forgets what is too old.
    fn slide(&mut self, now: Instant) {
        let nanoseconds =
            |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // A call that was late for the lock counts where the clock has come to.
        let number =
            nanoseconds(now.saturating_duration_since(self.begun)) / nanoseconds(self.bucket);
        for _ in 0..number.saturating_sub(self.newest).min(BUCKETS as u64) {
            self.newest += 1;
            let place = self.place();
            let old = std::mem::take(&mut self.buckets[place]);
            self.sum.calls -= old.calls;
            self.sum.failed -= old.failed;
            self.sum.slow -= old.slow;
        }
        self.newest = self.newest.max(number);
    }

    fn place(&self) -> usize {
        usize::try_from(self.newest % BUCKETS as u64).expect("below ten")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(1);

    proptest! {
        /// Whatever came when: the sum is that of the buckets that the window covers.
        #[test]
        fn the_window_counts_exactly_what_it_covers(
            calls in prop::collection::vec((0_u64..400, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let begun = Instant::now();
            let mut window = Window::new(LENGTH, begun);
            let (mut at_ms, mut told) = (0, Vec::new());
            for (pause_ms, failed, slow) in calls {
                at_ms += pause_ms;
                window.record(failed, slow, begun + Duration::from_millis(at_ms));
                told.push((at_ms, failed, slow));
                let covered = |&&(then_ms, ..): &&(u64, bool, bool)| then_ms / 100 + 10 > at_ms / 100;
                let covered: Vec<_> = told.iter().filter(covered).collect();
                let count = |wanted: fn(&(u64, bool, bool)) -> bool| {
                    covered.iter().filter(|call| wanted(call)).count() as u64
                };
                let counts = Counts {
                    calls: covered.len() as u64,
                    failed: count(|call| call.1),
                    slow: count(|call| call.2),
                };
                prop_assert_eq!(window.counts(), counts);
                let in_a_row = told.iter().rev().take_while(|call| call.1).count();
                prop_assert_eq!(window.failed_in_a_row() as usize, in_a_row);
            }
        }
    }

    #[test]
    fn a_clock_that_steps_back_a_little_loses_nothing() {
        let begun = Instant::now();
        let mut window = Window::new(LENGTH, begun);
        window.record(true, false, begun + Duration::from_millis(500));
        window.record(true, false, begun + Duration::from_millis(100));
        assert_eq!(
            window.counts(),
            Counts {
                calls: 2,
                failed: 2,
                slow: 0
            }
        );
    }
}
