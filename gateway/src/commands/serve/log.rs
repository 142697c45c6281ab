//! The log of a server, on standard error.
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use crate::config::LogConfig;
use crate::log_level::LogFilter;

/// Starts the log. Its filter can be changed later.
pub(super) fn log_to_stderr(log: &LogConfig) -> LogFilter {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&log.filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if log.json {
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
