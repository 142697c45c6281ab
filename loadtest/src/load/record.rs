//! Counts and latencies of a run: of the whole, of each second, and of longer periods. Its size
//! does not grow with the number of requests.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::agenda::Released;
use crate::tally::{CallOutcome, ResponseCounts};

/// Latencies range from 1 us to this: a run drains for at most a minute, so no draw waits longer.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Latencies, measured from different moments.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub(crate) struct Latencies {
    /// From when a request was due to the end of its last attempt: how long its user waited.
    pub(crate) response_us: Histogram<u64>,
    /// The same for requests that ended with a draw.
    pub(crate) ok_us: Histogram<u64>,
    /// From when an attempt was sent to its response: what a closed loop would report.
    pub(crate) service_us: Histogram<u64>,
    /// From when a request was due to when the driver released it: the driver's own delay.
    pub(crate) lag_us: Histogram<u64>,
}

/// A histogram with `digits` significant digits: 100 KB with three, 20 with two.
pub(crate) fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, digits).expect("constants fit")
}

pub(crate) fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(LATENCY_US_MAX)
}

/// One second of a run, by when requests ended; arrivals by when they were due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Second {
    pub(crate) arrivals: u64,
    pub(crate) dropped: u64,
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    /// Attempts after an earlier one that failed.
    pub(crate) retries: u64,
    /// The largest number of jobs that waited for a connection.
    pub(crate) backlog: u64,
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

/// A part of a run, long enough for percentiles of its own.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    pub(crate) arrivals: u64,
    pub(crate) ok: u64,
    pub(crate) others: u64,
    pub(crate) response_us: Histogram<u64>,
}

impl Period {
    fn new() -> Self {
        Self {
            arrivals: 0,
            ok: 0,
            others: 0,
            response_us: histogram(2),
        }
    }
}

/// How one request ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) outcome: CallOutcome<'a>,
    pub(crate) due: Duration,
    pub(crate) at: Duration,
}

/// The record of a run.
#[derive(Debug)]
pub(crate) struct RunRecord {
    /// Requests due before this count in the seconds only.
    warmup: Duration,
    period_seconds: usize,
    pub(crate) latencies: Latencies,
    /// Of requests that were due after the warm-up.
    pub(crate) counts: ResponseCounts,
    pub(crate) arrivals: u64,
    pub(crate) dropped: u64,
    pub(crate) retries: u64,
    /// Of all requests.
    pub(crate) whole_run: ResponseCounts,
    pub(crate) whole_run_dropped: u64,
    pub(crate) seconds: Vec<Second>,
    pub(crate) periods: Vec<Period>,
    /// Of the second that has not ended yet.
    current_us: Histogram<u64>,
}

impl RunRecord {
    pub(crate) fn new(warmup: Duration, period_seconds: usize) -> Self {
        Self {
            warmup,
            period_seconds,
            latencies: Latencies {
                response_us: histogram(3),
                ok_us: histogram(3),
                service_us: histogram(3),
                lag_us: histogram(3),
            },
            counts: ResponseCounts::default(),
            arrivals: 0,
            dropped: 0,
            retries: 0,
            whole_run: ResponseCounts::default(),
            whole_run_dropped: 0,
            seconds: vec![Second::default()],
            periods: vec![Period::new()],
            current_us: histogram(2),
        }
    }

    /// Closes the seconds that have ended by `now`. The threads of a driver read the time at
    /// slightly different moments, so a closed second is never opened again.
    pub(crate) fn advance(&mut self, now: Duration) -> &mut Second {
        let wanted = usize::try_from(now.as_secs()).expect("runs are short") + 1;
        while self.seconds.len() < wanted {
            self.close_second();
            self.seconds.push(Second::default());
            if (self.seconds.len() - 1).is_multiple_of(self.period_seconds) {
                self.periods.push(Period::new());
            }
        }
        self.seconds.last_mut().expect("never empty")
    }

    fn close_second(&mut self) {
        let second = self.seconds.last_mut().expect("never empty");
        let period = self.periods.last_mut().expect("never empty");
        second.p50_us = self.current_us.value_at_quantile(0.5);
        second.p90_us = self.current_us.value_at_quantile(0.9);
        second.p99_us = self.current_us.value_at_quantile(0.99);
        second.max_us = self.current_us.max();
        period.arrivals += second.arrivals;
        period.ok += second.ok;
        period.others += second.refused + second.errors + second.dropped;
        period
            .response_us
            .add(&self.current_us)
            .expect("the same bounds");
        self.current_us.reset();
    }

    /// Ends the record.
    pub(crate) fn close(&mut self) {
        self.close_second();
    }

    /// Records an arrival.
    pub(crate) fn note_arrival(&mut self, due: Duration, now: Duration) {
        if due >= self.warmup {
            self.arrivals += 1;
            self.latencies
                .lag_us
                .saturating_record(us(now.saturating_sub(due)));
        }
    }

    /// Records the release of arrivals.
    pub(crate) fn note_released(&mut self, now: Duration, released: Released, backlog: usize) {
        let second = self.advance(now);
        second.arrivals += released.arrivals;
        second.backlog = second
            .backlog
            .max(u64::try_from(backlog).unwrap_or(u64::MAX));
        self.note_dropped(now, released.dropped);
    }

    /// Records arrivals that were never sent.
    pub(crate) fn note_dropped(&mut self, now: Duration, dropped: u64) {
        self.advance(now).dropped += dropped;
        self.whole_run_dropped += dropped;
        if now >= self.warmup {
            self.dropped += dropped;
        }
    }

    /// Records the end of an attempt, with or without a response.
    pub(crate) fn note_attempt(&mut self, due: Duration, took: Duration) {
        if due >= self.warmup {
            self.latencies.service_us.saturating_record(us(took));
        }
    }

    /// Records that another attempt follows.
    pub(crate) fn note_retry(&mut self, due: Duration, now: Duration) {
        self.advance(now).retries += 1;
        if due >= self.warmup {
            self.retries += 1;
        }
    }

    /// Records the end of a request. Requests without a response count with the time that their
    /// users waited. To leave them out would hide a server that does not respond.
    pub(crate) fn note_end(&mut self, Ended { outcome, due, at }: Ended<'_>) {
        let waited_us = us(at.saturating_sub(due));
        let second = self.advance(at);
        match outcome {
            CallOutcome::Ok | CallOutcome::Draws(_) => second.ok += 1,
            CallOutcome::Refused(_) => second.refused += 1,
            CallOutcome::Error(_) => second.errors += 1,
        }
        self.current_us.saturating_record(waited_us);
        self.whole_run.note(outcome);
        if due >= self.warmup {
            self.counts.note(outcome);
            self.latencies.response_us.saturating_record(waited_us);
            if matches!(outcome, CallOutcome::Ok | CallOutcome::Draws(_)) {
                self.latencies.ok_us.saturating_record(waited_us);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ended(outcome: CallOutcome<'_>, due_ms: u64, at_ms: u64) -> Ended<'_> {
        Ended {
            outcome,
            due: ms(due_ms),
            at: ms(at_ms),
        }
    }

    #[test]
    fn the_warm_up_is_in_the_seconds_and_not_in_the_figures() {
        let mut record = RunRecord::new(ms(1_000), 60);
        record.note_end(ended(CallOutcome::Ok, 500, 900));
        record.note_end(ended(CallOutcome::Ok, 1_500, 1_600));
        record.note_end(ended(CallOutcome::Refused("E1"), 1_500, 1_700));
        record.close();
        assert_eq!((record.counts.requests, record.whole_run.requests), (2, 3));
        assert_eq!(record.latencies.response_us.len(), 2);
        assert_eq!(record.latencies.ok_us.len(), 1);
        assert_eq!(
            record
                .seconds
                .iter()
                .map(|second| second.ok)
                .collect::<Vec<_>>(),
            [1, 1]
        );
        assert_eq!(record.seconds[1].refused, 1);
    }

    #[test]
    fn latency_counts_from_when_it_was_due_and_timeouts_count_too() {
        let mut record = RunRecord::new(Duration::ZERO, 60);
        record.note_end(ended(CallOutcome::Error("timeout"), 1_000, 9_000));
        record.close();
        assert_eq!(
            record.seconds.len(),
            10,
            "a second in which nothing ended is there"
        );
        let max = record.latencies.response_us.max();
        assert!((7_990_000..8_010_000).contains(&max), "{max}");
        let second = record.seconds[9];
        assert!(
            second.errors == 1 && second.p50_us > 7_900_000,
            "{second:?}"
        );
        assert_eq!(record.seconds[4], Second::default());
    }

    #[test]
    fn seconds_add_up_to_periods() {
        let mut record = RunRecord::new(Duration::ZERO, 2);
        for second in 0..5 {
            record.note_released(
                ms(second * 1_000),
                Released {
                    arrivals: 2,
                    waiting: 1,
                    dropped: 1,
                },
                1,
            );
            record.note_end(ended(CallOutcome::Ok, second * 1_000, second * 1_000 + 10));
        }
        record.close();
        let sums: Vec<_> = record
            .periods
            .iter()
            .map(|p| (p.arrivals, p.ok, p.others, p.response_us.len()))
            .collect();
        assert_eq!(sums, [(4, 2, 2, 2), (4, 2, 2, 2), (2, 1, 1, 1)]);
        assert_eq!((record.dropped, record.whole_run_dropped), (5, 5));
    }

    #[test]
    fn a_thread_that_is_late_does_not_reopen_a_second() {
        let mut record = RunRecord::new(Duration::ZERO, 60);
        record.advance(ms(2_100));
        record.note_end(ended(CallOutcome::Ok, 0, 1_999));
        assert_eq!((record.seconds.len(), record.seconds[2].ok), (3, 1));
    }
}
