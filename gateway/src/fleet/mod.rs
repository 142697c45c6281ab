//! What this gateway obeys beside campaigns and switches, and what it reports of itself.
//!
//! Settings come from the meta database by way of the shards' follower, or from an operator for
//! this process alone (an override, in memory). Reports go back there; gateways never call each
//! other. While the meta database is unavailable the last settings stay in force and expire by
//! themselves.
mod gateway;
pub mod kinds;
pub mod metrics;
pub mod registry;

pub use gateway::{Fleet, GatewayIdentity, default_name};
