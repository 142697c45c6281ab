//! The section `[drain]`: how long a stop may take.
use std::time::Duration;

use settings::{Faulted, Section};

use super::values::milliseconds;

/// A stop.
#[derive(Debug, Clone, Copy)]
pub struct DrainConfig {
    /// Not ready any more, but serving: until load balancers have seen it.
    pub grace: Duration,
    /// For requests under way and queued draws, after that.
    pub deadline: Duration,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<DrainConfig, Faulted> {
    let grace = section
        .integer("grace_ms", 0..=600_000)
        .or(1_000)
        .map(Duration::from_millis);
    let deadline = milliseconds(section, "deadline_ms", 15_000);
    Ok(DrainConfig {
        grace: grace?,
        deadline: deadline?,
    })
}
