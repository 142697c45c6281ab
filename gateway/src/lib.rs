//! The draw gateway: all of `drawbridge` but its `main`. A library, so that the fuzzing in
//! `fuzz/` reaches the decoder of requests and the micro-benchmarks the limits; it is not meant for
//! other crates.
mod admin;
mod answer;
mod commands;
mod config;
mod desk;
mod edge;
mod fleet;
mod http;
mod identity;
mod limits;
mod log_level;
mod reload;
mod results;
mod text;
mod trace;

pub use commands::{Cli, run};
#[cfg(fuzzing)]
pub use http::decoder_rules;

/// What `loadtest/benches/micro.rs` measures.
#[doc(hidden)]
pub mod measured {
    pub use crate::answer::Endpoint;
    pub use crate::limits::RateLimits as Limits;
    pub use crate::limits::config::{Limit, LimitsConfig as LimitConfig};
    pub use crate::limits::metrics::LimitMetrics;
}
