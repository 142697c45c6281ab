//! The runner: gives each job its rounds, bounds the time of each, and records how it ended.
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{Job, JobError, JobMetrics, JobScope, Jobs, LastRound, Leases, Round, RoundOutcome};

/// A round that takes longer is dropped, and a new one begins.
const ROUND_MAX: Duration = Duration::from_secs(20);

/// Runs jobs until the process stops.
pub(crate) struct Runner {
    jobs: Arc<Jobs>,
    metrics: JobMetrics,
    stop: watch::Sender<bool>,
    /// Jobs that have a last round wait for it.
    stop_last: watch::Sender<bool>,
    started: usize,
    tasks: Vec<JoinHandle<()>>,
    last_tasks: Vec<JoinHandle<()>>,
}

impl Runner {
    pub(crate) fn new(jobs: Arc<Jobs>, metrics: JobMetrics) -> Self {
        Self {
            jobs,
            metrics,
            stop: watch::Sender::new(false),
            stop_last: watch::Sender::new(false),
            started: 0,
            tasks: Vec::new(),
            last_tasks: Vec::new(),
        }
    }

    /// Begins a job: a round every [`Job::EVERY`], while this process holds its lease.
    pub(crate) fn start<J: Job>(&mut self, job: J) {
        let name = match job.number() {
            Some(number) => format!("{}-{number}", J::NAME),
            None => J::NAME.to_owned(),
        };
        self.jobs.add(&name, J::EVERY, J::SCOPE);
        let rounds = Rounds {
            job,
            name,
            jobs: self.jobs.clone(),
            metrics: self.metrics.clone(),
            failing: false,
        };
        let first = Instant::now() + offset(self.started, J::EVERY);
        self.started += 1;
        let task =
            tokio::spawn(rounds.run(first, self.stop.subscribe(), self.stop_last.subscribe()));
        if J::LAST_ROUND {
            self.last_tasks.push(task);
        } else {
            self.tasks.push(task);
        }
    }

    /// Keeps the leases of the jobs that were started, where gateways share them.
    pub(crate) fn keep_leases(&mut self) {
        if let Leases::Shared(leases) = self.jobs.leases() {
            let kept = leases.clone().keep(self.stop.subscribe());
            self.tasks.push(tokio::spawn(kept));
        }
    }

    /// Adds tasks that end by [`Runner::stopped`].
    pub(crate) fn add(&mut self, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
        self.tasks.extend(tasks);
    }

    /// Turns true when the process stops.
    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// The state of the jobs.
    pub(crate) fn jobs(&self) -> Arc<Jobs> {
        self.jobs.clone()
    }

    /// Ends all jobs, those with a last round after the others.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        wait_for(self.tasks).await;
        self.stop_last.send_replace(true);
        wait_for(self.last_tasks).await;
    }
}

async fn wait_for(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!(%error, "a job did not end as it should");
        }
    }
}

/// When the first round of a job begins, by its index. Rounds that all began at once would delay
/// draws together. Jobs next to each other in the list work on the same shard.
fn offset(index: usize, pause: Duration) -> Duration {
    const PARTS: u32 = 8;
    const STEP: u32 = 5;
    let index = u32::try_from(index).unwrap_or_default();
    pause * (index.wrapping_mul(STEP) % PARTS) / PARTS
}

/// The rounds of one job.
struct Rounds<J> {
    job: J,
    name: String,
    jobs: Arc<Jobs>,
    metrics: JobMetrics,
    /// Whether the latest round failed.
    failing: bool,
}

impl<J: Job> Rounds<J> {
    async fn run(
        mut self,
        first: Instant,
        mut stop: watch::Receiver<bool>,
        mut stop_last: watch::Receiver<bool>,
    ) {
        let mut ticks = interval_at(first, J::EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // The stop comes first: no round begins after it.
                biased;
                _ = stop.wait_for(|&stop| stop) => break,
                _ = ticks.tick() => {}
            }
            self.round_if_ours().await;
        }
        if J::LAST_ROUND {
            drop(stop_last.wait_for(|&stop| stop).await);
            self.round_if_ours().await;
        }
    }

    async fn round_if_ours(&mut self) {
        if J::SCOPE == JobScope::Process {
            return self.round().await;
        }
        if self.jobs.leases().begin(&self.name) {
            self.round().await;
            self.jobs.leases().end(&self.name);
        } else {
            self.failing = false;
        }
    }

    async fn round(&mut self) {
        let (began_at, began) = (Timestamp::now(), Instant::now());
        let result = timeout(ROUND_MAX, self.job.round()).await.ok();
        let round = describe(result, began_at, began.elapsed());
        self.metrics.count(&self.name, round.outcome);
        self.log(&round);
        self.jobs.note(&self.name, round);
    }

    /// Logs an outcome. A job that keeps failing warns once.
    fn log(&mut self, round: &LastRound) {
        let job = &*self.name;
        match &round.why {
            Some(why) if self.failing => tracing::debug!(job, why, "a job keeps failing"),
            Some(why) => tracing::warn!(job, why, "a job failed and will be tried again"),
            None if self.failing => tracing::info!(job, "a job works again"),
            None => {}
        }
        self.failing = round.why.is_some();
    }
}

fn describe(
    result: Option<Result<Round, JobError>>,
    began_at: Timestamp,
    took: Duration,
) -> LastRound {
    let (outcome, why, backlog) = match result {
        Some(Ok(round)) => (RoundOutcome::Done, None, round.backlog),
        Some(Err(error)) => (RoundOutcome::Failed, Some(error.to_string()), None),
        None => (
            RoundOutcome::Late,
            Some("it took too long".to_owned()),
            None,
        ),
    };
    LastRound {
        began_at,
        took,
        outcome,
        why,
        backlog,
    }
}
