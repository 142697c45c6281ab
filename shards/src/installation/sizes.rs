//! The sizes of one gateway.
use crate::breaker;
use crate::lane::{LaneLimits, Timeouts};
use crate::reads::ReadLimits;

/// Sizes of one gateway.
#[derive(Debug, Clone, Copy)]
pub struct GatewaySizes {
    /// Of each lane.
    pub lane: LaneLimits,
    /// The maximum number of requests in flight; a shard's waiters hold their share of them.
    pub in_flight_max: usize,
    /// How long callers wait.
    pub timeouts: Timeouts,
    /// Of each shard's reader.
    pub reads: ReadLimits,
    /// When breakers open.
    pub breakers: breaker::BreakerSettings,
}
