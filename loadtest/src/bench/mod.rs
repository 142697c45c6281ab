//! The gateway beside its limits, all in one run on one machine.
//!
//! A figure alone says as much about the machine and its neighbours as about the gateway. So every
//! case is measured next to what bounds it, and the rounds alternate their order: a machine that
//! grows slower during the run then hurts each side once.

mod results;
mod server;
mod sqlite;

use std::fs;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use crate::bench::results::{Driven, Gateway, Inserted, Round};
use crate::bench::sqlite::Way;
use crate::cli::BenchArgs;
use crate::drive::{Plan, drive};
use crate::error::Error;
use crate::request::Case;
use crate::target::Target;

const CONNECTIONS: [u16; 2] = [64, 512];
const ACCOUNT_CONNECTIONS: [u16; 1] = [64];
const USERS: u64 = 1_000_000;
const WARMUP_SECONDS: u64 = 2;

/// Answers that may be refusals or errors, in parts per thousand: refusing is cheaper than drawing,
/// so more would flatter the figure.
const NOT_OK_MAX_PERMILLE: u64 = 10;

/// `loadtest bench`.
pub(crate) fn command(args: BenchArgs) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| Error::io("runtime", e))?;
    // Being told to end drops the bench, and with it its children and folders.
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = bench(args) => outcome,
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

async fn bench(args: BenchArgs) -> Result<(), Error> {
    require_inputs(&args)?;
    let folder = folder_of(&args.out)?;
    let mut rounds = Vec::new();
    for number in 0..args.rounds {
        eprintln!("round {} of {}", number + 1, args.rounds);
        rounds.push(measure_round(&args, &folder, number % 2 == 1).await?);
    }
    let rows = results::rows(&rounds);
    results::write(&args.out, &rows)?;
    print!("{}", results::table(&rows));
    println!("written to {}", args.out.display());
    Ok(())
}

/// Said at once, not after the minute that the limits take.
fn require_inputs(args: &BenchArgs) -> Result<(), Error> {
    if args.limits_only {
        return Ok(());
    }
    match [&args.drawbridge, &args.campaign].into_iter().find(|path| !path.is_file()) {
        Some(path) => Err(Error::CannotRun(format!("{} is not a file", path.display()))),
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
    Ok(folder)
}

async fn measure_round(args: &BenchArgs, folder: &Path, reversed: bool) -> Result<Round, Error> {
    if reversed {
        let gateway = measure_gateway(args, folder).await?;
        let inserted = measure_inserts(args, folder).await?;
        let hello = measure_hello(args).await?;
        return Ok(Round { hello, inserted, gateway });
    }
    let hello = measure_hello(args).await?;
    let inserted = measure_inserts(args, folder).await?;
    let gateway = measure_gateway(args, folder).await?;
    Ok(Round { hello, inserted, gateway })
}

async fn measure_hello(args: &BenchArgs) -> Result<Vec<Driven>, Error> {
    let hello = server::Hello::start().await?;
    drive_each(args, Target(hello.address), Case::Draw, &CONNECTIONS).await
}

async fn measure_gateway(args: &BenchArgs, folder: &Path) -> Result<Option<Gateway>, Error> {
    if args.limits_only {
        return Ok(None);
    }
    // Each case begins with an empty folder, as the inserts do: tables that an earlier case has
    // filled would make the later one look slower beside a limit that was measured on none.
    let (mut draw, mut account) = (Vec::new(), Vec::new());
    for connections in CONNECTIONS {
        let gateway = server::Gateway::start(args, folder).await?;
        let target = Target(gateway.address);
        draw.extend(drive_each(args, target, Case::Draw, &[connections]).await?);
        if ACCOUNT_CONNECTIONS.contains(&connections) {
            account.extend(drive_each(args, target, Case::Account, &[connections]).await?);
        }
        gateway.stop_and_audit().await?;
    }
    Ok(Some(Gateway { draw, account }))
}

async fn measure_inserts(args: &BenchArgs, folder: &Path) -> Result<Inserted, Error> {
    let values = measure_way(args, folder, Way::Values).await?;
    let json = measure_way(args, folder, Way::Json).await?;
    Ok(Inserted { values, json })
}

async fn measure_way(args: &BenchArgs, folder: &Path, way: Way) -> Result<f64, Error> {
    let data = tempfile::tempdir_in(folder).map_err(|e| Error::io(folder.display().to_string(), e))?;
    let seconds = args.seconds;
    let rate = in_background(move || sqlite::measure(data.path(), way, seconds)).await?;
    eprintln!("  insert {way:?}: {rate:.0} rows/s");
    Ok(rate)
}

async fn drive_each(args: &BenchArgs, url: Target, case: Case, connections: &[u16]) -> Result<Vec<Driven>, Error> {
    let mut all = Vec::new();
    for &connections in connections {
        let plan = Plan {
            url,
            case,
            connections,
            threads: args.threads,
            seconds: args.seconds,
            warmup_seconds: WARMUP_SECONDS,
            users: USERS,
            activity: server::ACTIVITY,
            seed: 1,
        };
        all.push(drive_once(plan).await?);
    }
    Ok(all)
}

/// Drives from a thread of this process. The process has nothing else to do meanwhile, so another
/// one for the driver would leave the cores no quieter, and be one more child to end.
async fn drive_once(plan: Plan) -> Result<Driven, Error> {
    let report = in_background(move || drive(&plan, None)).await?;
    let text = report.to_string().replace('\n', "\n  ");
    eprintln!("  {text}");
    let not_ok = report.window.requests - report.window.ok;
    if report.window.ok == 0 || not_ok * 1_000 > report.window.requests * NOT_OK_MAX_PERMILLE {
        return Err(Error::DoesNotHold("too many requests were refused or failed".to_owned()));
    }
    Ok(Driven::from(&report))
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(|e| Error::io("a measuring thread", e.into()))?
}
