//! Lines of the log that were lost: counted at once, and logged when lines are written again.
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Counts lost lines.
#[derive(Debug)]
pub(super) struct LostLines {
    all: IntCounterVec,
    full: IntCounter,
    failed: IntCounter,
    /// What lines of the log have said already.
    reported: AtomicU64,
}

/// What a line of the log says of lost ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LostCount {
    /// Since the last such line.
    pub(super) lost: u64,
    /// Since the start.
    pub(super) in_all: u64,
}

impl LostLines {
    pub(super) fn new() -> Self {
        let lost = Opts::new(
            "drawbridge_log_lines_lost_total",
            "Lines of the log that were lost",
        );
        let all = IntCounterVec::new(lost, &["reason"]).expect("a good name");
        let [full, failed] = ["full", "failed"].map(|reason| all.with_label_values(&[reason]));
        Self {
            all,
            full,
            failed,
            reported: AtomicU64::new(0),
        }
    }

    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.all.clone()))
    }

    /// The queue had no room for a line.
    pub(super) fn count_full(&self) {
        self.full.inc();
    }

    /// These lines could not be written.
    pub(super) fn count_failed(&self, lines: u64) {
        self.failed.inc_by(lines);
    }

    /// How many were lost and not yet reported. The caller reports them.
    pub(super) fn unreported(&self) -> Option<LostCount> {
        let in_all = self.full.get() + self.failed.get();
        // A count may be older than the one that another thread reports just now.
        let reported = self.reported.fetch_max(in_all, Ordering::Relaxed);
        let lost = in_all.saturating_sub(reported);
        (lost > 0).then_some(LostCount { lost, in_all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_lines_are_told_of_once() {
        let lost = LostLines::new();
        assert_eq!(lost.unreported(), None);
        lost.count_full();
        lost.count_failed(2);
        assert_eq!(lost.unreported(), Some(LostCount { lost: 3, in_all: 3 }));
        assert_eq!(lost.unreported(), None);
        lost.count_full();
        assert_eq!(lost.unreported(), Some(LostCount { lost: 1, in_all: 4 }));
    }
}
