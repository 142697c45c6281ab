//! How much one gateway takes on.
use crate::breaker;
use crate::lane::{LaneLimits, Timeouts};
use crate::reads::ReadLimits;

/// Sizes of one gateway.
#[derive(Debug, Clone, Copy)]
pub struct GatewaySizes {
    /// Of each lane.
    pub lane: LaneLimits,
    /// Requests that are answered at once; the waiters of a shard hold their share of them.
    pub in_flight_max: usize,
    /// How long callers wait.
    pub timeouts: Timeouts,
    /// Of each shard's reader.
    pub reads: ReadLimits,
    /// When breakers open.
    pub breakers: breaker::BreakerSettings,
}
