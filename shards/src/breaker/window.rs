//! How the calls of the last seconds ended.
use std::time::Duration;

use tokio::time::Instant;

/// The parts of a window. It slides by one part at a time.
const BUCKETS: usize = 10;

/// Counts of calls in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CallCounts {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

/// The counts of the last calls: those of at most the whole length, and of at least nine tenths of
/// it.
#[derive(Debug)]
pub(super) struct CallWindow {
    begun: Instant,
    bucket: Duration,
    /// The number of the bucket that is being filled, from `begun` on.
    newest: u64,
    buckets: [CallCounts; BUCKETS],
    sum: CallCounts,
    failed_in_a_row: u32,
}

impl CallWindow {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let bucket =
            (length / u32::try_from(BUCKETS).expect("a small number")).max(Duration::from_nanos(1));
        Self {
            begun: now,
            bucket,
            newest: 0,
            buckets: Default::default(),
            sum: CallCounts::default(),
            failed_in_a_row: 0,
        }
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool, now: Instant) {
        self.slide(now);
        let index = self.index();
        for counts in [&mut self.buckets[index], &mut self.sum] {
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

    pub(super) fn counts(&self) -> CallCounts {
        self.sum
    }

    /// How many calls have failed since the last call that did not.
    pub(super) fn failed_in_a_row(&self) -> u32 {
        self.failed_in_a_row
    }

    /// Removes calls that are too old.
    fn slide(&mut self, now: Instant) {
        let nanoseconds =
            |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // A call that waited for the lock counts in the newest bucket.
        let number =
            nanoseconds(now.saturating_duration_since(self.begun)) / nanoseconds(self.bucket);
        for _ in 0..number.saturating_sub(self.newest).min(BUCKETS as u64) {
            self.newest += 1;
            let index = self.index();
            let old = std::mem::take(&mut self.buckets[index]);
            self.sum.calls -= old.calls;
            self.sum.failed -= old.failed;
            self.sum.slow -= old.slow;
        }
        self.newest = self.newest.max(number);
    }

    /// The index of the bucket that is being filled.
    fn index(&self) -> usize {
        usize::try_from(self.newest % BUCKETS as u64).expect("below ten")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(1);

    proptest! {
        /// The sum is that of the buckets that the window covers, whenever calls end.
        #[test]
        fn the_window_counts_exactly_what_it_covers(
            calls in prop::collection::vec((0_u64..400, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let begun = Instant::now();
            let mut window = CallWindow::new(LENGTH, begun);
            let (mut at_ms, mut ended) = (0, Vec::new());
            for (pause_ms, failed, slow) in calls {
                at_ms += pause_ms;
                window.record(failed, slow, begun + Duration::from_millis(at_ms));
                ended.push((at_ms, failed, slow));
                let covered = |&&(then_ms, ..): &&(u64, bool, bool)| then_ms / 100 + 10 > at_ms / 100;
                let covered: Vec<_> = ended.iter().filter(covered).collect();
                let count = |wanted: fn(&(u64, bool, bool)) -> bool| {
                    covered.iter().filter(|call| wanted(call)).count() as u64
                };
                let counts = CallCounts {
                    calls: covered.len() as u64,
                    failed: count(|call| call.1),
                    slow: count(|call| call.2),
                };
                prop_assert_eq!(window.counts(), counts);
                let in_a_row = ended.iter().rev().take_while(|call| call.1).count();
                prop_assert_eq!(window.failed_in_a_row() as usize, in_a_row);
            }
        }
    }

    #[test]
    fn a_clock_that_steps_back_a_little_loses_nothing() {
        let begun = Instant::now();
        let mut window = CallWindow::new(LENGTH, begun);
        window.record(true, false, begun + Duration::from_millis(500));
        window.record(true, false, begun + Duration::from_millis(100));
        assert_eq!(
            window.counts(),
            CallCounts {
                calls: 2,
                failed: 2,
                slow: 0
            }
        );
    }
}
