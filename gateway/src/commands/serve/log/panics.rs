//! Panics are lines of the log like all others: whole, in its format, and in order.
use std::backtrace::{Backtrace, BacktraceStatus};
use std::sync::Arc;
use std::time::Duration;

use super::queue::LogQueue;

/// A panic may end the process, so its thread waits until it is written; no longer than this, for
/// a reader of the log that takes nothing must not stop the threads that panic and go on.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// From now on panics are logged. Those that the filter hides are printed as Rust does it.
pub(super) fn log_panics(queue: Arc<LogQueue>) {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return print(panic);
        }
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        // Where RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        let is_captured = backtrace.status() == BacktraceStatus::Captured;
        tracing::error!(
            thread,
            at = panic.location().map(tracing::field::display),
            backtrace = is_captured.then(|| tracing::field::display(&backtrace)),
            "a thread panicked: {}",
            panic.payload_as_str().unwrap_or("no message")
        );
        queue.flush(WAIT_MAX);
    }));
}
