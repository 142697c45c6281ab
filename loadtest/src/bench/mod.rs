//! The gateway beside its limits, all in one run on one machine.
//!
//! A figure alone depends on the machine and its neighbours as much as on the gateway. So every
//! case is measured next to its limit. The order alternates from round to round, so that a machine
//! that becomes slower during the run affects each side once.

pub(crate) mod audit_load;
mod cases;
mod cluster;
mod drawbridge;
mod driving;
pub(crate) mod export_load;
mod files;
mod filled;
pub(crate) mod growth;
mod interrupt;
mod market;
pub(crate) mod mixed;
mod mysql;
mod options;
mod orders;
pub(crate) mod pair;
mod process;
mod redis;
mod results;
mod server;
pub(crate) mod soak;
mod sqlite;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, value_parser};

use self::cases::Bench;
use self::files::{folder_of, require_files};
use self::interrupt::run_to_end;
use self::options::{Effort, Programs};
use self::results::Figure;
use crate::error::Error;

#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) effort: Effort,
    /// Rounds; each measures every case once, and results are means over rounds.
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u64).range(1..=10))]
    pub(crate) rounds: u64,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Where to write the results; the same folder holds the data of the runs until they end.
    #[arg(long, default_value = "target/bench/results.json")]
    pub(crate) out: PathBuf,
    /// Measure one part only.
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
}

/// A part of `bench`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// The limits, without the gateway.
    Limits,
    /// The embedded default and its limits.
    Embedded,
    /// The cluster and its limits.
    Cluster,
    /// Refusals and the bare server.
    Refusals,
}

impl BenchArgs {
    pub(crate) fn with_refusals(&self) -> bool {
        matches!(self.only, None | Some(Only::Refusals))
    }

    pub(crate) fn with_embedded(&self) -> bool {
        matches!(self.only, None | Some(Only::Embedded | Only::Limits))
    }

    pub(crate) fn with_cluster(&self) -> bool {
        matches!(self.only, None | Some(Only::Cluster | Only::Limits))
    }
}

/// `loadtest bench`.
pub(crate) fn command(args: &BenchArgs) -> Result<(), Error> {
    run_to_end(bench(args))
}

async fn bench(args: &BenchArgs) -> Result<(), Error> {
    require_files([
        &args.programs.drawbridge,
        &args.programs.campaign,
        &args.programs.cluster,
    ])?;
    let folder = folder_of(&args.out)?;
    let mut rounds = Vec::new();
    for number in 0..args.rounds {
        eprintln!("round {} of {}", number + 1, args.rounds);
        rounds.push(measure_round(args, &folder, number % 2 == 1).await?);
    }
    let rows = results::rows(&rounds);
    results::write(&args.out, &rows)?;
    print!("{}", results::table(&rows));
    println!("written to {}", args.out.display());
    Ok(())
}

/// Refusals are measured next to the bare server: their rates are so close that the machine's
/// changes within a minute would be most of the difference.
#[derive(Clone, Copy, Debug)]
enum Part {
    Hello,
    Refusals,
    Embedded,
    Cluster,
}

async fn measure_round(
    args: &BenchArgs,
    folder: &Path,
    reversed: bool,
) -> Result<Vec<Figure>, Error> {
    let bench = Bench {
        effort: args.effort,
        programs: &args.programs,
        folder,
        limits_only: args.only == Some(Only::Limits),
    };
    let mut parts = [Part::Hello, Part::Refusals, Part::Embedded, Part::Cluster];
    if reversed {
        parts.reverse();
    }
    let mut figures = Vec::new();
    for part in parts {
        figures.extend(match part {
            Part::Hello => bench.hello().await?,
            Part::Refusals if args.with_refusals() => bench.refusals().await?,
            Part::Embedded if args.with_embedded() => bench.embedded(reversed).await?,
            Part::Cluster if args.with_cluster() => bench.cluster(reversed).await?,
            Part::Refusals | Part::Embedded | Part::Cluster => Vec::new(),
        });
    }
    Ok(figures)
}
