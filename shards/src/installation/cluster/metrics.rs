//! Metrics that only a cluster has.
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Metrics of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct ClusterMetrics {
    /// Rebuilds of stock servers that this process did.
    pub(crate) stock_rebuilds: IntCounterVec,
    /// Receipts of grants that this process deleted instead of their lanes.
    pub(crate) receipts_reclaimed: IntCounterVec,
    /// Receipts that are older than they should be.
    pub(crate) receipts_overdue: IntGaugeVec,
    /// Change notifications of the meta database that came over Redis.
    pub(crate) notifications: IntCounter,
    /// When this process last copied the stock snapshot into the meta database.
    pub(crate) snapshot_written_seconds: IntGauge,
    /// Parts that were found to be another cluster's.
    pub(crate) identity_mismatch: IntGaugeVec,
}

impl ClusterMetrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let rebuilds = Opts::new(
            "drawbridge_stock_rebuilds_total",
            "Rebuilds of stock servers by this process",
        );
        let reclaimed = Opts::new(
            "drawbridge_receipts_reclaimed_total",
            "Receipts of grants that this process deleted instead of their lanes",
        );
        let overdue = Opts::new(
            "drawbridge_receipts_overdue",
            "Receipts of grants in a shard that should have been deleted by now",
        );
        let written = Opts::new(
            "drawbridge_stock_snapshot_timestamp_seconds",
            "When this process last copied the stock snapshot into the meta database, in seconds since 1970",
        );
        let mismatch = Opts::new(
            "drawbridge_identity_mismatch",
            "1 while a database or stock server is found to be another cluster's, or another part of this one",
        );
        let metrics = Self {
            stock_rebuilds: IntCounterVec::new(rebuilds, &["server"])?,
            receipts_reclaimed: IntCounterVec::new(reclaimed, &["shard"])?,
            receipts_overdue: IntGaugeVec::new(overdue, &["shard"])?,
            notifications: IntCounter::new(
                "drawbridge_meta_notifications_total",
                "Change notifications of the meta database that came over Redis",
            )?,
            snapshot_written_seconds: IntGauge::with_opts(written)?,
            identity_mismatch: IntGaugeVec::new(mismatch, &["part"])?,
        };
        registry.register(Box::new(metrics.stock_rebuilds.clone()))?;
        registry.register(Box::new(metrics.receipts_reclaimed.clone()))?;
        registry.register(Box::new(metrics.receipts_overdue.clone()))?;
        registry.register(Box::new(metrics.notifications.clone()))?;
        registry.register(Box::new(metrics.snapshot_written_seconds.clone()))?;
        registry.register(Box::new(metrics.identity_mismatch.clone()))?;
        Ok(metrics)
    }
}
