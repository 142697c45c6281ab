//! Counts responses, and makes the report of the counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::mix::CallKind;

/// Latencies are kept in microseconds from 1 to this, with three digits. The largest real one is
/// the timeout of 10 s.
const LATENCY_US_MAX: u64 = 60_000_000;

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallOutcome<'a> {
    /// A response with code `0000`.
    Ok,
    /// The same, with this many draws in one response.
    Draws(u64),
    /// A response with this other code.
    Refused(&'a str),
    /// No response, for this kind of reason.
    Error(&'static str),
}

/// Requests by outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ResponseCounts {
    /// All requests: the sum of `ok`, `refused` and `errors`.
    pub(crate) requests: u64,
    pub(crate) ok: u64,
    /// Draws in the responses with `0000`: one each, or those of a call for several.
    pub(crate) draws: u64,
    /// By code.
    pub(crate) refused: BTreeMap<String, u64>,
    /// All errors.
    pub(crate) errors: u64,
    /// The same by kind.
    pub(crate) error_kinds: BTreeMap<String, u64>,
}

impl ResponseCounts {
    pub(crate) fn note(&mut self, outcome: CallOutcome<'_>) {
        self.requests += 1;
        match outcome {
            CallOutcome::Ok => {
                self.ok += 1;
                self.draws += 1;
            }
            CallOutcome::Draws(draws) => {
                self.ok += 1;
                self.draws += draws;
            }
            CallOutcome::Refused(code) => add(&mut self.refused, code, 1),
            CallOutcome::Error(kind) => {
                self.errors += 1;
                add(&mut self.error_kinds, kind, 1);
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.ok += other.ok;
        self.draws += other.draws;
        self.errors += other.errors;
        for (code, count) in &other.refused {
            add(&mut self.refused, code, *count);
        }
        for (kind, count) in &other.error_kinds {
            add(&mut self.error_kinds, kind, *count);
        }
    }

    pub(crate) fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// Looks up before it makes a `String`: nearly always the name is there.
fn add(map: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match map.get_mut(name) {
        Some(sum) => *sum += count,
        None => {
            map.insert(name.to_owned(), count);
        }
    }
}

/// Requests by their kind.
#[derive(Clone, Debug, Default)]
struct ByKind([ResponseCounts; CallKind::ALL.len()]);

impl ByKind {
    fn merge(&mut self, other: &Self) {
        for (counts, more) in self.0.iter_mut().zip(&other.0) {
            counts.merge(more);
        }
    }

    fn sum(&self) -> ResponseCounts {
        let mut sum = ResponseCounts::default();
        for counts in &self.0 {
            sum.merge(counts);
        }
        sum
    }

    /// Those that there were, by name.
    fn named(&self) -> BTreeMap<&'static str, ResponseCounts> {
        let all = CallKind::ALL.into_iter().zip(&self.0);
        all.filter(|(_, counts)| counts.requests > 0)
            .map(|(kind, counts)| (kind.name(), counts.clone()))
            .collect()
    }
}

/// The counts of all connections of one thread. They share it: a histogram is 100 KB, and 512 of
/// them would push the server out of the processor's cache.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Requests that ended during the measurement.
    window: ByKind,
    /// Those of the warm-up, and those in flight when the measurement ended.
    around: ByKind,
    latency_us: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constants fit");
        Self {
            window: ByKind::default(),
            around: ByKind::default(),
            latency_us,
        }
    }

    /// Notes a request. The latency counts if there was a response, refusals included.
    pub(crate) fn note(
        &mut self,
        measured: bool,
        kind: CallKind,
        outcome: CallOutcome<'_>,
        latency: Duration,
    ) {
        if !measured {
            self.around.0[kind.index()].note(outcome);
            return;
        }
        self.window.0[kind.index()].note(outcome);
        if !matches!(outcome, CallOutcome::Error(_)) {
            let us = u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX);
            self.latency_us.saturating_record(us);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.window.merge(&other.window);
        self.around.merge(&other.around);
        self.latency_us
            .add(&other.latency_us)
            .expect("all histograms have the same bounds");
    }

    pub(crate) fn report(&self, about: About) -> DriveReport {
        let seconds = about.seconds;
        let window = self.window.sum();
        let mut whole_run = self.window.clone();
        whole_run.merge(&self.around);
        DriveReport {
            about,
            requests_per_second: per_second(window.requests, seconds),
            ok_per_second: per_second(window.ok, seconds),
            draws_per_second: per_second(window.draws, seconds),
            p50_ms: self.quantile_ms(0.5),
            p90_ms: self.quantile_ms(0.9),
            p99_ms: self.quantile_ms(0.99),
            p99_9_ms: self.quantile_ms(0.999),
            max_ms: ms(self.latency_us.max()),
            window,
            kinds: self.window.named(),
            whole_run: whole_run.sum(),
        }
    }

    fn quantile_ms(&self, quantile: f64) -> f64 {
        ms(self.latency_us.value_at_quantile(quantile))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn per_second(count: u64, seconds: u64) -> f64 {
    count as f64 / seconds as f64
}

#[expect(clippy::cast_precision_loss, reason = "at most 60 s in microseconds")]
fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// The settings of a drive.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    pub(crate) case: &'static str,
    pub(crate) target: String,
    pub(crate) connections: u16,
    pub(crate) threads: u16,
    pub(crate) users: u64,
    pub(crate) seed: u64,
    pub(crate) warmup_seconds: u64,
    pub(crate) seconds: u64,
}

/// The report of one drive.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DriveReport {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) requests_per_second: f64,
    pub(crate) ok_per_second: f64,
    pub(crate) draws_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p99_9_ms: f64,
    pub(crate) max_ms: f64,
    /// Requests that ended within the measured seconds. The rates are made of these.
    #[serde(flatten)]
    pub(crate) window: ResponseCounts,
    /// The same by kind of call.
    pub(crate) kinds: BTreeMap<&'static str, ResponseCounts>,
    /// All requests, warm-up included. An audit of the server must find all of their draws.
    pub(crate) whole_run: ResponseCounts,
}

impl DriveReport {
    /// Successes a second of these kinds of calls.
    pub(crate) fn ok_per_second_of(&self, wanted: impl Fn(CallKind) -> bool) -> f64 {
        let kinds = CallKind::ALL.into_iter().filter(|kind| wanted(*kind));
        let counts = kinds.filter_map(|kind| self.kinds.get(kind.name()));
        per_second(counts.map(|counts| counts.ok).sum(), self.about.seconds)
    }

    /// Which requests of the measured seconds had no success, and why; `None` when all had one.
    pub(crate) fn failures(&self) -> Option<String> {
        let mut failures = Vec::new();
        for (kind, counts) in &self.kinds {
            for (why, count) in counts.refused.iter().chain(&counts.error_kinds) {
                failures.push(format!("{count} {kind} {why}"));
            }
        }
        (!failures.is_empty()).then(|| failures.join(", "))
    }
}

impl fmt::Display for DriveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About {
            case,
            target,
            connections,
            threads,
            users,
            seed,
            warmup_seconds,
            seconds,
        } = &self.about;
        writeln!(
            f,
            "{case} at {target}: {connections} connections, {threads} threads"
        )?;
        writeln!(
            f,
            "{users} users, seed {seed}, {seconds} s after {warmup_seconds} s of warm-up"
        )?;
        writeln!(
            f,
            "requests  {:>10}  {:>10.0}/s",
            self.window.requests, self.requests_per_second
        )?;
        writeln!(
            f,
            "ok        {:>10}  {:>10.0}/s",
            self.window.ok, self.ok_per_second
        )?;
        if self.window.draws != self.window.ok {
            writeln!(
                f,
                "draws     {:>10}  {:>10.0}/s",
                self.window.draws, self.draws_per_second
            )?;
        }
        if self.kinds.len() > 1 {
            for (kind, counts) in &self.kinds {
                let (ok, others) = (counts.ok, counts.requests - counts.ok);
                let rate = per_second(ok, *seconds);
                writeln!(
                    f,
                    "  {kind:<16}{ok:>10}  {rate:>8.0}/s, {others} without success"
                )?;
            }
        }
        writeln!(f, "refused   {:>10}", self.window.refused_total())?;
        for (code, count) in &self.window.refused {
            writeln!(f, "  of them {count:>10}  {code}")?;
        }
        writeln!(f, "errors    {:>10}", self.window.errors)?;
        for (kind, count) in &self.window.error_kinds {
            writeln!(f, "  of them {count:>10}  {kind}")?;
        }
        write!(
            f,
            "ms        p50 {:.3}  p90 {:.3}  p99 {:.3}  p99.9 {:.3}  max {:.3}",
            self.p50_ms, self.p90_ms, self.p99_ms, self.p99_9_ms, self.max_ms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            case: "draw",
            target: "127.0.0.1:1".to_owned(),
            connections: 1,
            threads: 1,
            users: 1,
            seed: 1,
            warmup_seconds: 0,
            seconds: 2,
        }
    }

    #[test]
    fn tallies_merge_and_sums_agree() {
        let mut first = Tally::new();
        first.note(
            true,
            CallKind::Draw,
            CallOutcome::Ok,
            Duration::from_millis(1),
        );
        first.note(
            true,
            CallKind::Draw,
            CallOutcome::Refused("E1"),
            Duration::from_millis(3),
        );
        first.note(
            false,
            CallKind::Draw,
            CallOutcome::Ok,
            Duration::from_secs(5),
        );
        let mut second = Tally::new();
        second.note(
            true,
            CallKind::Draw,
            CallOutcome::Error("timeout"),
            Duration::from_secs(10),
        );
        second.note(
            true,
            CallKind::Draw,
            CallOutcome::Refused("E1"),
            Duration::from_millis(3),
        );
        second.note(
            false,
            CallKind::Draw,
            CallOutcome::Draws(10),
            Duration::from_millis(3),
        );
        first.merge(&second);

        let report = first.report(about());
        assert_eq!(report.window.requests, 4);
        assert_eq!(
            (
                report.whole_run.requests,
                report.whole_run.ok,
                report.whole_run.draws
            ),
            (6, 3, 12)
        );
        assert_eq!((report.window.ok, report.window.errors), (1, 1));
        assert_eq!(report.window.refused["E1"], 2);
        assert!((report.requests_per_second - 2.0).abs() < f64::EPSILON);
        // Neither the warm-up nor the timeout counts as a latency.
        assert!(report.max_ms < 3.1, "{}", report.max_ms);
    }

    #[test]
    fn kinds_are_counted_apart_and_what_failed_is_named() {
        let mut tally = Tally::new();
        let ms = Duration::from_millis(1);
        tally.note(true, CallKind::Draw, CallOutcome::Ok, ms);
        tally.note(true, CallKind::Exchange, CallOutcome::Draws(0), ms);
        tally.note(true, CallKind::Account, CallOutcome::Draws(0), ms);
        let report = tally.report(about());
        assert_eq!(report.failures(), None);
        assert!((report.ok_per_second_of(CallKind::is_command) - 1.0).abs() < f64::EPSILON);
        assert_eq!((report.window.ok, report.window.draws), (3, 1));

        let refused = CallOutcome::Refused("ERR_CREDIT_001");
        tally.note(true, CallKind::Exchange, refused, ms);
        tally.note(true, CallKind::Draw, CallOutcome::Error("timeout"), ms);
        let report = tally.report(about());
        let failures = report.failures().expect("two");
        assert_eq!(failures, "1 draw timeout, 1 exchange ERR_CREDIT_001");
        let text = report.to_string();
        assert!(text.contains("exchange                 1"), "{text}");
    }

    #[test]
    fn the_report_is_one_flat_document() {
        let json = serde_json::to_value(Tally::new().report(about())).expect("JSON");
        for name in [
            "connections",
            "requests",
            "ok",
            "refused",
            "errors",
            "p99_9_ms",
        ] {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["whole_run"]["requests"], 0);
    }
}
