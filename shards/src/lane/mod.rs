//! Lanes: the single writers. A lane gathers the commands that wait into one batch and commits it
//! in one transaction. While it commits, the next batch gathers. A single command does not wait,
//! and hundreds that come together share one commit. In between, a lane waits a little for a batch
//! that is worth its statements, round trips and commit.
//!
//! `market` has the rules of a batch. Here is the order of the steps, and what happens when one
//! fails:
//!
//! * `queue.rs`: commands wait, in a queue as long as the lane is fast (`pace.rs`), and the lane
//!   for more of them while more are coming (`callers.rs`)
//! * `run.rs`: a lane takes what waits, batch by batch
//! * `answering.rs`: a batch is tried, and halved, until each command is answered; commands whose
//!   rows another process has locked are set aside (`held.rs`)
//! * `executor.rs`: one try: gather, prefetch, plan, take, settle, persist
//! * `lookups.rs`: when a batch looks for earlier calls
//! * `failure.rs`: how a try fails
//! * `ids.rs`, `clock.rs`, `limits.rs`: ids of orders and grants, the shard's clock, sizes
mod answering;
mod callers;
mod clock;
mod executor;
mod failure;
mod held;
mod ids;
mod limits;
mod lookups;
mod pace;
mod queue;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use self::callers::Callers;
pub(crate) use self::executor::Surroundings;
pub(crate) use self::ids::{Cut, Ids, Runs, run_of_grant};
pub use self::limits::{LaneLimits, Timeouts};
pub(crate) use self::queue::Entrance;
pub(crate) use self::run::start;
