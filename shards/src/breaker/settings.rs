//! When a breaker opens, and how it closes again.
use std::time::Duration;

/// How breakers decide. Settings can be replaced while breakers are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// How long calls count.
    pub window: Duration,
    /// With fewer calls than this in the window the ratios do not count.
    pub calls_min: u32,
    /// The breaker opens when this many of a hundred calls failed.
    pub error_ratio_percent: u8,
    /// A call that takes this long is slow; a call that is cancelled after this long has failed.
    pub slow: Duration,
    /// The breaker opens when this many of a hundred calls were slow.
    pub slow_ratio_percent: u8,
    /// The first wait before probes are let in; twice as long after each probe that failed.
    pub open_min: Duration,
    /// The longest wait.
    pub open_max: Duration,
    /// Calls that are let in while half open, and that must all succeed.
    pub probes: u32,
    /// The breaker of a stock server also opens when this many calls in a row failed.
    pub redis_failures: u32,
    /// The breaker only counts the calls that it would refuse.
    pub observe: bool,
}

impl BreakerSettings {
    /// The default. `docs/breakers.md` has the reasons.
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
