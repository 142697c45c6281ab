//! The gateway beside its limits, all in one run on one machine.
//!
//! A figure alone says as much about the machine and its neighbours as about the gateway. So every
//! case is measured next to what bounds it, and the rounds alternate their order: a machine that
//! grows slower during the run then hurts each side once.

pub(crate) mod audit_load;
mod cases;
mod cluster;
mod drawbridge;
mod driving;
pub(crate) mod growth;
mod mysql;
mod orders;
pub(crate) mod pair;
mod process;
mod redis;
pub(crate) mod results;
mod server;
pub(crate) mod soak;
mod sqlite;

use std::fs;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use crate::bench::cases::Bench;
use crate::bench::results::Figure;
use crate::cli::{BenchArgs, Only, Programs};
use crate::error::Error;

/// What the load tests draw from.
const ACTIVITY: u64 = 200_001;

/// `loadtest bench`.
pub(crate) fn command(args: &BenchArgs) -> Result<(), Error> {
    run_to_end(bench(args))
}

/// Runs work that a signal may end early: dropping it ends its children and removes its folders.
fn run_to_end(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("runtime", e))?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            outcome = interrupted() => outcome,
        }
    });
    // A driver that still runs is left behind: the process ends now.
    runtime.shutdown_background();
    outcome
}

async fn interrupted() -> Result<(), Error> {
    let failed = |e| Error::io("signals", e);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome.map_err(failed)?,
        _ = terminate.recv() => (),
    }
    Err(Error::CannotRun("interrupted".to_owned()))
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

/// Said at once, not after the minute that the limits take.
fn require_files<const N: usize>(paths: [&PathBuf; N]) -> Result<(), Error> {
    match paths.into_iter().find(|path| !path.is_file()) {
        Some(path) => Err(Error::CannotRun(format!(
            "{} is not a file",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// The folder of the results holds the databases too: a temporary folder of the system may lie in
/// memory, where a commit costs nothing.
fn folder_of(out: &Path) -> Result<PathBuf, Error> {
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display().to_string(), e))?;
    // Databases want it absolute.
    folder
        .canonicalize()
        .map_err(|e| Error::io(folder.display().to_string(), e))
}

/// Refusals stand next to the bare server, because they are so close to it that a minute's weather
/// between the two would be most of their difference.
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
