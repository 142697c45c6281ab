//! All that is durable: lanes that commit batches, the databases under them, the stock, the
//! meta database, the audit.
//!
//! [`Shards`] is what the gateway sees: it routes a command to the lane of its user's shard and
//! reads to a small pool beside it. [`embedded`] builds one over SQLite files and stock in
//! memory. No rule of a campaign is decided here; that is the crate `market`.
pub mod audit;
pub mod audit_log;
pub mod breaker;
pub mod cluster;
pub mod embedded;
mod error;
pub mod fleet;
mod founding;
mod grant;
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
pub mod switches;
#[cfg(test)]
mod testing;

pub use error::{CommandError, ReadError};
pub use founding::{FoundingError, Unfit};
pub use grant::GrantId;
pub use lane::{LaneLimits, Timeouts};
pub use look_up::LookUp;
pub use metrics::{ClusterMetrics, Metrics};
pub use random::OsRandom;
pub use readiness::Readiness;
pub use reads::{OrderKey, ReadLimits};
pub use service::Shards;
