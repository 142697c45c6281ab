//! The cluster: shards and meta in MySQL or MariaDB, stock in Redis, any number of gateways.
//!
//! Gateways do not know each other: the databases and the stock's protocol keep their work apart. A
//! gateway can start while shards and stock servers are unavailable. It needs the meta database for
//! the campaigns, and only at the start.
mod cluster_error;
mod follow;
mod identity;
mod lay_out;
mod look_around;
mod metrics;
mod notification;
mod older_gateways;
mod older_meta;
mod open;
mod opened;
mod options;
mod report;
mod serve;
mod stock;
#[cfg(test)]
mod tests;

pub use self::cluster_error::ClusterError;
pub(crate) use self::opened::Cluster;
pub use self::options::ClusterOptions;
