//! Metrics of the shards. docs/metrics.md lists them.
use std::time::Duration;

use market::batch::StockItem;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramTimer, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::breaker::BreakerMetrics;
use crate::stock::snapshot::Snapshot;

/// Of what stock is: `award` or `sku`, and its number. The word is between two numbers because the
/// values of all labels together are the key of a series.
const STOCK_LABELS: [&str; 3] = ["activity", "good", "id"];

/// Metrics of all lanes, of the stock and of the breakers.
#[derive(Debug, Clone)]
pub struct Metrics {
    batch_draws: HistogramVec,
    step_seconds: HistogramVec,
    admitted: IntCounterVec,
    taken: IntCounterVec,
    ended: IntCounterVec,
    orders: IntCounterVec,
    grants: IntCounterVec,
    /// Run numbers that are not claimed yet.
    pub(crate) run_numbers_left: IntGauge,
    clock_skew_seconds: GaugeVec,
    /// Draws that wait in a lane's queue.
    pub queue_draws: IntGaugeVec,
    /// Draws that may wait there just now.
    pub queue_bound_draws: IntGaugeVec,
    /// Units of an item that can be taken.
    pub stock_left_units: IntGaugeVec,
    /// Units of an item under grants of batches that are under way.
    pub stock_open_units: IntGaugeVec,
    /// Units of an item that orders took.
    pub stock_issued_units: IntGaugeVec,
    /// Metrics of the breakers.
    pub(crate) breakers: BreakerMetrics,
    meta_followed: Gauge,
}

/// The metrics of one lane.
#[derive(Debug, Clone)]
pub(crate) struct LaneMetrics {
    batch_draws: Histogram,
    queue_seconds: Histogram,
    prefetch_seconds: Histogram,
    take_seconds: Histogram,
    persist_seconds: Histogram,
    /// Commands that the lane's queue has taken in.
    pub(crate) admitted: IntCounter,
    taken: IntCounter,
    /// Ended commands, in the order of [`Ended`].
    ended: [IntCounter; Ended::LABELS.len()],
    orders: IntCounter,
    grants: IntCounter,
    /// By how much this process's clock is ahead of the shard's.
    pub(crate) clock_skew_seconds: Gauge,
}

/// How a command of a lane's queue ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended {
    /// With its result, made now or earlier under the same request id.
    Made,
    /// A rule refuses it.
    Refused,
    /// Another process had the user's rows.
    Held,
    /// The shard was unavailable, refused the data, or did not confirm.
    Failed,
    /// Its caller had gone, or it had waited too long, before the lane took it.
    Abandoned,
}

impl Ended {
    const LABELS: [&str; 5] = ["made", "refused", "held", "failed", "abandoned"];
}

/// A step of a batch that waits for the database or the stock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BatchStep {
    Prefetch,
    Take,
    Persist,
}

impl Metrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let draws = HistogramOpts::new(
            "drawbridge_lane_batch_draws",
            "Draws in one batch of a lane",
        )
        .buckets(vec![1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024.]);
        let seconds = HistogramOpts::new("drawbridge_lane_step_seconds", "Time of a batch's step")
            .buckets(prometheus::exponential_buckets(0.0001, 2.0, 16)?);
        let queue = Opts::new(
            "drawbridge_lane_queue_draws",
            "Draws that wait in a lane's queue",
        );
        let bound = Opts::new(
            "drawbridge_lane_queue_bound_draws",
            "Draws that may wait in a lane's queue just now",
        );
        let admitted = Opts::new(
            "drawbridge_lane_admitted_commands_total",
            "Commands that a lane's queue has taken in",
        );
        let taken = Opts::new(
            "drawbridge_lane_taken_commands_total",
            "Commands that a lane has taken out of its queue",
        );
        let ended = Opts::new(
            "drawbridge_lane_ended_commands_total",
            "Commands by how a lane ended them",
        );
        let orders = Opts::new(
            "drawbridge_lane_orders_total",
            "Orders that a lane has committed",
        );
        let grants = Opts::new(
            "drawbridge_lane_grants_total",
            "Grants of stock that a lane has committed",
        );
        let runs = Opts::new(
            "drawbridge_run_numbers_left",
            "Run numbers left when this process last claimed one",
        );
        let skew = Opts::new(
            "drawbridge_clock_skew_seconds",
            "By how much this process's clock is ahead of the shard's",
        );
        let left = Opts::new(
            "drawbridge_stock_left_units",
            "Units of a prize or sku that can be taken",
        );
        let open = Opts::new(
            "drawbridge_stock_open_units",
            "Units of a prize or sku that batches under way hold",
        );
        let issued = Opts::new(
            "drawbridge_stock_issued_units",
            "Units of a prize or sku that orders took",
        );
        let metrics = Self {
            batch_draws: HistogramVec::new(draws, &["shard"])?,
            step_seconds: HistogramVec::new(seconds, &["shard", "step"])?,
            admitted: IntCounterVec::new(admitted, &["shard"])?,
            taken: IntCounterVec::new(taken, &["shard"])?,
            ended: IntCounterVec::new(ended, &["shard", "outcome"])?,
            orders: IntCounterVec::new(orders, &["shard"])?,
            grants: IntCounterVec::new(grants, &["shard"])?,
            run_numbers_left: IntGauge::with_opts(runs)?,
            queue_draws: IntGaugeVec::new(queue, &["shard"])?,
            queue_bound_draws: IntGaugeVec::new(bound, &["shard"])?,
            clock_skew_seconds: GaugeVec::new(skew, &["shard"])?,
            stock_left_units: IntGaugeVec::new(left, &STOCK_LABELS)?,
            stock_open_units: IntGaugeVec::new(open, &STOCK_LABELS)?,
            stock_issued_units: IntGaugeVec::new(issued, &STOCK_LABELS)?,
            breakers: BreakerMetrics::new(registry)?,
            meta_followed: Gauge::new(
                "drawbridge_meta_followed_timestamp_seconds",
                "When the meta database was last followed, in seconds since 1970",
            )?,
        };
        registry.register(Box::new(metrics.meta_followed.clone()))?;
        registry.register(Box::new(metrics.batch_draws.clone()))?;
        registry.register(Box::new(metrics.step_seconds.clone()))?;
        registry.register(Box::new(metrics.admitted.clone()))?;
        registry.register(Box::new(metrics.taken.clone()))?;
        registry.register(Box::new(metrics.ended.clone()))?;
        registry.register(Box::new(metrics.orders.clone()))?;
        registry.register(Box::new(metrics.grants.clone()))?;
        registry.register(Box::new(metrics.run_numbers_left.clone()))?;
        registry.register(Box::new(metrics.queue_draws.clone()))?;
        registry.register(Box::new(metrics.queue_bound_draws.clone()))?;
        registry.register(Box::new(metrics.clock_skew_seconds.clone()))?;
        registry.register(Box::new(metrics.stock_left_units.clone()))?;
        registry.register(Box::new(metrics.stock_open_units.clone()))?;
        registry.register(Box::new(metrics.stock_issued_units.clone()))?;
        Ok(metrics)
    }

    /// Records that the meta database was followed just now.
    pub(crate) fn followed(&self) {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        self.meta_followed
            .set(jiff::Timestamp::now().as_millisecond() as f64 / 1000.0);
    }

    pub(crate) fn lane(&self, shard: &str) -> LaneMetrics {
        LaneMetrics {
            batch_draws: self.batch_draws.with_label_values(&[shard]),
            queue_seconds: self.step_seconds.with_label_values(&[shard, "queue"]),
            prefetch_seconds: self.step_seconds.with_label_values(&[shard, "prefetch"]),
            take_seconds: self.step_seconds.with_label_values(&[shard, "take"]),
            persist_seconds: self.step_seconds.with_label_values(&[shard, "persist"]),
            admitted: self.admitted.with_label_values(&[shard]),
            taken: self.taken.with_label_values(&[shard]),
            ended: Ended::LABELS.map(|outcome| self.ended.with_label_values(&[shard, outcome])),
            orders: self.orders.with_label_values(&[shard]),
            grants: self.grants.with_label_values(&[shard]),
            clock_skew_seconds: self.clock_skew_seconds.with_label_values(&[shard]),
        }
    }

    /// Failed commands so far, on the first `shards` shards.
    pub(crate) fn failed(&self, shards: u16) -> u64 {
        let label = Ended::LABELS[Ended::Failed as usize];
        (0..shards)
            .map(|shard| {
                self.ended
                    .with_label_values(&[&*shard.to_string(), label])
                    .get()
            })
            .sum()
    }

    /// Shows the present stock, as far as known.
    pub(crate) fn show_stock(&self, snapshots: &[Snapshot]) {
        let shown = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
        for snapshot in snapshots {
            let StockItem { activity, good } = snapshot.item;
            let labels = [
                activity.to_string(),
                good.word().to_owned(),
                good.id().to_string(),
            ];
            self.stock_left_units
                .with_label_values(&labels)
                .set(shown(snapshot.left));
            self.stock_open_units
                .with_label_values(&labels)
                .set(shown(snapshot.open));
            self.stock_issued_units
                .with_label_values(&labels)
                .set(shown(snapshot.issued));
        }
    }
}

impl LaneMetrics {
    /// Counts what a lane took out of its queue.
    pub(crate) fn taken(&self, commands: usize) {
        self.taken.inc_by(commands as u64);
    }

    /// Counts a batch.
    pub(crate) fn batch(&self, draws: usize) {
        self.batch_draws
            .observe(f64::from(u32::try_from(draws).unwrap_or(u32::MAX)));
    }

    /// The counts so far.
    #[cfg(test)]
    pub(crate) fn counted(&self) -> Counted {
        let ended = self.ended.iter().map(IntCounter::get).sum();
        let draws = self.batch_draws.get_sample_sum();
        Counted {
            admitted: self.admitted.get(),
            taken: self.taken.get(),
            ended,
            draws,
            orders: self.orders.get(),
        }
    }

    /// Counts how a command has ended.
    pub(crate) fn ended(&self, ended: Ended, commands: usize) {
        self.ended[ended as usize].inc_by(commands as u64);
    }

    /// Counts what a batch has committed.
    pub(crate) fn committed(&self, orders: usize, units: bool) {
        self.orders.inc_by(orders as u64);
        self.grants.inc_by(u64::from(units));
    }

    /// Records how long the first command of a batch has waited for it.
    pub(crate) fn waited(&self, time: Duration) {
        self.queue_seconds.observe(time.as_secs_f64());
    }

    pub(crate) fn step(&self, step: BatchStep) -> HistogramTimer {
        match step {
            BatchStep::Prefetch => self.prefetch_seconds.start_timer(),
            BatchStep::Take => self.take_seconds.start_timer(),
            BatchStep::Persist => self.persist_seconds.start_timer(),
        }
    }
}

/// The counts of a lane.
#[cfg(test)]
pub(crate) struct Counted {
    pub(crate) admitted: u64,
    pub(crate) taken: u64,
    /// With any end.
    pub(crate) ended: u64,
    /// In batches.
    pub(crate) draws: f64,
    pub(crate) orders: u64,
}
