//! The audit during draws: a cluster with millions of orders is audited while users draw at a share
//! of its maximum. No draw may be refused. The audit must end in time and find nothing, and its
//! memory must not grow after its first quarter.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use serde::Serialize;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use crate::bench::cluster::{Cluster, Memory, Setup};
use crate::bench::driving::{in_background, share_of};
use crate::bench::files::{folder_of, require_files};
use crate::bench::filled::Filled;
use crate::bench::interrupt::run_to_end;
use crate::bench::options::{ACTIVITY, Programs};
use crate::bench::process;
use crate::bench::soak::{measure_max, parse_rss};
use crate::error::Error;
use crate::load::record::histogram;
use crate::load::report::ms;
use crate::load::{LoadPlan, Spread, Watch, run};
use crate::target::Target;

/// The length of a round of draws. Rounds follow each other until the audit ends.
const ROUND_SECONDS: u64 = 20;

/// How much the audit's memory may grow after its first quarter, besides a tenth.
const RSS_SLACK_KIB: u64 = 16 * 1024;

#[derive(Clone, Debug, Args)]
pub(crate) struct AuditLoadArgs {
    /// Orders to write before the audit.
    #[arg(long, default_value_t = 10_000_000, value_parser = value_parser!(u64).range(10_000..=100_000_000))]
    pub(crate) orders: u64,
    /// The cluster's maximum of draws a second; measured first when it is not given.
    #[arg(long, value_parser = value_parser!(u32).range(2..=1_000_000))]
    pub(crate) max_rate: Option<u32>,
    /// The share of the maximum to send during the audit, in percent.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) percent: u32,
    /// How many minutes the audit may take.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=120))]
    pub(crate) minutes: u64,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) shards: u16,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Where to write the results; the same folder holds the data of the run until it ends.
    #[arg(long, default_value = "target/bench/audit-load.json")]
    pub(crate) out: PathBuf,
}

/// `audit-load.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Results {
    orders: u64,
    fill_seconds: f64,
    max_per_second: Option<f64>,
    rate: u32,
    audit_seconds: f64,
    /// The audit's largest memory in its first quarter, and after it.
    rss_kib_first: u64,
    rss_kib_later: u64,
    drawn: Drawn,
}

/// How the draws ended meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Drawn {
    arrivals: u64,
    ok: u64,
    /// Refused, without an answer, or dropped.
    others: u64,
    p50_ms: f64,
    p99_ms: f64,
}

/// `loadtest audit-load`.
pub(crate) fn command(args: &AuditLoadArgs) -> Result<(), Error> {
    run_to_end(audit_load(args))
}

async fn audit_load(args: &AuditLoadArgs) -> Result<(), Error> {
    require_files([&args.programs.drawbridge, &args.programs.cluster])?;
    let folder = folder_of(&args.out)?;
    let setup = Setup {
        shards: args.shards,
        gateways: 1,
        memory: Memory::Ample,
    };
    let cluster = Cluster::start(&args.programs, &folder, setup).await?;
    let filled = Filled {
        orders: args.orders,
        shards: args.shards,
    };
    let began = Instant::now();
    filled.write(&cluster, &folder).await?;
    let fill_seconds = began.elapsed().as_secs_f64();
    eprintln!("{} orders written in {fill_seconds:.0} s", args.orders);
    cluster.wait_drawing(ACTIVITY).await?;
    let max_per_second = match args.max_rate {
        Some(_) => None,
        None => Some(measure_max(&cluster).await?),
    };
    let rate = share_of(
        args.max_rate
            .map_or(max_per_second.unwrap_or_default(), f64::from),
        args.percent,
    );
    eprintln!("auditing beside {rate} draws a second");

    let (stop, stopped) = watch::channel(false);
    let drawing = draw_until(stopped, open_loop(&cluster, rate));
    let auditing = async {
        let audited = audit(&cluster, args).await;
        stop.send_replace(true);
        audited
    };
    let (audited, drawn) = tokio::join!(auditing, drawing);
    let (audit_seconds, rss) = audited?;
    let (rss_kib_first, rss_kib_later) = peaks(&rss);
    let results = Results {
        orders: args.orders,
        fill_seconds,
        max_per_second,
        rate,
        audit_seconds,
        rss_kib_first,
        rss_kib_later,
        drawn: drawn?,
    };
    let failed = |e| Error::io(args.out.display().to_string(), e);
    let text = serde_json::to_string_pretty(&results).map_err(|e| failed(e.into()))?;
    std::fs::write(&args.out, &text).map_err(failed)?;
    println!("{text}\nwritten to {}", args.out.display());
    results.judge()
}

impl Results {
    fn judge(&self) -> Result<(), Error> {
        let mut faults = Vec::new();
        if self.drawn.others > 0 {
            faults.push(format!(
                "{} of {} draws were not made",
                self.drawn.others, self.drawn.arrivals
            ));
        }
        if self.rss_kib_later > self.rss_kib_first + self.rss_kib_first / 10 + RSS_SLACK_KIB {
            faults.push(format!(
                "the audit grew from {} to {} KiB",
                self.rss_kib_first, self.rss_kib_later
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::DoesNotHold(faults.join("; ")))
        }
    }
}

fn open_loop(cluster: &Cluster, rate: u32) -> LoadPlan {
    LoadPlan {
        url: Target(cluster.entrance()),
        rate,
        seconds: ROUND_SECONDS,
        users: 1_000_000,
        spread: Spread::Uniform,
        connections: 256,
        activity: ACTIVITY,
        ..LoadPlan::usual()
    }
}

/// Sends draws, round by round, until `stopped`. Returns the sum of the rounds.
async fn draw_until(stopped: watch::Receiver<bool>, plan: LoadPlan) -> Result<Drawn, Error> {
    let (mut drawn, mut response_us) = (Drawn::default(), histogram(2));
    let mut seed = plan.seed;
    while !*stopped.borrow() {
        seed += 1;
        let round = LoadPlan {
            seed,
            ..plan.clone()
        };
        let watch = Watch {
            progress: false,
            period_seconds: usize::try_from(ROUND_SECONDS).expect("few"),
        };
        let run = in_background(move || run(&round, None, watch)).await?;
        for period in &run.record.periods {
            drawn.arrivals += period.arrivals;
            drawn.ok += period.ok;
            drawn.others += period.others;
            response_us
                .add(&period.response_us)
                .expect("the same bounds");
        }
    }
    let quantile = |share| ms(response_us.value_at_quantile(share));
    Ok(Drawn {
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        ..drawn
    })
}

/// Audits. Returns how long that took, and the audit's memory at each second.
async fn audit(cluster: &Cluster, args: &AuditLoadArgs) -> Result<(f64, Vec<u64>), Error> {
    let began = Instant::now();
    let mut audit: Command = cluster.command(&["audit", "--json"]);
    let failed = |e| Error::io("drawbridge audit", e);
    let child = audit
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let pid = child
        .id()
        .ok_or_else(|| Error::CannotRun("the audit ended at once".to_owned()))?;
    let mut ended = std::pin::pin!(timeout(
        Duration::from_mins(args.minutes),
        child.wait_with_output()
    ));
    let (mut rss, mut seconds) = (Vec::new(), interval(Duration::from_secs(1)));
    let output = loop {
        tokio::select! {
            output = &mut ended => break output,
            _ = seconds.tick() => {
                rss.extend(std::fs::read_to_string(format!("/proc/{pid}/status")).ok().and_then(|text| parse_rss(&text)));
            }
        }
    };
    let late = |_| {
        Error::DoesNotHold(format!(
            "the audit took longer than {} minutes",
            args.minutes
        ))
    };
    let output = output.map_err(late)?.map_err(failed)?;
    if output.status.success() {
        return Ok((began.elapsed().as_secs_f64(), rss));
    }
    let (said, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Err(Error::DoesNotHold(format!(
        "audit: {}\n{}",
        output.status,
        process::last_lines(&format!("{said}{complaint}"))
    )))
}

/// The largest sample of the first quarter, and of the rest.
fn peaks(rss: &[u64]) -> (u64, u64) {
    let (first, later) = rss.split_at(rss.len().div_ceil(4));
    let peak = |samples: &[u64]| samples.iter().max().copied().unwrap_or_default();
    (peak(first), peak(later))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_and_draws_that_are_refused_are_found() {
        assert_eq!(peaks(&[5, 9, 3, 4, 8, 7, 2, 1]), (9, 8));
        let drawn = Drawn {
            arrivals: 9,
            ok: 9,
            ..Drawn::default()
        };
        let sound = Results {
            orders: 10,
            fill_seconds: 1.0,
            max_per_second: None,
            rate: 1,
            audit_seconds: 1.0,
            rss_kib_first: 20_000,
            rss_kib_later: 22_000 + RSS_SLACK_KIB,
            drawn,
        };
        assert!(sound.judge().is_ok());
        assert!(
            Results {
                rss_kib_later: sound.rss_kib_later + 1,
                ..sound.clone()
            }
            .judge()
            .is_err()
        );
        assert!(
            Results {
                drawn: Drawn { others: 1, ..drawn },
                ..sound
            }
            .judge()
            .is_err()
        );
    }
}
