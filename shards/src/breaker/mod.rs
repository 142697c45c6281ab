//! Circuit breakers: one before each shard, for draws and reads of its users, and one before each
//! stock server. What does not answer is refused at once, instead of keeping callers waiting, and
//! a few probes find out when it is back.
//!
//! From `failsafe` come the states and the ways between them (`chart.rs`). All else is ours,
//! because the crate does not have it: sliding windows with slow calls (`window.rs`); a bounded
//! number of probes which must all succeed, calls of before a change that do not count after it,
//! force, and time as a parameter (`guard.rs`); permits, so that a call whose caller has gone is
//! seen too (`permit.rs`).
//!
//! Each process has breakers of its own, in memory: a gateway judges by what it sees itself.
mod breakers;
mod chart;
mod guard;
mod metrics;
mod mode;
mod permit;
mod settings;
#[cfg(test)]
mod tests;
mod window;

pub use self::breakers::{Breakers, UnknownBreaker};
pub use self::chart::State;
pub use self::guard::Force;
pub(crate) use self::guard::Verdict;
pub use self::metrics::BreakerMetrics;
pub use self::mode::{Mode, Order, Status};
pub(crate) use self::permit::{Breaker, Permit, Refused};
pub use self::settings::Settings;
