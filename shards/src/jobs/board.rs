//! The state of each job: its latest round on this process, and who holds its lease.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{JobScope, Leases};

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundOutcome {
    /// It did its work.
    Done,
    /// It failed.
    Failed,
    /// It took too long and was dropped.
    Late,
}

impl RoundOutcome {
    /// As metrics and the admin address show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Failed => "failed",
            Self::Late => "late",
        }
    }
}

/// A job's latest round on this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRound {
    /// When it began.
    pub began_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: RoundOutcome,
    /// Why it failed.
    pub why: Option<String>,
    /// How much it left undone, for a job that knows.
    pub backlog: Option<u64>,
}

/// A job as this process knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Its name, with a number where there are several of its kind: `stock-1`.
    pub job: String,
    /// How often it has a round.
    pub every: Duration,
    /// The process that runs it, as `PROCESS_ID-INSTANCE`; `None` while there is none.
    pub holder: Option<String>,
    /// Whether that is this process.
    pub here: bool,
    /// The latest round on this process.
    pub last_round: Option<LastRound>,
    /// When the latest round of this process that did its work began.
    pub last_success_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Rounds {
    every: Duration,
    scope: JobScope,
    last: Option<LastRound>,
    last_success_at: Option<Timestamp>,
}

/// How leases name this process.
pub(crate) fn holder(instance: &str) -> String {
    format!("{}-{instance}", std::process::id())
}

/// The jobs of this process.
pub(crate) struct Jobs {
    instance: String,
    holder: String,
    leases: Leases,
    rounds: Mutex<BTreeMap<String, Rounds>>,
}

impl Jobs {
    /// None yet. `instance` is drawn for this process.
    pub(crate) fn new(instance: String, leases: Leases) -> Self {
        Self {
            holder: holder(&instance),
            instance,
            leases,
            rounds: Mutex::default(),
        }
    }

    /// Adds a job that has had no round.
    pub(super) fn add(&self, job: &str, every: Duration, scope: JobScope) {
        if scope == JobScope::Installation {
            self.leases.add(job);
        }
        let rounds = Rounds {
            every,
            scope,
            last: None,
            last_success_at: None,
        };
        self.rounds().insert(job.to_owned(), rounds);
    }

    /// Records a round.
    pub(super) fn note(&self, job: &str, round: LastRound) {
        if let Some(rounds) = self.rounds().get_mut(job) {
            if round.outcome == RoundOutcome::Done {
                rounds.last_success_at = Some(round.began_at);
            }
            rounds.last = Some(round);
        }
    }

    /// The name of this process.
    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// The leases.
    pub(super) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// All jobs, by name.
    pub(crate) fn list(&self) -> Vec<JobStatus> {
        let rounds = self.rounds();
        rounds
            .iter()
            .map(|(job, rounds)| self.status(job, rounds))
            .collect()
    }

    fn status(&self, job: &str, rounds: &Rounds) -> JobStatus {
        let holder = match (rounds.scope, &self.leases) {
            (JobScope::Process, _) | (_, Leases::Local) => Some(self.holder.clone()),
            (JobScope::Installation, Leases::Shared(leases)) => leases.holder(job),
        };
        JobStatus {
            job: job.to_owned(),
            every: rounds.every,
            here: holder.as_ref() == Some(&self.holder),
            holder,
            last_round: rounds.last.clone(),
            last_success_at: rounds.last_success_at,
        }
    }

    fn rounds(&self) -> MutexGuard<'_, BTreeMap<String, Rounds>> {
        // No code panics half-way through a change.
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
