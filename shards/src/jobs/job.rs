//! What a job is: its name, how often it has a round, and one round.
use std::future::Future;
use std::time::Duration;

use crate::stock::cluster::ReconcileError;
use crate::store::StoreError;

/// Work that is done periodically.
pub(crate) trait Job: Send + 'static {
    /// Its name in metrics, leases and lists. When there are several of one kind, [`Job::number`]
    /// follows.
    const NAME: &'static str;
    /// The time from the start of a round to the start of the next. After a round that takes
    /// longer, the next one begins at once.
    const EVERY: Duration;
    /// Which processes run it.
    const SCOPE: JobScope = JobScope::Installation;
    /// Whether one more round follows when the process stops, after all other jobs have ended.
    const LAST_ROUND: bool = false;

    /// The number of the shard or stock server that this one works on.
    fn number(&self) -> Option<u16> {
        None
    }

    /// One round. It is dropped, at any await, when it takes too long.
    fn round(&mut self) -> impl Future<Output = Result<Round, JobError>> + Send;
}

/// Which processes of an installation run a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobScope {
    /// The one that holds the job's lease.
    Installation,
    /// Each process for itself.
    Process,
}

/// The result of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// How much is left to do, for a job that knows.
    pub(crate) backlog: Option<u64>,
}

impl Round {
    /// A round of a job that has no backlog.
    pub(crate) const DONE: Self = Self { backlog: None };

    /// A round that leaves this much undone.
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
