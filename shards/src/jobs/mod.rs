//! Jobs: the periodic work of a gateway, one file each.
//!
//! A job says its name, how often it has a round, and what one round does. The [`Runner`] starts
//! rounds, bounds the time of each, and notes how it ended. A job of the whole installation runs on
//! one process at a time: the one that holds its lease ([`Leases`]). A lease only saves work. Every
//! job is correct when two processes run it at once, so nothing waits for certainty.
mod board;
pub(crate) mod disk;
pub(crate) mod fold;
pub(crate) mod forget;
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

use std::future::Future;
use std::time::Duration;

pub use self::board::{JobStatus, LastRound, RoundOutcome};
pub(crate) use self::board::{Jobs, holder};
pub(crate) use self::lease_table::LeaseTable;
pub(crate) use self::leases::{Leases, SharedLeases};
pub(crate) use self::metrics::JobMetrics;
pub(crate) use self::runner::Runner;
use crate::stock::cluster::ReconcileError;
use crate::store::StoreError;

/// Work that is done again and again.
pub(crate) trait Job: Send + 'static {
    /// What metrics, leases and operators call it. Where there are several of one kind,
    /// [`Job::number`] follows.
    const NAME: &'static str;
    /// The time from the start of a round to that of the next. After a round that takes longer the
    /// next begins at once.
    const EVERY: Duration;
    /// Which processes run it.
    const SCOPE: JobScope = JobScope::Installation;
    /// Whether one more round follows when the process stops, after all other jobs.
    const LAST_ROUND: bool = false;

    /// The number of the shard or stock server that this one works on.
    fn number(&self) -> Option<u16> {
        None
    }

    /// One round. It may be dropped at any await, when it takes too long.
    fn round(&mut self) -> impl Future<Output = Result<Round, JobError>> + Send;
}

/// Which processes of an installation run a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobScope {
    /// The one that holds the job's lease.
    Installation,
    /// Every process for itself.
    Process,
}

/// What a round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// How much is left to do, for a job that knows.
    pub(crate) backlog: Option<u64>,
}

impl Round {
    /// A round of a job that has no backlog.
    pub(crate) const DONE: Self = Self { backlog: None };

    /// A round that leaves so much undone.
    pub(crate) fn leaving(backlog: usize) -> Self {
        Self {
            backlog: Some(backlog as u64),
        }
    }
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stock server, or a database beside it.
    #[error(transparent)]
    Stock(#[from] ReconcileError),
}
