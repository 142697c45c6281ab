//! Jobs: the periodic work of a gateway, one file each.
//!
//! A job has a name, an interval, and one round. The [`Runner`] starts rounds, bounds the time of
//! each, and records how it ended. A job of the whole installation runs on one process at a time:
//! the one that holds its lease ([`Leases`]). A lease only saves work. Every job is correct when
//! two processes run it at once, so nothing waits for certainty.
mod board;
pub(crate) mod disk;
pub(crate) mod fold;
pub(crate) mod forget;
mod job;
mod lease_table;
mod leases;
mod metrics;
pub(crate) mod overdue;
pub(crate) mod reclaim;
pub(crate) mod reconcile;
mod runner;
pub(crate) mod snapshot;
pub(crate) mod withdraw;
pub(crate) mod withdraw_from_memory;

pub use self::board::{JobStatus, LastRound, RoundOutcome};
pub(crate) use self::board::{Jobs, holder};
pub(crate) use self::job::{Job, JobError, JobScope, Round};
pub(crate) use self::lease_table::LeaseTable;
pub(crate) use self::leases::{Leases, SharedLeases};
pub(crate) use self::metrics::JobMetrics;
pub(crate) use self::runner::Runner;
