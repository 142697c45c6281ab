//! A file of results, chunk by chunk, as fast as its reader takes it and no faster than it may be.
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shards::results::{ResultKind, Results, ResultsError, ResultsPage};
use tokio::time::{Instant, sleep_until};

use super::sheet::Sheet;

/// How many calls are read in a second at most, whether they are wanted or not.
pub type RowsPerSecond = NonZeroU32;

/// How far an export is.
#[derive(Debug, Default)]
pub struct ExportProgress {
    calls: AtomicU64,
    rows: AtomicU64,
}

impl ExportProgress {
    /// Calls that were read, wanted or not.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Rows that were written.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, calls: usize, rows: usize) {
        self.calls.fetch_add(calls as u64, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

/// A file that is being written.
pub struct Export<'a> {
    results: Results<'a>,
    kind: ResultKind,
    sheet: Sheet,
    pace: Option<Pace>,
    progress: &'a ExportProgress,
    has_head: bool,
}

impl<'a> Export<'a> {
    /// The file of these results.
    pub fn new(
        results: Results<'a>,
        kind: ResultKind,
        sheet: Sheet,
        rate: Option<RowsPerSecond>,
        progress: &'a ExportProgress,
    ) -> Self {
        Self {
            results,
            kind,
            sheet,
            pace: rate.map(Pace::new),
            progress,
            has_head: false,
        }
    }

    /// The next lines; `None` behind the last.
    pub async fn next(&mut self) -> Result<Option<String>, ResultsError> {
        if !self.has_head {
            self.has_head = true;
            let head = self.sheet.head(self.kind);
            if !head.is_empty() {
                return Ok(Some(head));
            }
        }
        while let Some(page) = self.results.next().await? {
            if let Some(pace) = &mut self.pace {
                sleep_until(pace.due(Instant::now(), page.calls)).await;
            }
            let lines = self.lines(&page);
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
        Ok(None)
    }

    fn lines(&self, page: &ResultsPage) -> String {
        // Lines are about so long.
        let others = page.recharges.len() + page.entries.len();
        let mut lines = String::with_capacity(320 * (page.orders.len() + others));
        let mut rows = others;
        for order in &page.orders {
            let campaign = self.results.campaign(order.version);
            rows += usize::from(self.sheet.add_draw(&mut lines, order, campaign));
        }
        for order in &page.recharges {
            self.sheet.add_recharge(&mut lines, order);
        }
        for entry in &page.entries {
            self.sheet.add_entry(&mut lines, entry);
        }
        self.progress.add(page.calls, rows);
        lines
    }
}

/// Spreads calls over time. Time in which none were wanted is not made up for.
struct Pace {
    per_second: RowsPerSecond,
    due: Instant,
}

impl Pace {
    fn new(per_second: RowsPerSecond) -> Self {
        Self {
            per_second,
            due: Instant::now(),
        }
    }

    /// When these calls may have been read, if it is now.
    fn due(&mut self, now: Instant, calls: usize) -> Instant {
        let nanos = calls as u64 * 1_000_000_000 / u64::from(self.per_second.get());
        self.due = self.due.max(now) + Duration::from_nanos(nanos);
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_and_lost_time_is_not_made_up_for() {
        let mut pace = Pace::new(NonZeroU32::new(100).expect("not zero"));
        let begun = pace.due;
        for fifth in 1..=5 {
            let due = begun + Duration::from_millis(200 * fifth);
            assert_eq!(pace.due(begun, 20), due);
        }
        let later = begun + Duration::from_secs(10);
        let due = later + Duration::from_secs(1);
        assert_eq!(pace.due(later, 100), due);
    }
}
