//! The admin address: health, readiness and metrics for all callers; switches, breakers, limits,
//! cooldowns and chances for callers with a token.
//!
//! `routes` authenticates callers and lists the paths. Each path has a file, which adds its handlers
//! to [`Admin`] (`state`). They share `respond` (bodies and responses), `audit_log` (who and why)
//! and `fleet` (changes that all gateways obey).
mod audit_log;
mod breakers;
pub mod chances;
mod config;
mod cooldowns;
mod dcc;
mod expiry;
mod fleet;
mod gateways;
mod jobs;
mod limits;
mod log;
pub mod look_ups;
pub mod metrics;
mod pages;
mod probes;
pub mod refusals;
mod reload;
mod respond;
mod routes;
mod state;
mod switches;
pub mod token;

pub use self::probes::Probes;
pub use self::state::Admin;
