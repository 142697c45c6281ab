//! All that is durable: lanes that commit batches, the databases under them, the stock, the
//! meta database, the audit.
//!
//! [`Shards`] is what the gateway sees: it routes a command to the lane of its user's shard and
//! reads to a small pool beside it. [`embedded`] builds one over SQLite files and stock in
//! memory. No rule of a campaign is decided here; that is the crate `market`.
pub mod audit;
pub mod breaker;
pub mod cluster;
pub mod embedded;
mod founding;
mod lane;
mod look_up;
pub mod meta;
mod metrics;
mod random;
mod readiness;
mod reads;
mod service;
mod shares;
#[cfg(test)]
mod simulation;
pub mod stock;
pub mod store;
#[cfg(test)]
mod testing;

pub use founding::{FoundingError, Unfit};
pub use lane::{LaneLimits, Timeouts};
pub use look_up::LookUp;
pub use metrics::{ClusterMetrics, Metrics};
pub use random::OsRandom;
pub use readiness::Readiness;
pub use reads::{OrderKey, ReadLimits};
pub use service::Shards;

use std::time::Duration;

use market::Refusal;

/// Why a draw has no prize to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// The rules say no; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait for this shard; nothing has changed.
    #[error("too many draws wait")]
    QueueFull,
    /// The command waited too long and was not executed.
    #[error("the draw waited too long and was not made")]
    TooOld,
    /// The command was taken but its commit is not confirmed: it may have been made.
    #[error("it is not known yet whether the draw was made")]
    OutcomeUnknown,
    /// The user's shard does not answer; nothing has changed.
    #[error("the user's shard is unavailable")]
    ShardUnavailable,
    /// The breaker of the user's shard is open; nothing has changed.
    #[error("the breaker of the user's shard is open")]
    BreakerOpen {
        /// Until it may let somebody in.
        retry_after: Duration,
    },
    /// Somebody else has locked the user's rows and has not let go for a while: a gateway that
    /// stands still, as a rule. Nothing has changed.
    #[error("another gateway holds this user's account")]
    Held,
    /// This process's clock and the shard's differ too much to plan by; nothing has changed.
    #[error("this gateway's clock differs from the shard's by {ahead_seconds} s")]
    ClocksDiffer {
        /// By how much ours is ahead; negative where it is behind.
        ahead_seconds: i64,
    },
    /// The database refuses the command's data; nothing has changed.
    #[error("the database refuses the draw's data")]
    DataRefused,
    /// The server is stopping; nothing has changed.
    #[error("the server is stopping")]
    Stopping,
}

/// Why a read has nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too many reads wait for this shard.
    #[error("too many reads wait")]
    QueueFull,
    /// The shard did not answer in time or at all.
    #[error("the user's shard is unavailable")]
    ShardUnavailable,
    /// The breaker of the user's shard is open.
    #[error("the breaker of the user's shard is open")]
    BreakerOpen {
        /// Until it may let somebody in.
        retry_after: Duration,
    },
}
