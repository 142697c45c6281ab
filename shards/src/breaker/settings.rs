//! When a breaker opens, and how it closes again.
use std::time::Duration;

/// How breakers decide. All can be replaced while they are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How far back calls count.
    pub window: Duration,
    /// Fewer calls than this in the window say nothing.
    pub calls_min: u32,
    /// Opens when this many of a hundred calls failed.
    pub error_ratio_percent: u8,
    /// A call that takes this long is slow, and one that is cancelled after this long failed.
    pub slow: Duration,
    /// Opens when this many of a hundred calls were slow.
    pub slow_ratio_percent: u8,
    /// The first wait before probes are let in; twice as long after each probe that failed.
    pub open_min: Duration,
    /// The longest wait.
    pub open_max: Duration,
    /// Calls that are let in while half open, and that must all succeed.
    pub probes: u32,
    /// A stock server's breaker opens, too, when so many calls in a row failed.
    pub redis_failures: u32,
    /// Counts what would be refused, and refuses nothing.
    pub observe: bool,
}

impl Settings {
    /// What breakers decide by when nobody says otherwise. Why these: see `docs/breakers.md`.
    pub const DEFAULT: Self = Self {
        window: Duration::from_secs(2),
        calls_min: 20,
        error_ratio_percent: 80,
        slow: Duration::from_secs(1),
        slow_ratio_percent: 100,
        open_min: Duration::from_secs(1),
        open_max: Duration::from_secs(2),
        probes: 3,
        redis_failures: 3,
        observe: false,
    };
}
