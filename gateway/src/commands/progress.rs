//! How far a long command is, on a terminal.
use std::future::Future;
use std::io::IsTerminal;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::output::complain;

/// How often the line is updated.
const INTERVAL: Duration = Duration::from_millis(500);

/// Clears the terminal's line.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Does the work, and shows `line` on a terminal, which is given the time that has passed.
pub(super) async fn watched<T>(
    line: impl Fn(Duration) -> String,
    work: impl Future<Output = T>,
) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let (mut work, mut ticks) = (pin!(work), tokio::time::interval(INTERVAL));
    let begun = Instant::now();
    loop {
        tokio::select! {
            done = &mut work => {
                complain(CLEAR_LINE);
                return done;
            }
            _ = ticks.tick() => complain(format_args!("{CLEAR_LINE}{}", line(begun.elapsed()))),
        }
    }
}

/// How many of `count` that is in a second.
pub(super) fn rate(count: u64, passed: Duration) -> u128 {
    u128::from(count) * 1000 / passed.as_millis().max(1)
}
