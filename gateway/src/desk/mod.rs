//! The desk executes requests, independently of the door that they came to.
//!
//! A door (`http/`, others later) turns bytes into values and values into bytes. The desk takes the
//! values: it admits a request by its head and identifies its caller (`admission.rs`), obeys the
//! switches (`switches.rs`), and makes draws (`draw.rs`), other commands (`trade.rs`) and reads
//! (`reads.rs`). What it returns is
//! typed, or a [`Failure`](crate::answer::Failure) that each door writes in its own way.
mod admission;
mod arrival;
mod draw;
mod metrics;
mod reads;
mod service;
mod switches;
mod trade;

pub use arrival::{Arrival, CallerCheck, Claim};
pub use metrics::DeskMetrics;
pub use reads::today;
pub use service::{Desk, DeskParts};
