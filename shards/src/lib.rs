//! All that is durable: lanes that commit batches, the databases under them, the stock, the
//! meta database, the audit.
//!
//! [`Shards`] is the interface for the gateway: it routes a command to the lane of its user's
//! shard, and reads to a small pool beside it. [`embedded`] builds one over SQLite files and stock
//! in memory. The rules of campaigns are in the crate `market`.
pub mod audit;
pub mod breaker;
mod error;
mod grant;
pub mod installation;
mod jobs;
mod lane;
mod look_up;
pub mod meta;
mod metrics;
mod random;
mod readiness;
mod reads;
pub mod results;
mod service;
mod shares;
#[cfg(test)]
mod simulation;
pub mod stock;
pub mod store;
#[cfg(test)]
mod testing;

pub use error::{CommandError, ReadError};
pub use grant::GrantId;
pub use installation::{
    ClusterOptions, EmbeddedOptions, GatewaySizes, Installation, InstallationError,
    InstallationOptions, Migrated, Serving, WithdrawalState,
};
pub use jobs::{JobStatus, LastRound, RoundOutcome};
pub use lane::{LaneLimits, Timeouts};
pub use look_up::LookUp;
pub use random::OsRandom;
pub use readiness::Readiness;
pub use reads::{
    FoundPage, FoundRecharges, LedgerPage, OrderKey, OrdersPage, PageSize, ReadLimits,
    RechargesPage,
};
pub use service::{CarriedOut, Shards};
pub use store::ConversionProgress;
