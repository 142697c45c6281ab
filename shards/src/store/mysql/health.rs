//! Whether a connection may be used after a failure.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::dial::DialLine;
use super::failure::Failure;
use crate::store::StoreError;

/// Whether a connection may be used, and which line it belongs to.
pub(super) struct Health {
    /// False while a statement runs, and for good if it is cut off.
    pub(super) usable: bool,
    pub(super) line: Arc<DialLine>,
    /// The line's generation when it was dialled.
    pub(super) generation: u64,
}

/// Waits for `work` on a connection, which stays usable only if `work` ends.
pub(super) async fn within<T>(
    limit: Duration,
    health: &mut Health,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    // It waits for no row lock, so the server hangs, or the network does.
    bounded(limit, health, Failure::Unfit, work).await
}

/// The same for work that waits for rows. Each lock wait is shorter, but one after the other they
/// may take any time: a timeout means nothing about the server.
pub(super) async fn within_locks<T>(
    limit: Duration,
    health: &mut Health,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    bounded(limit, health, Failure::CutOff, work).await
}

async fn bounded<T>(
    limit: Duration,
    health: &mut Health,
    late: fn(StoreError) -> Failure,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    // Cleared first: if the caller is dropped meanwhile, it stays false.
    if !std::mem::replace(&mut health.usable, false) {
        return Err(Failure::CutOff(StoreError::Unavailable(
            "an earlier statement was cut off".to_owned(),
        )));
    }
    let failure = match timeout(limit, work).await {
        Ok(Ok(value)) => {
            health.usable = true;
            return Ok(value);
        }
        Ok(Err(error)) => Failure::from(error),
        Err(_) => late(StoreError::Unavailable(format!(
            "no answer within {limit:?}"
        ))),
    };
    health.usable = matches!(failure, Failure::Refused(_));
    if let Failure::Unfit(why) = &failure {
        health.line.end_generation(health.generation, why);
    }
    Err(failure)
}
