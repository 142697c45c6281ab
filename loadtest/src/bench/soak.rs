//! The soak: a cluster under steady load for a long time, to see whether anything grows.
//!
//! A closed loop finds the cluster's maximum. The open loop then sends a share of that for minutes,
//! while the memory of the gateways is read each second. At the end:
//!
//! * the last quarter must be like the second one (the first one is the warm-up);
//! * the shards must have the draws that users received;
//! * the gateway's own audit must hold.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, value_parser};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::audit::{AuditArgs, audit};
use crate::bench::cluster::{Cluster, Memory, Setup};
use crate::bench::driving::{drive_once, in_background, plan, share_of};
use crate::bench::files::{folder_of, require_files};
use crate::bench::interrupt::run_to_end;
use crate::bench::options::Effort;
use crate::bench::options::{ACTIVITY, Programs};
use crate::error::Error;
use crate::load::record::{Period, histogram};
use crate::load::report::ms;
use crate::load::{LoadPlan, LoadReport, Run, Spread, Watch, run};
use crate::request::RequestCase;
use crate::rounding::round_to;
use crate::target::Target;

/// The closed loop that finds the maximum.
const MAX_CONNECTIONS: u16 = 512;
const MAX_SECONDS: u64 = 10;

/// Draws that are read over HTTP at the end. In the shards all are looked up.
const ASKED_MAX: u64 = 10_000;

/// The length of the periods that make the rows of the table, and the quarters.
const MINUTE_SECONDS: u64 = 60;

/// How much the last quarter may differ from the second one. The noise of a shared machine is below
/// these bounds. Growth with the stored rows, or with time, is above them.
const P99_GROWTH_MAX: f64 = 1.5;
const P99_SLACK_MS: f64 = 5.0;
const OK_SHARE_MIN: f64 = 0.99;
const RSS_GROWTH_MAX: f64 = 1.10;
const RSS_SLACK_KIB: u64 = 16 * 1024;

#[derive(Clone, Debug, Args)]
pub(crate) struct SoakArgs {
    /// How many seconds to send draws.
    #[arg(long, default_value_t = 1_200, value_parser = value_parser!(u64).range(20..=7_200))]
    pub(crate) seconds: u64,
    /// The cluster's maximum of draws a second; measured first when it is not given.
    #[arg(long, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_rate: Option<u32>,
    /// The share of the maximum to send, in percent.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) percent: u32,
    /// Users to choose from.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) users: u64,
    /// How arrivals are spread over users: uniform, or zipf:EXPONENT.
    #[arg(long, default_value = "uniform")]
    pub(crate) spread: Spread,
    /// Connections of the open loop.
    #[arg(long, default_value_t = 512, value_parser = value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) shards: u16,
    /// Gateways; with several of them the load goes through nginx.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) gateways: u16,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Where to write the results; the same folder holds the data of the run until it ends.
    #[arg(long, default_value = "target/bench/soak.json")]
    pub(crate) out: PathBuf,
}

/// A minute, or the rest of one, or a part of a shorter run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Minute {
    part: usize,
    arrivals_per_second: f64,
    ok_per_second: f64,
    /// Refused, without an answer, or dropped.
    others: u64,
    p50_ms: f64,
    p99_ms: f64,
    /// The sum of all gateways; the largest of the minute.
    gateways_rss_kib: u64,
}

/// A quarter of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Quarter {
    /// Draws made, as a share of those due: the schedule decides the rate, and it is random.
    ok_share: f64,
    p99_ms: f64,
    gateways_rss_kib: u64,
}

/// One comparison of the last quarter with the second one. Two equally bad quarters do not pass:
/// nearly all draws that were due must have been made.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    second: f64,
    last: f64,
    /// The bound for the last quarter.
    bound: f64,
}

/// `soak.json`.
#[derive(Serialize)]
struct Results {
    max_per_second: Option<f64>,
    rate: u32,
    minutes: Vec<Minute>,
    quarters: Vec<Quarter>,
    checks: Vec<Check>,
    /// The memory of the gateways before the load.
    gateways_rss_kib_before: u64,
    received: crate::audit::AuditOutcome,
    report: LoadReport,
}

/// `loadtest soak`.
pub(crate) fn command(args: &SoakArgs) -> Result<(), Error> {
    run_to_end(soak(args))
}

async fn soak(args: &SoakArgs) -> Result<(), Error> {
    require_files([&args.programs.drawbridge, &args.programs.cluster])?;
    let folder = folder_of(&args.out)?;
    let setup = Setup {
        shards: args.shards,
        gateways: args.gateways,
        memory: Memory::Ample,
    };
    let cluster = Cluster::start(&args.programs, &folder, setup).await?;
    cluster.wait_drawing(ACTIVITY).await?;
    let before = rss_kib(&cluster);
    let max_per_second = match args.max_rate {
        Some(_) => None,
        None => Some(measure_max(&cluster).await?),
    };
    let rate = share_of(
        args.max_rate
            .map_or(max_per_second.unwrap_or_default(), f64::from),
        args.percent,
    );
    let kept = tempfile::Builder::new()
        .prefix("kept-")
        .tempfile_in(&folder)
        .map_err(|e| Error::io("a file", e))?;
    let plan = open_loop(args, &cluster, rate);
    eprintln!("{} s at {rate}/s", args.seconds);

    let watch = Watch {
        progress: false,
        period_seconds: period_seconds(args.seconds),
    };
    let (path, sent) = (kept.path().to_owned(), plan.clone());
    let running = in_background(move || run(&sent, Some(&path), watch));
    let (run, rss) = sample_until(running, &cluster).await;
    let run = run?;
    let report = LoadReport::new(&plan, &run);
    println!("{report}");

    let minutes = minutes(&run, &rss);
    let quarters = quarters(&run, args.seconds, &rss);
    let checks = checks(quarters[1], quarters[3]);
    print!("{}", table(&minutes, &checks));
    let received = compare_with_shards(kept.path(), &cluster).await?;
    println!("{received}");
    cluster.stop_gateway_and_audit().await?;
    println!("drawbridge audit: all holds");

    let outcome = received.judge();
    let flat = checks.iter().all(|check| check.ok);
    let results = Results {
        max_per_second,
        rate,
        minutes,
        quarters: quarters.to_vec(),
        checks,
        gateways_rss_kib_before: before,
        received,
        report,
    };
    write(&args.out, &results)?;
    outcome?;
    if flat {
        Ok(())
    } else {
        Err(Error::DoesNotHold(
            "the last quarter is not like the second".to_owned(),
        ))
    }
}

pub(super) async fn measure_max(cluster: &Cluster) -> Result<f64, Error> {
    let effort = Effort {
        seconds: MAX_SECONDS,
        threads: 1,
    };
    let plan = plan(
        effort,
        cluster.entrance(),
        RequestCase::Draw,
        MAX_CONNECTIONS,
    );
    let driven = drive_once(plan, &cluster.watched()).await?;
    Ok(driven.report.ok_per_second)
}

fn open_loop(args: &SoakArgs, cluster: &Cluster, rate: u32) -> LoadPlan {
    LoadPlan {
        url: Target(cluster.entrance()),
        rate,
        seconds: args.seconds,
        users: args.users,
        spread: args.spread,
        connections: args.connections,
        activity: ACTIVITY,
        ..LoadPlan::usual()
    }
}

/// Minutes, if there are enough of them for quarters; else quarters of the run.
fn period_seconds(seconds: u64) -> usize {
    usize::try_from((seconds / 4).clamp(1, MINUTE_SECONDS)).expect("at most 60")
}

/// Reads the gateways' memory each second until the run has ended.
async fn sample_until<T>(running: impl Future<Output = T>, cluster: &Cluster) -> (T, Vec<u64>) {
    let mut running = std::pin::pin!(running);
    let mut samples = Vec::new();
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            ended = &mut running => return (ended, samples),
            _ = seconds.tick() => samples.push(rss_kib(cluster)),
        }
    }
}

fn rss_kib(cluster: &Cluster) -> u64 {
    cluster
        .gateway_pids()
        .filter_map(|pid| parse_rss(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?))
        .sum()
}

/// The memory that a process has, in KiB, of its `status`.
pub(super) fn parse_rss(status: &str) -> Option<u64> {
    parse_kib(status, "VmRSS:")
}

/// The most memory that a process has had, in KiB, of its `status`.
pub(super) fn parse_peak(status: &str) -> Option<u64> {
    parse_kib(status, "VmHWM:")
}

/// A line such as `VmRSS:   123 kB`, which means KiB.
fn parse_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The largest sample of some seconds; 0 where there is none.
fn peak(rss: &[u64], from: usize, until: usize) -> u64 {
    rss.iter()
        .skip(from)
        .take(until - from)
        .max()
        .copied()
        .unwrap_or_default()
}

fn minutes(run: &Run, rss: &[u64]) -> Vec<Minute> {
    let seconds = usize::try_from(run.profile.length().as_secs()).expect("runs are short");
    let per_period = run.period_seconds;
    let whole = run
        .record
        .periods
        .iter()
        .enumerate()
        .take_while(|(number, _)| number * per_period < seconds);
    whole
        .map(|(number, period)| {
            let (from, until) = (
                number * per_period,
                ((number + 1) * per_period).min(seconds),
            );
            Minute {
                part: number + 1,
                arrivals_per_second: rate(period.arrivals, until - from),
                ok_per_second: rate(period.ok, until - from),
                others: period.others,
                p50_ms: ms(period.response_us.value_at_quantile(0.5)),
                p99_ms: ms(period.response_us.value_at_quantile(0.99)),
                gateways_rss_kib: peak(rss, from, until),
            }
        })
        .collect()
}

/// The periods of each quarter, merged. With fewer than four minutes a period is a quarter. Else a
/// period across two quarters belongs to the earlier one.
fn quarters(run: &Run, seconds: u64, rss: &[u64]) -> [Quarter; 4] {
    let seconds = usize::try_from(seconds).expect("runs are short");
    let bound = |quarter: usize| (seconds * quarter / 4).div_ceil(run.period_seconds);
    std::array::from_fn(|number| {
        let (from, until) = (bound(number), bound(number + 1));
        let periods: Vec<&Period> = run
            .record
            .periods
            .iter()
            .skip(from)
            .take(until - from)
            .collect();
        let mut response_us: Histogram<u64> = histogram(2);
        for period in &periods {
            response_us
                .add(&period.response_us)
                .expect("the same bounds");
        }
        let (from, until) = (
            from * run.period_seconds,
            (until * run.period_seconds).min(seconds),
        );
        Quarter {
            ok_share: share(
                periods.iter().map(|period| period.ok).sum(),
                periods.iter().map(|period| period.arrivals).sum(),
            ),
            p99_ms: ms(response_us.value_at_quantile(0.99)),
            gateways_rss_kib: peak(rss, from, until),
        }
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn rate(count: u64, seconds: usize) -> f64 {
    round_to(count as f64 / seconds.max(1) as f64, 1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn share(part: u64, whole: u64) -> f64 {
    round_to(part as f64 / whole.max(1) as f64, 4)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory in KiB is far below 2^52"
)]
fn checks(second: Quarter, last: Quarter) -> Vec<Check> {
    let p99_bound = second.p99_ms * P99_GROWTH_MAX + P99_SLACK_MS;
    let (second_rss, last_rss) = (second.gateways_rss_kib as f64, last.gateways_rss_kib as f64);
    let rss_bound = second_rss * RSS_GROWTH_MAX + RSS_SLACK_KIB as f64;
    let check = |name, ok, second, last, bound| Check {
        name,
        ok,
        second,
        last,
        bound: round_to(bound, 3),
    };
    vec![
        check(
            "p99_ms",
            last.p99_ms <= p99_bound,
            second.p99_ms,
            last.p99_ms,
            p99_bound,
        ),
        check(
            "ok_share",
            second.ok_share.min(last.ok_share) >= OK_SHARE_MIN,
            second.ok_share,
            last.ok_share,
            OK_SHARE_MIN,
        ),
        check(
            "gateways_rss_kib",
            last_rss <= rss_bound,
            second_rss,
            last_rss,
            rss_bound,
        ),
    ]
}

fn table(minutes: &[Minute], checks: &[Check]) -> String {
    // Writing to a String cannot fail.
    let mut text = format!(
        "{:>7}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}\n",
        "part", "due/s", "ok/s", "others", "p50 ms", "p99 ms", "RSS MiB"
    );
    for row in minutes {
        let _ = writeln!(
            text,
            "{:>7}{:>10.0}{:>10.0}{:>9}{:>10.1}{:>10.1}{:>10}",
            row.part,
            row.arrivals_per_second,
            row.ok_per_second,
            row.others,
            row.p50_ms,
            row.p99_ms,
            row.gateways_rss_kib / 1024
        );
    }
    for Check {
        name,
        ok,
        second,
        last,
        bound,
    } in checks
    {
        let verdict = if *ok { "flat" } else { "NOT FLAT" };
        let _ = writeln!(
            text,
            "{name}: second quarter {second:.2}, last {last:.2}, bound {bound:.2}: {verdict}"
        );
    }
    text
}

async fn compare_with_shards(
    kept: &Path,
    cluster: &Cluster,
) -> Result<crate::audit::AuditOutcome, Error> {
    audit(&AuditArgs {
        file: kept.to_owned(),
        cluster: Some(cluster.map_path().to_owned()),
        data: None,
        url: Some(Target(cluster.entrance())),
        sample: Some(ASKED_MAX),
        seed: 1,
        connections: 16,
        json: false,
    })
    .await
}

fn write(path: &Path, results: &Results) -> Result<(), Error> {
    let failed = |e| Error::io(path.display().to_string(), e);
    let text = serde_json::to_string_pretty(results).map_err(|e| failed(e.into()))?;
    fs::write(path, text).map_err(failed)?;
    println!("written to {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: Quarter = Quarter {
        ok_share: 1.0,
        p99_ms: 20.0,
        gateways_rss_kib: 100 * 1024,
    };

    fn verdicts(last: Quarter) -> Vec<bool> {
        checks(QUARTER, last).iter().map(|check| check.ok).collect()
    }

    #[test]
    fn each_check_holds_at_its_bound_and_fails_beyond() {
        assert_eq!(verdicts(QUARTER), [true, true, true]);
        let at = Quarter {
            ok_share: 0.99,
            p99_ms: 35.0,
            gateways_rss_kib: 126 * 1024,
        };
        assert_eq!(verdicts(at), [true, true, true]);
        let bad = Quarter {
            ok_share: 0.7,
            ..QUARTER
        };
        assert!(!checks(bad, bad)[1].ok, "equally bad is not flat");
        assert_eq!(
            verdicts(Quarter {
                p99_ms: 35.1,
                ..QUARTER
            }),
            [false, true, true]
        );
        assert_eq!(
            verdicts(Quarter {
                ok_share: 0.989,
                ..QUARTER
            }),
            [true, false, true]
        );
        assert_eq!(
            verdicts(Quarter {
                gateways_rss_kib: 127 * 1024,
                ..QUARTER
            }),
            [true, true, false]
        );
    }

    #[test]
    fn memory_is_read_from_what_the_kernel_says() {
        assert_eq!(
            parse_rss("Name:\tx\nVmRSS:\t  123456 kB\nThreads:\t1\n"),
            Some(123_456)
        );
        assert_eq!(parse_rss("Name:\tx\n"), None);
        assert_eq!(parse_peak("VmHWM:\t  7 kB\nVmRSS:\t 5 kB\n"), Some(7));
    }

    #[test]
    fn short_runs_have_quarters_too() {
        assert_eq!([20, 60, 240, 1_200].map(period_seconds), [5, 15, 60, 60]);
    }

    #[test]
    fn a_peak_is_that_of_its_seconds() {
        let rss = [1, 9, 2, 3, 8];
        assert_eq!(
            (
                peak(&rss, 0, 2),
                peak(&rss, 2, 4),
                peak(&rss, 4, 9),
                peak(&rss, 9, 12)
            ),
            (9, 3, 8, 0)
        );
    }

    #[test]
    fn the_table_says_what_is_not_flat() {
        let text = table(
            &[],
            &checks(
                QUARTER,
                Quarter {
                    p99_ms: 99.0,
                    ..QUARTER
                },
            ),
        );
        assert!(
            text.contains("p99_ms: second quarter 20.00, last 99.00, bound 35.00: NOT FLAT"),
            "{text}"
        );
        assert_eq!(text.matches(": flat").count(), 2);
    }
}
