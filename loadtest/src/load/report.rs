//! The report of a run, for people and for programs.

use std::fmt;
use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cpu::Usage;
use crate::error::Error;
use crate::load::plan::LoadPlan;
use crate::load::record::Second;
use crate::load::run::Run;
use crate::rounding::round_to;
use crate::tally::ResponseCounts;

/// The settings of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) keyed: bool,
    pub(crate) profile: String,
    pub(crate) spacing: &'static str,
    pub(crate) users: u64,
    pub(crate) spread: String,
    pub(crate) connections: u16,
    pub(crate) threads: u16,
    pub(crate) timeout_ms: u64,
    pub(crate) retries_max: u8,
    pub(crate) backlog_max: u32,
    pub(crate) warmup_seconds: u64,
    pub(crate) seed: u64,
}

/// Percentiles of one histogram, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p99_9_ms: f64,
    pub(crate) p99_99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Percentiles {
    pub(crate) fn of(us: &Histogram<u64>) -> Self {
        let at = |quantile| ms(us.value_at_quantile(quantile));
        Self {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p99_9_ms: at(0.999),
            p99_99_ms: at(0.9999),
            max_ms: ms(us.max()),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "at most ten minutes in microseconds"
)]
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            p50_ms,
            p90_ms,
            p99_ms,
            p99_9_ms,
            p99_99_ms,
            max_ms,
        } = self;
        write!(
            f,
            "p50 {p50_ms:.3}  p90 {p90_ms:.3}  p99 {p99_ms:.3}  p99.9 {p99_9_ms:.3}  p99.99 {p99_99_ms:.3}  max \
             {max_ms:.3}"
        )
    }
}

/// The report of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LoadReport {
    #[serde(flatten)]
    pub(crate) about: About,
    /// From the end of the warm-up to the last response.
    pub(crate) seconds: f64,
    /// Requests that were due.
    pub(crate) arrivals: u64,
    /// Requests that were dropped because the backlog was full, or not sent before the drain ended.
    pub(crate) dropped: u64,
    /// Attempts after the first one.
    pub(crate) retries: u64,
    pub(crate) arrivals_per_second: f64,
    pub(crate) ok_per_second: f64,
    /// How requests ended, without the dropped ones.
    #[serde(flatten)]
    pub(crate) counts: ResponseCounts,
    /// From when a request was due to its end, retries and timeouts included.
    pub(crate) response: Percentiles,
    /// The same for requests that ended with a draw.
    pub(crate) response_ok: Percentiles,
    /// From when an attempt was sent to its end.
    pub(crate) service: Percentiles,
    /// From when a request was due to when the driver released it.
    pub(crate) driver_lag: Percentiles,
    /// Processor time of the driver itself, warm-up included.
    pub(crate) usage: Usage,
    /// All requests, warm-up included. An audit must find all of their draws.
    pub(crate) whole_run: ResponseCounts,
    pub(crate) whole_run_dropped: u64,
    /// The whole run, second by second.
    pub(crate) series: Vec<Second>,
}

impl LoadReport {
    pub(crate) fn new(plan: &LoadPlan, run: &Run) -> Self {
        let record = &run.record;
        let seconds = run
            .length
            .max(run.profile.length())
            .saturating_sub(plan.warmup())
            .as_secs_f64();
        let due_seconds = run
            .profile
            .length()
            .saturating_sub(plan.warmup())
            .as_secs_f64();
        Self {
            about: about(plan, run),
            seconds: round_to(seconds, 3),
            arrivals: record.arrivals,
            dropped: record.dropped,
            retries: record.retries,
            arrivals_per_second: per_second(record.arrivals, due_seconds),
            ok_per_second: per_second(record.counts.ok, seconds),
            counts: record.counts.clone(),
            response: Percentiles::of(&record.latencies.response_us),
            response_ok: Percentiles::of(&record.latencies.ok_us),
            service: Percentiles::of(&record.latencies.service_us),
            driver_lag: Percentiles::of(&record.latencies.lag_us),
            usage: run.usage.clone(),
            whole_run: record.whole_run.clone(),
            whole_run_dropped: record.whole_run_dropped,
            series: record.seconds.clone(),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |e| Error::io(path.display().to_string(), e);
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.into()))?;
        fs::write(path, text).map_err(failed)
    }
}

fn about(plan: &LoadPlan, run: &Run) -> About {
    About {
        target: plan.url.0.to_string(),
        path: plan.path.clone(),
        keyed: !plan.no_key,
        profile: run.profile.to_string(),
        spacing: plan.spacing.name(),
        users: plan.users,
        spread: plan.spread.to_string(),
        connections: plan.connections,
        threads: run.threads,
        timeout_ms: plan.timeout_ms,
        retries_max: plan.retries,
        backlog_max: plan.backlog,
        warmup_seconds: plan.warmup_seconds,
        seed: plan.seed,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn per_second(count: u64, seconds: f64) -> f64 {
    round_to(count as f64 / seconds, 1)
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About {
            target,
            path,
            profile,
            spacing,
            users,
            spread,
            connections,
            threads,
            ..
        } = &self.about;
        writeln!(f, "{profile} ({spacing}) to http://{target}{path}")?;
        writeln!(
            f,
            "{users} users ({spread}), {connections} connections, {threads} threads"
        )?;
        writeln!(
            f,
            "due       {:>10}  {:>10.0}/s",
            self.arrivals, self.arrivals_per_second
        )?;
        writeln!(
            f,
            "ok        {:>10}  {:>10.0}/s",
            self.counts.ok, self.ok_per_second
        )?;
        writeln!(f, "refused   {:>10}", self.counts.refused_total())?;
        for (code, count) in &self.counts.refused {
            writeln!(f, "  of them {count:>10}  {code}")?;
        }
        writeln!(f, "errors    {:>10}", self.counts.errors)?;
        for (kind, count) in &self.counts.error_kinds {
            writeln!(f, "  of them {count:>10}  {kind}")?;
        }
        writeln!(f, "dropped   {:>10}", self.dropped)?;
        writeln!(f, "retries   {:>10}", self.retries)?;
        writeln!(f, "ms, from when they were due:  {}", self.response)?;
        writeln!(f, "ms, of those with a draw:     {}", self.response_ok)?;
        writeln!(f, "ms, from when they were sent: {}", self.service)?;
        writeln!(f, "ms, the driver's own delay:   {}", self.driver_lag)?;
        write!(f, "{}", self.usage)
    }
}
