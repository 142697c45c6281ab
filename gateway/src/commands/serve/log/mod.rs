//! The log of a server: lines wait in a bounded queue, and a thread of its own writes them to
//! standard error.
//!
//! A request formats its line and puts it into the queue; it makes no system call and waits for
//! no reader of the log. What the queue cannot hold, or standard error does not take, is lost
//! and counted. (The crate `tracing-appender` bounds lines and not bytes, wakes its thread for
//! each line of a moderate flow, neither counts nor reports what a failed write loses, and cannot
//! be asked to write what waits.)
mod lost;
mod panics;
mod queue;
mod writer;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Registry;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use self::lost::LostLines;
use self::queue::LogQueue;
use crate::config::LogConfig;
use crate::log_level::LogFilter;

/// A server that ends waits so long for a reader of its log that takes nothing.
const LAST_LINES_WAIT_MAX: Duration = Duration::from_secs(2);

/// The log. All its lines are written when it is dropped.
#[must_use]
pub(super) struct Log {
    queue: Arc<LogQueue>,
}

impl Log {
    /// Starts it on standard error. Its filter can be changed later.
    pub(super) fn to_stderr(config: &LogConfig) -> std::io::Result<(Self, LogFilter)> {
        let queue = Arc::new(LogQueue::new(LostLines::new()));
        let filter = subscribe(config, queue.clone());
        writer::start(queue.clone(), std::io::stderr(), report)?;
        panics::log_panics(queue.clone());
        Ok((Self { queue }, filter))
    }

    /// Has lost lines counted in metrics.
    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        self.queue.lost().register(registry)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_LINES_WAIT_MAX;
        if self.queue.flush(LAST_LINES_WAIT_MAX)
            && let Some(lost) = self.queue.lost().unreported()
        {
            report(lost);
            self.queue
                .flush(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

fn report(lost: lost::LostCount) {
    let lost::LostCount { lost, in_all } = lost;
    tracing::warn!(
        lost,
        in_all,
        "lines of the log were lost: standard error did not take them"
    );
}

fn subscribe(config: &LogConfig, queue: Arc<LogQueue>) -> LogFilter {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.filter))
        .with_writer(queue)
        .with_ansi(std::io::stderr().is_terminal());
    if config.json {
        let logs = logs.json().with_filter_reloading();
        let filter = changeable(logs.reload_handle());
        logs.init();
        filter
    } else {
        let logs = logs.with_filter_reloading();
        let filter = changeable(logs.reload_handle());
        logs.init();
        filter
    }
}

fn changeable<S: 'static>(handle: Handle<EnvFilter, S>) -> LogFilter {
    Box::new(move |filter| {
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}
