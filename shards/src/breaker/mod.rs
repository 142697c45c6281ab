//! Circuit breakers: one in front of each shard, for commands and reads of its users, and one in
//! front of each stock server. A breaker refuses calls at once while what is behind it does not
//! answer, so that callers do not wait. It lets a few probes in to find out when it answers again.
//!
//! The states and the transitions between them come from the crate `failsafe` (`chart.rs`). The
//! rest is our own, because the crate does not have it:
//!
//! * sliding windows that count slow calls too (`window.rs`);
//! * a bounded number of probes that must all succeed, calls that do not count after a change of
//!   state, states forced by operators, and time as a parameter (`guard.rs`);
//! * permits, which also notice a call whose caller has gone (`permit.rs`).
//!
//! Each process has breakers of its own, in memory: a gateway decides by its own calls.
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
pub use self::chart::BreakerState;
pub(crate) use self::guard::CallOutcome;
pub use self::guard::ForcedState;
pub use self::metrics::BreakerMetrics;
pub use self::mode::{BreakerCommand, BreakerControl, BreakerStatus};
pub(crate) use self::permit::{Breaker, BreakerPermit, BreakerRefusal};
pub use self::settings::BreakerSettings;
