//! The job runner: each job runs on one gateway at a time, whichever has its lease. A lease only
//! saves work: every job is correct when two run it at once, so nothing waits for certainty.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::leases::Leases;
use crate::metrics::ClusterMetrics;
use crate::stock::cluster::ReconcileError;

/// A round that takes longer is given up and begun again.
const ROUND_MAX: Duration = Duration::from_secs(20);

/// Runs jobs until told to stop.
pub(super) struct Runner {
    pub(super) leases: Arc<Leases>,
    pub(super) metrics: ClusterMetrics,
    pub(super) stop: watch::Sender<bool>,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl Runner {
    /// Runs `round` every `pause` while this process has the job's lease.
    pub(super) fn start<W, F>(&mut self, job: String, pause: Duration, mut round: W)
    where
        W: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), ReconcileError>> + Send,
    {
        self.leases.add(&job);
        let (leases, metrics) = (self.leases.clone(), self.metrics.clone());
        let mut stop = self.stop.subscribe();
        let first = Instant::now() + offset(self.tasks.len(), pause);
        self.tasks.push(tokio::spawn(async move {
            let mut ticks = interval_at(first, pause);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut failing = false;
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = stop.wait_for(|&stop| stop) => return,
                }
                if leases.begin(&job) {
                    let result = timeout(ROUND_MAX, round()).await;
                    leases.end(&job);
                    failing = note(&metrics, &job, result.ok(), failing);
                } else {
                    failing = false;
                }
            }
        }));
    }
}

impl Runner {
    /// Keeps the leases of the jobs that were started.
    pub(super) fn keep_leases(&mut self) {
        self.tasks.push(tokio::spawn(
            self.leases.clone().keep(self.stop.subscribe()),
        ));
    }
}

/// When the first round of the so-many-eth job begins. Rounds that all began at once would keep
/// draws waiting together; next to each other in the list stand those that look at the same shard.
fn offset(job: usize, pause: Duration) -> Duration {
    const PARTS: u32 = 8;
    const STEP: u32 = 5;
    let job = u32::try_from(job).unwrap_or_default();
    pause * (job.wrapping_mul(STEP) % PARTS) / PARTS
}

/// Counts a round. A job that goes on failing says so once; answers whether it is failing.
fn note(
    metrics: &ClusterMetrics,
    job: &str,
    result: Option<Result<(), ReconcileError>>,
    failing: bool,
) -> bool {
    let (outcome, why) = match result {
        Some(Ok(())) => ("ok", None),
        Some(Err(error)) => ("failed", Some(error.to_string())),
        None => ("late", Some("it took too long".to_owned())),
    };
    metrics.job_rounds.with_label_values(&[job, outcome]).inc();
    match &why {
        Some(why) if failing => tracing::debug!(job, why, "a job goes on failing"),
        Some(why) => tracing::warn!(job, why, "a job failed and goes on trying"),
        None if failing => tracing::info!(job, "a job works again"),
        None => {}
    }
    why.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_jobs_in_a_row_begin_an_eighth_apart() {
        let second = Duration::from_secs(1);
        let mut offsets: Vec<u128> = (3..11).map(|job| offset(job, second).as_millis()).collect();
        assert!(
            offsets
                .windows(2)
                .all(|pair| pair[0].abs_diff(pair[1]) >= 375),
            "{offsets:?}"
        );
        offsets.sort_unstable();
        assert_eq!(offsets, [0, 125, 250, 375, 500, 625, 750, 875]);
    }
}
