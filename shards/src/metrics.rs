//! What the shards measure. Names are listed in the project's metrics table.
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramTimer, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::breaker::BreakerMetrics;

/// Metrics of all lanes, of the stock and of the breakers.
#[derive(Debug, Clone)]
pub struct Metrics {
    batch_commands: HistogramVec,
    step_seconds: HistogramVec,
    draws: IntCounterVec,
    /// Draws that wait in a lane's queue.
    pub queue_commands: IntGaugeVec,
    /// Draws that may wait there just now.
    pub queue_bound_commands: IntGaugeVec,
    /// Units of a prize that can be taken.
    pub stock_left_units: IntGaugeVec,
    /// Of the breakers.
    pub(crate) breakers: BreakerMetrics,
}

/// Metrics of a cluster's background jobs.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    /// Rounds by how they ended.
    pub(crate) job_rounds: IntCounterVec,
    /// Rebuilds of stock servers that this process did.
    pub(crate) stock_rebuilds: IntCounterVec,
    /// Words over Redis that the meta database has something new.
    pub(crate) hints: IntCounter,
    /// When this process last copied the stock picture into the meta database.
    pub(crate) picture_written_seconds: IntGauge,
}

impl ClusterMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let rounds = Opts::new("drawbridge_job_rounds_total", "Rounds of background jobs by how they ended");
        let rebuilds = Opts::new("drawbridge_stock_rebuilds_total", "Rebuilds of stock servers by this process");
        let written = Opts::new(
            "drawbridge_stock_picture_timestamp_seconds",
            "When this process last copied the stock picture into the meta database, in seconds since 1970",
        );
        let metrics = Self {
            job_rounds: IntCounterVec::new(rounds, &["job", "outcome"])?,
            stock_rebuilds: IntCounterVec::new(rebuilds, &["server"])?,
            hints: IntCounter::new(
                "drawbridge_meta_hints_total",
                "Words over Redis that the meta database has something new",
            )?,
            picture_written_seconds: IntGauge::with_opts(written)?,
        };
        registry.register(Box::new(metrics.job_rounds.clone()))?;
        registry.register(Box::new(metrics.stock_rebuilds.clone()))?;
        registry.register(Box::new(metrics.hints.clone()))?;
        registry.register(Box::new(metrics.picture_written_seconds.clone()))?;
        Ok(metrics)
    }
}

/// The metrics of one lane.
#[derive(Debug, Clone)]
pub(crate) struct LaneMetrics {
    batch_commands: Histogram,
    queue_seconds: Histogram,
    prefetch_seconds: Histogram,
    take_seconds: Histogram,
    persist_seconds: Histogram,
    draws: IntCounter,
}

/// A step of a batch that waits for the database or the stock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Prefetch,
    Take,
    Persist,
}

impl Metrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let commands = HistogramOpts::new("drawbridge_lane_batch_commands", "Draws in one batch of a lane")
            .buckets(vec![1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024.]);
        let seconds = HistogramOpts::new("drawbridge_lane_step_seconds", "Time of a batch's step in seconds")
            .buckets(prometheus::exponential_buckets(0.0001, 2.0, 16)?);
        let queue = Opts::new("drawbridge_lane_queue_commands", "Draws that wait in a lane's queue");
        let bound = Opts::new("drawbridge_lane_queue_bound_commands", "Draws that may wait in a lane's queue just now");
        let draws = Opts::new("drawbridge_lane_draws_total", "Draws that a lane has committed");
        let left = Opts::new("drawbridge_stock_left_units", "Units of a prize that can be taken");
        let metrics = Self {
            batch_commands: HistogramVec::new(commands, &["shard"])?,
            step_seconds: HistogramVec::new(seconds, &["shard", "step"])?,
            draws: IntCounterVec::new(draws, &["shard"])?,
            queue_commands: IntGaugeVec::new(queue, &["shard"])?,
            queue_bound_commands: IntGaugeVec::new(bound, &["shard"])?,
            stock_left_units: IntGaugeVec::new(left, &["activity", "award"])?,
            breakers: BreakerMetrics::new(registry)?,
        };
        registry.register(Box::new(metrics.batch_commands.clone()))?;
        registry.register(Box::new(metrics.step_seconds.clone()))?;
        registry.register(Box::new(metrics.draws.clone()))?;
        registry.register(Box::new(metrics.queue_commands.clone()))?;
        registry.register(Box::new(metrics.queue_bound_commands.clone()))?;
        registry.register(Box::new(metrics.stock_left_units.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn lane(&self, shard: &str) -> LaneMetrics {
        LaneMetrics {
            batch_commands: self.batch_commands.with_label_values(&[shard]),
            queue_seconds: self.step_seconds.with_label_values(&[shard, "queue"]),
            prefetch_seconds: self.step_seconds.with_label_values(&[shard, "prefetch"]),
            take_seconds: self.step_seconds.with_label_values(&[shard, "take"]),
            persist_seconds: self.step_seconds.with_label_values(&[shard, "persist"]),
            draws: self.draws.with_label_values(&[shard]),
        }
    }
}

impl LaneMetrics {
    /// Counts a batch.
    pub(crate) fn batch(&self, draws: usize) {
        self.batch_commands.observe(f64::from(u32::try_from(draws).unwrap_or(u32::MAX)));
    }

    /// Counts draws that are committed.
    pub(crate) fn committed(&self, draws: usize) {
        self.draws.inc_by(draws as u64);
    }

    /// Notes how long the first command of a batch has waited for it.
    pub(crate) fn waited(&self, time: Duration) {
        self.queue_seconds.observe(time.as_secs_f64());
    }

    pub(crate) fn step(&self, step: Step) -> HistogramTimer {
        match step {
            Step::Prefetch => self.prefetch_seconds.start_timer(),
            Step::Take => self.take_seconds.start_timer(),
            Step::Persist => self.persist_seconds.start_timer(),
        }
    }
}
