//! The section `[metrics]`: what is scraped.
use std::time::Duration;

use settings::{Faulted, Section};

/// What `/metrics` answers.
#[derive(Debug, Clone, Copy)]
pub struct MetricsConfig {
    /// A text is given out again for so long.
    pub age_max: Duration,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<MetricsConfig, Faulted> {
    let age_max = section
        .integer("age_max_ms", 0..=60_000)
        .or(1_000)
        .map(Duration::from_millis);
    Ok(MetricsConfig { age_max: age_max? })
}
