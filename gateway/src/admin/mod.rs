//! The admin address: health, readiness and metrics for all callers; switches, breakers, limits,
//! cooldowns and chances for callers with a token.
//!
//! `routes` authenticates callers and finds what serves them: `pages`, which need no token, or
//! `endpoints`, one file per path, which add their handlers to [`Admin`] (`state`). They share
//! `respond` (bodies and responses), `attribution` (who and why) and `fleet` (changes that all
//! gateways obey).
mod attribution;
mod call;
pub mod endpoints;
mod expiry;
mod fleet;
pub mod metrics;
mod pages;
mod probes;
pub mod refusals;
mod respond;
mod routes;
mod state;
pub mod token;

pub use self::probes::Probes;
pub use self::state::Admin;
