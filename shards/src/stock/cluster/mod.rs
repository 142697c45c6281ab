//! Stock on servers of its own: how lanes take units there, and the jobs that keep servers and
//! databases consistent.
//!
//! The total of an item is split into segments, spread over independent servers. A batch takes
//! its units under a grant. Its shard notes the grant in the batch's own transaction, but only if
//! the server granted under the epoch that the shard knows for it. From this follows:
//!
//! * Units that a server forgot are never issued twice: a rebuild raises the epoch on all shards
//!   before it counts what they issued (`rebuild.rs`).
//! * Units of a batch that died come back: a grant that stays open is made void on its shard, and
//!   returned only then (`sweep.rs`).
//! * A shard keeps a grant's row, its receipt, only while the grant may be open on a server. The
//!   lane that closed the grant deletes the row in one of its next batches. A job finds the rows
//!   that dead lanes left (`reclaim.rs`). Issued units are in counters, which the batches write
//!   themselves.
//! * Units are added and withdrawn once (`deliver.rs`).
//!
//! Every job stays correct when several processes run it at once, when it stops half-way, and when
//! it acts on what it read a while ago.
mod closer;
mod closing;
mod cluster_stock;
mod deliver;
mod lane_stock;
pub(crate) mod ledger;
mod node;
mod pending_take;
mod rebuild;
mod reclaim;
mod reconcile;
mod redis;
pub(crate) mod server;
mod snapshot;
mod sql_meta;
mod sql_shard;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;

pub(crate) use self::cluster_stock::ClusterStock;
pub(crate) use self::deliver::{Withdrawn, deliver, withdraw};
pub(crate) use self::lane_stock::LaneStock;
pub(crate) use self::ledger::{MetaLedger, ShardLedger};
pub(crate) use self::node::StockNode;
pub(crate) use self::rebuild::{ReconcileError, rebuild};
pub(crate) use self::reclaim::{Reclaimed, reclaim};
pub(crate) use self::reconcile::{Reconciled, reconcile};
pub use self::redis::RedisOptions;
pub(crate) use self::redis::RedisServer;
pub(crate) use self::snapshot::{LeftOnServers, issued, snapshots};
pub(crate) use self::sql_meta::SqlMetaLedger;
pub(crate) use self::sql_shard::SqlShardLedger;
pub use super::spread::Spread;
