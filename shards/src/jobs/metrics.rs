//! Metrics of the runner of jobs.
use prometheus::{IntCounterVec, Opts, Registry};

use super::RoundOutcome;

/// Metrics of the runner.
#[derive(Debug, Clone)]
pub(crate) struct JobMetrics {
    rounds: IntCounterVec,
}

impl JobMetrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let rounds = Opts::new(
            "drawbridge_job_rounds_total",
            "Rounds of background jobs by how they ended",
        );
        let metrics = Self {
            rounds: IntCounterVec::new(rounds, &["job", "outcome"])?,
        };
        registry.register(Box::new(metrics.rounds.clone()))?;
        Ok(metrics)
    }

    /// Counts a round.
    pub(super) fn count(&self, job: &str, outcome: RoundOutcome) {
        self.rounds.with_label_values(&[job, outcome.name()]).inc();
    }
}
