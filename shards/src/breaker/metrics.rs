//! The metrics of breakers. `docs/metrics.md` lists them.
use jiff::Timestamp;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::chart::BreakerState;

/// Metrics of all breakers.
#[derive(Debug, Clone)]
pub struct BreakerMetrics {
    state: IntGaugeVec,
    changes: IntCounterVec,
    changed_seconds: IntGaugeVec,
    refused: IntCounterVec,
}

/// The metrics of one breaker.
#[derive(Debug)]
pub(super) struct Meters {
    state: IntGauge,
    changes: [IntCounter; BreakerState::ALL.len()],
    changed_seconds: IntGauge,
    /// Calls that were refused.
    pub(super) refused: IntCounter,
    /// Calls that were let in only because the breaker observes.
    pub(super) observed: IntCounter,
}

impl BreakerMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let state = Opts::new(
            "drawbridge_breaker_state",
            "State of a breaker: 0 closed, 1 half open, 2 open",
        );
        let changes = Opts::new(
            "drawbridge_breaker_changes_total",
            "Changes of a breaker's state",
        );
        let changed = Opts::new(
            "drawbridge_breaker_changed_timestamp_seconds",
            "When a breaker's state or mode last changed, in seconds since 1970",
        );
        let refused = Opts::new(
            "drawbridge_breaker_refused_total",
            "Calls that a breaker refused, or would have refused if it did not just observe",
        );
        let metrics = Self {
            state: IntGaugeVec::new(state, &["breaker"])?,
            changes: IntCounterVec::new(changes, &["breaker", "to"])?,
            changed_seconds: IntGaugeVec::new(changed, &["breaker"])?,
            refused: IntCounterVec::new(refused, &["breaker", "decision"])?,
        };
        registry.register(Box::new(metrics.state.clone()))?;
        registry.register(Box::new(metrics.changes.clone()))?;
        registry.register(Box::new(metrics.changed_seconds.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        Ok(metrics)
    }

    pub(super) fn breaker(&self, name: &str) -> Meters {
        Meters {
            state: self.state.with_label_values(&[name]),
            changes: BreakerState::ALL
                .map(|state| self.changes.with_label_values(&[name, state.name()])),
            changed_seconds: self.changed_seconds.with_label_values(&[name]),
            refused: self.refused.with_label_values(&[name, "refused"]),
            observed: self.refused.with_label_values(&[name, "observed"]),
        }
    }
}

impl Meters {
    /// Notes that state or mode changed.
    pub(super) fn changed(&self, before: BreakerState, after: BreakerState, at: Timestamp) {
        if before != after {
            self.changes[after as usize].inc();
        }
        self.state.set(after as i64);
        self.changed_seconds.set(at.as_second());
    }
}
