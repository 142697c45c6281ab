//! A benchmark that a signal may end early.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;

/// Runs work that a signal may end early. Dropping the work ends its children and removes its
/// folders.
pub(super) fn run_to_end(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
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
    // Does not wait for a driver that still runs: the process ends now.
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
