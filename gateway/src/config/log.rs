//! The section `[log]`.
use std::io::IsTerminal;

use settings::{Faulted, Section};

/// Logging.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// What to log, as a `tracing` filter such as `info` or `shards=debug,info`.
    pub filter: String,
    /// One JSON object per line, for machines.
    pub json: bool,
    /// Lines of the access log per second, of successes and of refusals each.
    pub access_lines_per_second_max: u32,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<LogConfig, Faulted> {
    let filter = section
        .string("filter", 1..=1024)
        .try_map(|text| tracing_subscriber::EnvFilter::try_new(&text).map(|_| text));
    let filter = filter.or("info".to_owned());
    let json = section
        .choice("format", &[("text", false), ("json", true)])
        .or(false);
    let access = section
        .integer("access_lines_per_second_max", 0..=100_000)
        .or(access_lines_default());
    Ok(LogConfig {
        filter: filter?,
        json: json?,
        access_lines_per_second_max: access?,
    })
}

/// On a terminal the lines of requests would push all else off the screen.
fn access_lines_default() -> u32 {
    if std::io::stderr().is_terminal() {
        0
    } else {
        50
    }
}
