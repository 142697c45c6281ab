//! The draw gateway: all of `drawbridge` but its `main`. A library, so that the fuzzing in
//! `fuzz/` reaches the decoder of requests and the micro-benchmarks the limits; nobody else should
//! build on it.
mod admin;
mod api;
mod commands;
mod config;
mod edge;
mod fleet;
mod identity;
mod limits;
mod log_level;
mod metrics;
mod reload;
mod trace;

#[cfg(fuzzing)]
pub use api::decoder_rules;
pub use commands::{Cli, run};

/// What `loadtest/benches/micro.rs` measures.
#[doc(hidden)]
pub mod measured {
    pub use crate::api::Endpoint;
    pub use crate::limits::Limits;
    pub use crate::limits::config::{Config as LimitConfig, Limit};
    pub use crate::limits::metrics::LimitMetrics;
}
