//! The export of results: a cluster with millions of orders is exported alone, for its speed and
//! memory, and then beside draws at a share of the cluster's maximum, for what it does to them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use serde::Serialize;
use tokio::process::Child;
use tokio::time::{MissedTickBehavior, interval};

use crate::bench::cluster::{Cluster, Memory, Setup};
use crate::bench::driving::{in_background, load_any, open_plan, share_of};
use crate::bench::files::{folder_of, require_files, require_space};
use crate::bench::filled::{FILLED, Filled};
use crate::bench::interrupt::run_to_end;
use crate::bench::options::{ACTIVITY, Effort, Programs};
use crate::bench::pair::median;
use crate::bench::results;
use crate::bench::soak::{measure_max, parse_peak};
use crate::cpu::Watched;
use crate::error::Error;
use crate::load::{LoadPlan, LoadReport};
use crate::rounding::round_to;

/// Orders a second that an export alone must write.
const ALONE_MIN: f64 = 100_000.0;

/// How much longer the 99th percentile of draws may be beside an export.
const P99_GROWTH_MAX: f64 = 1.5;

/// Connections of the draws beside.
const CONNECTIONS: u16 = 512;

/// What an order takes on the disk at most, with its call, and as a line of a file; and what
/// databases take without orders.
const ORDER_BYTES: u64 = 1_024;
const EMPTY_BYTES: u64 = 5 << 30;

#[derive(Clone, Debug, Args)]
pub(crate) struct ExportLoadArgs {
    /// Orders to write before the exports.
    #[arg(long, default_value_t = 10_000_000, value_parser = value_parser!(u64).range(10_000..=20_000_000))]
    orders: u64,
    /// The cluster's maximum of draws a second; measured first when it is not given.
    #[arg(long, value_parser = value_parser!(u32).range(2..=1_000_000))]
    max_rate: Option<u32>,
    /// The share of the maximum to send beside exports, in percent.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=100))]
    percent: u32,
    /// What an export beside draws gets as --rate; several with commas, 0 for none. The first is
    /// judged.
    #[arg(long, default_value = "10000", value_delimiter = ',')]
    rates: Vec<u32>,
    /// How often draws are measured without an export, and with one of each rate.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u64).range(1..=20))]
    rounds: u64,
    /// Seconds of each of these measurements.
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u64).range(3..=120))]
    seconds: u64,
    #[command(flatten)]
    programs: Programs,
    /// Where to write the results; the same folder holds the data of the run until it ends.
    #[arg(long, default_value = "target/bench/export-load.json")]
    out: PathBuf,
}

/// `export-load.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Results {
    orders: u64,
    fill_seconds: f64,
    alone: Vec<Alone>,
    max_per_second: Option<f64>,
    /// Draws a second beside exports.
    rate: u32,
    beside: Vec<Beside>,
}

/// An export with nothing beside it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Alone {
    format: &'static str,
    seconds: f64,
    orders_per_second: f64,
    bytes: u64,
    /// The most memory that the process has had.
    peak_kib: u64,
    /// Processor time for an order, in us.
    export_us: f64,
    databases_us: f64,
}

/// Draws beside exports of one rate, and without.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Beside {
    /// What the export had as `--rate`; `None` without it.
    export_rate: Option<u32>,
    rounds: Vec<BesideRound>,
    /// The median of the rounds' ratios of 99th percentiles, with by without.
    p99_ratio: f64,
}

/// Draws without an export, and right after that or before it with one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct BesideRound {
    without: Drawn,
    with: Drawn,
    /// Rows that the export wrote meanwhile, a second.
    exported_per_second: f64,
}

/// How draws ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Drawn {
    arrivals: u64,
    /// Refused, without an answer, or dropped.
    others: u64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Drawn {
    fn new(report: &LoadReport) -> Self {
        Self {
            arrivals: report.arrivals,
            others: report.arrivals - report.counts.ok,
            p50_ms: report.response.p50_ms,
            p99_ms: report.response.p99_ms,
        }
    }
}

/// `loadtest export-load`.
pub(crate) fn command(args: &ExportLoadArgs) -> Result<(), Error> {
    run_to_end(export_load(args))
}

async fn export_load(args: &ExportLoadArgs) -> Result<(), Error> {
    require_files([&args.programs.drawbridge, &args.programs.cluster])?;
    let folder = folder_of(&args.out)?;
    require_space(&folder, EMPTY_BYTES + args.orders * ORDER_BYTES)?;
    let setup = Setup {
        memory: Memory::Middle,
        ..Setup::of_shards(2)
    };
    let cluster = Cluster::start(&args.programs, &folder, setup).await?;
    let filled = Filled {
        orders: args.orders,
        shards: setup.shards,
    };
    let began = Instant::now();
    filled.write(&cluster, &folder).await?;
    let fill_seconds = round_to(began.elapsed().as_secs_f64(), 1);
    eprintln!("{} orders written in {fill_seconds} s", args.orders);

    let mut alone = Vec::new();
    for format in ["csv", "ndjson"] {
        alone.push(export_alone(&cluster, args.orders, format).await?);
    }
    cluster.wait_drawing(ACTIVITY).await?;
    let max_per_second = match args.max_rate {
        Some(_) => None,
        None => Some(measure_max(&cluster).await?),
    };
    let max = args
        .max_rate
        .map_or(max_per_second.unwrap_or_default(), f64::from);
    let rate = share_of(max, args.percent);
    let mut beside = Vec::new();
    for &export_rate in &args.rates {
        let export_rate = Some(export_rate).filter(|rate| *rate > 0);
        beside.push(measure_beside(&cluster, args, rate, export_rate).await?);
    }
    cluster.stop_gateway_and_audit().await?;
    let results = Results {
        orders: args.orders,
        fill_seconds,
        alone,
        max_per_second,
        rate,
        beside,
    };
    results::write(&args.out, &results)?;
    print!("{}", results.table());
    println!("written to {}", args.out.display());
    results.judge()
}

/// An export that runs, into a file that goes with this value.
struct Export {
    child: Child,
    pid: u32,
    file: tempfile::NamedTempFile,
}

impl Export {
    fn start(cluster: &Cluster, format: &str, rate: Option<u32>) -> Result<Self, Error> {
        let failed = |e| Error::io("drawbridge results", e);
        let file = tempfile::Builder::new()
            .prefix("results-")
            .tempfile_in(cluster.folder())
            .map_err(failed)?;
        let activity = FILLED.to_string();
        let mut export = cluster.command(&["results", &activity, "--format", format]);
        if let Some(rate) = rate {
            export.args(["--rate", &rate.to_string()]);
        }
        let output = file.reopen().map_err(failed)?;
        let child = export
            .stdout(Stdio::from(output))
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(failed)?;
        let pid = child
            .id()
            .ok_or_else(|| Error::CannotRun("the export ended at once".to_owned()))?;
        Ok(Self { child, pid, file })
    }

    async fn ended(&mut self) -> Result<ExitStatus, Error> {
        let ended = self.child.wait().await;
        ended.map_err(|e| Error::io("drawbridge results", e))
    }

    async fn stop(&mut self) -> Result<(), Error> {
        let killed = self.child.kill().await;
        killed.map_err(|e| Error::io("drawbridge results", e))
    }

    /// Lines and bytes of the file.
    async fn size(&self) -> Result<(u64, u64), Error> {
        let path = self.file.path().to_owned();
        in_background(move || {
            count_lines(&path).map_err(|e| Error::io(path.display().to_string(), e))
        })
        .await
    }
}

fn count_lines(path: &Path) -> std::io::Result<(u64, u64)> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; 1 << 20]);
    let (mut lines, mut bytes) = (0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((lines, bytes));
        }
        let ends = buffer[..read].iter().filter(|byte| **byte == b'\n');
        lines += ends.count() as u64;
        bytes += read as u64;
    }
}

/// Exports everything. The file must have all orders.
async fn export_alone(
    cluster: &Cluster,
    orders: u64,
    format: &'static str,
) -> Result<Alone, Error> {
    let began = Instant::now();
    let mut export = Export::start(cluster, format, None)?;
    let watched = Watched::new(vec![
        ("export", vec![export.pid]),
        (
            "databases",
            cluster.shards().iter().map(|shard| shard.pid).collect(),
        ),
    ]);
    let before = watched.read();
    let (mut now, mut peak_kib) = (before.clone(), 0);
    let status_file = format!("/proc/{}/status", export.pid);
    let mut ticks = interval(Duration::from_millis(50));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let status = loop {
        tokio::select! {
            status = export.ended() => break status?,
            _ = ticks.tick() => {
                let status = std::fs::read_to_string(&status_file).unwrap_or_default();
                // Of a process that has ended there is none, and its times are gone.
                if let Some(kib) = parse_peak(&status) {
                    peak_kib = kib;
                    now = watched.read();
                }
            }
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let (lines, bytes) = export.size().await?;
    let rows = lines - u64::from(format == "csv").min(lines);
    if !status.success() || rows != orders {
        return Err(Error::DoesNotHold(format!(
            "drawbridge results --format {format}: {status}, {rows} of {orders} orders"
        )));
    }
    let usage = before.until(&now, orders);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let orders_per_second = orders as f64 / seconds;
    eprintln!("  {format}: {orders_per_second:.0} orders/s, {peak_kib} KiB; {usage}");
    Ok(Alone {
        format,
        seconds: round_to(seconds, 1),
        orders_per_second: round_to(orders_per_second, 0),
        bytes,
        peak_kib,
        export_us: usage.us_of("export").unwrap_or_default(),
        databases_us: usage.us_of("databases").unwrap_or_default(),
    })
}

async fn measure_beside(
    cluster: &Cluster,
    args: &ExportLoadArgs,
    rate: u32,
    export_rate: Option<u32>,
) -> Result<Beside, Error> {
    let mut rounds = Vec::new();
    for number in 0..args.rounds {
        eprintln!(
            "round {} of {}: {rate} draws/s, --rate {export_rate:?}",
            number + 1,
            args.rounds
        );
        let plan = open_loop(args, cluster, rate, number);
        let first_with = number % 2 == 1;
        let mut with = None;
        if first_with {
            with = Some(draw_beside(cluster, &plan, export_rate).await?);
        }
        let without = Drawn::new(&load_any(plan.clone(), &cluster.watched()).await?);
        let (with, exported_per_second) = match with {
            Some(with) => with,
            None => draw_beside(cluster, &plan, export_rate).await?,
        };
        rounds.push(BesideRound {
            without,
            with,
            exported_per_second,
        });
    }
    let ratios = rounds.iter().map(BesideRound::p99_ratio);
    Ok(Beside {
        export_rate,
        p99_ratio: round_to(median(ratios), 3),
        rounds,
    })
}

fn open_loop(args: &ExportLoadArgs, cluster: &Cluster, rate: u32, round: u64) -> LoadPlan {
    let effort = Effort {
        seconds: args.seconds,
        threads: 1,
    };
    LoadPlan {
        seed: round + 1,
        ..open_plan(effort, cluster.entrance(), rate, CONNECTIONS)
    }
}

/// Draws while an export runs. Returns how they ended, and how many rows the export wrote a second.
async fn draw_beside(
    cluster: &Cluster,
    plan: &LoadPlan,
    export_rate: Option<u32>,
) -> Result<(Drawn, f64), Error> {
    let watched = cluster.watched();
    let began = Instant::now();
    let mut export = Export::start(cluster, "csv", export_rate)?;
    let mut drawing = std::pin::pin!(load_any(plan.clone(), &watched));
    let report = tokio::select! {
        report = &mut drawing => report?,
        status = export.ended() => return Err(Error::CannotRun(format!(
            "the export ended ({}) before the draws: write more orders, or draw for fewer seconds",
            status?
        ))),
    };
    let seconds = began.elapsed().as_secs_f64();
    export.stop().await?;
    let (lines, _) = export.size().await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = lines as f64 / seconds;
    eprintln!("  beside {per_second:.0} exported rows/s");
    Ok((Drawn::new(&report), round_to(per_second, 0)))
}

impl BesideRound {
    fn p99_ratio(&self) -> f64 {
        self.with.p99_ms / self.without.p99_ms
    }
}

impl Results {
    fn table(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "{} orders, written in {} s\n",
            self.orders, self.fill_seconds
        );
        // Writing to a String cannot fail, here and below.
        for alone in &self.alone {
            let _ = writeln!(
                text,
                "{:<8}{:>8.0} orders/s, {:.1} s, {} MiB written, {:.1} MiB of memory; us an order: export {:.1}, \
                 databases {:.1}",
                alone.format,
                alone.orders_per_second,
                alone.seconds,
                alone.bytes >> 20,
                kib_as_mib(alone.peak_kib),
                alone.export_us,
                alone.databases_us
            );
        }
        for beside in &self.beside {
            let rate = beside
                .export_rate
                .map_or("none".to_owned(), |rate| rate.to_string());
            let _ = writeln!(
                text,
                "{} draws/s, export with --rate {rate}: p99 {} times that without",
                self.rate, beside.p99_ratio
            );
            for round in &beside.rounds {
                let _ = writeln!(
                    text,
                    "  p50, p99 ms: {:.1}, {:.1} without; {:.1}, {:.1} beside {:.0} rows/s; not made: {}, {}",
                    round.without.p50_ms,
                    round.without.p99_ms,
                    round.with.p50_ms,
                    round.with.p99_ms,
                    round.exported_per_second,
                    round.without.others,
                    round.with.others
                );
            }
        }
        text
    }

    fn judge(&self) -> Result<(), Error> {
        let mut faults = Vec::new();
        for alone in &self.alone {
            if alone.orders_per_second <= ALONE_MIN {
                faults.push(format!(
                    "{}: {:.0} orders/s alone, not more than {ALONE_MIN}",
                    alone.format, alone.orders_per_second
                ));
            }
        }
        if let Some(beside) = self.beside.first() {
            if beside.p99_ratio > P99_GROWTH_MAX {
                faults.push(format!(
                    "the p99 of draws beside an export is {} times that without",
                    beside.p99_ratio
                ));
            }
            let refused: u64 = beside.rounds.iter().map(|round| round.with.others).sum();
            if refused > 0 {
                faults.push(format!("{refused} draws were not made beside an export"));
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::DoesNotHold(faults.join("; ")))
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn kib_as_mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(p99_ms: f64, others: u64) -> Drawn {
        Drawn {
            arrivals: 100,
            others,
            p50_ms: 1.0,
            p99_ms,
        }
    }

    fn results(orders_per_second: f64, with: &[Drawn]) -> Results {
        let rounds: Vec<BesideRound> = with
            .iter()
            .map(|&with| BesideRound {
                without: drawn(10.0, 0),
                with,
                exported_per_second: 1.0,
            })
            .collect();
        Results {
            orders: 10,
            fill_seconds: 1.0,
            alone: vec![Alone {
                format: "csv",
                seconds: 1.0,
                orders_per_second,
                bytes: 1 << 20,
                peak_kib: 1_536,
                export_us: 1.0,
                databases_us: 1.0,
            }],
            max_per_second: None,
            rate: 1,
            beside: vec![Beside {
                export_rate: Some(7),
                p99_ratio: median(rounds.iter().map(BesideRound::p99_ratio)),
                rounds,
            }],
        }
    }

    #[test]
    fn slow_exports_late_draws_and_refused_ones_are_found() {
        let bad_luck = [drawn(14.0, 0), drawn(90.0, 0), drawn(11.0, 0)];
        let good = results(100_001.0, &bad_luck);
        assert!(good.judge().is_ok());
        let table = good.table();
        assert!(
            table.contains("1.5 MiB") && table.contains("--rate 7"),
            "{table}"
        );
        assert!(results(100_000.0, &bad_luck).judge().is_err());
        assert!(results(200_000.0, &[drawn(15.1, 0)]).judge().is_err());
        assert!(results(200_000.0, &[drawn(10.0, 1)]).judge().is_err());
    }

    #[test]
    fn lines_are_counted_without_reading_a_file_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "a,b\n1,2\n").expect("written");
        assert_eq!(count_lines(&path).expect("read"), (2, 8));
        std::fs::write(&path, "x\n".repeat(1 << 20)).expect("written");
        assert_eq!(count_lines(&path).expect("read"), (1 << 20, 2 << 20));
    }
}
