//! The admin address: health, readiness and metrics for all callers; switches, breakers, limits,
//! cooldowns, chances and points for callers with a token.
//!
//! `routes` authenticates callers and finds what serves them: `pages`, which need no token, or
//! `endpoints`, one file per path, which add their handlers to [`Admin`] (`state`). They share
//! `respond` (bodies and responses), `attribution` (who and why), `fleet` (changes that all
//! gateways obey) and `user_change` (changes of a user's rows).
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
pub mod user_change;

pub use self::probes::Probes;
pub use self::state::Admin;
