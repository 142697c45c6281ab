//! The server's configuration: one TOML file, over it environment variables, over them options.
//!
//! Every key has a default, so no file is needed. All faults are reported at once; an unknown key
//! is a fault. A section is read by one file: here, or in the room that it is about
//! (`identity/config.rs`, `limits/config.rs`).
mod admin;
mod admission;
mod breakers;
mod drain;
pub mod effective;
mod gateway;
mod http;
mod load;
mod log;
mod metrics;
mod shards;
mod storage;
mod values;
mod warnings;

pub use admin::AdminConfig;
pub use drain::DrainConfig;
pub use load::{Config, ConfigError, LiveConfig};
pub use log::LogConfig;
pub use warnings::{WarningLevel, warnings};
