//! The HTTP door: bytes into values, values into bytes. What becomes of a request in between is the
//! desk's business (`desk/`).
//!
//! `api.rs` has the life of a request, step by step. `table.rs` has the table of endpoints: each is
//! a file in `endpoints/` that says where it is found (its [`Route`](route::Route)), reads its
//! parameters, asks the desk, and writes what the desk returns. A new endpoint is such a file, its
//! name in `answer/endpoint.rs` and a line in the table.
mod api;
mod body;
mod content;
pub mod cors;
#[cfg(any(test, fuzzing))]
pub mod decoder_rules;
pub mod endpoints;
mod fields;
mod key;
pub mod language;
mod metrics;
mod respond;
mod route;
pub mod statuses;
mod table;
pub mod views;

pub use api::{HttpApi, HttpApiConfig};
pub use metrics::HttpMetrics;
