//! Waiting for conditions, never for a fixed time.
use std::time::{Duration, Instant};

use tokio::time::sleep;

const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Repeats an attempt until it returns a value, for `within` at most. `what` completes the message
/// of the failure.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(begun.elapsed() < within, "not within {within:?}: {what}");
        sleep(LOOK_INTERVAL).await;
    }
}
