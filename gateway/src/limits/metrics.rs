//! What the limits measure. Names and units are listed in `docs/metrics.md`.
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::kind::LimitKind;

/// Metrics of the limits. Labels come from fixed lists, never from callers.
#[derive(Clone)]
pub struct LimitMetrics {
    /// Refused and observed, by the kind's number.
    decisions: Vec<[IntCounter; 2]>,
    /// Addresses that are remembered.
    pub addresses: IntGauge,
    /// Users that are remembered.
    pub users: IntGauge,
    /// Users in cooldown.
    pub cooldown: IntGauge,
}

impl LimitMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let decisions = Opts::new(
            "drawbridge_limit_decisions_total",
            "Requests that a limit refused, or would have refused",
        );
        let decisions = IntCounterVec::new(decisions, &["limit", "decision"])?;
        let keys = Opts::new(
            "drawbridge_limit_keys",
            "Addresses and users whose buckets are not full",
        );
        let keys = IntGaugeVec::new(keys, &["limit"])?;
        let cooldown = IntGauge::new("drawbridge_limit_cooldown_users", "Users in cooldown")?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        registry.register(Box::new(cooldown.clone()))?;
        let of = |kind: &LimitKind| {
            ["refused", "observed"]
                .map(|decision| decisions.with_label_values(&[kind.label(), decision]))
        };
        Ok(Self {
            decisions: LimitKind::ALL.iter().map(of).collect(),
            addresses: keys.with_label_values(&[LimitKind::Address.label()]),
            users: keys.with_label_values(&[LimitKind::User.label()]),
            cooldown,
        })
    }

    /// Counts a request that a limit refuses, or would refuse if it did not only observe.
    pub fn decided(&self, kind: LimitKind, observe: bool) {
        self.decisions[kind as usize][usize::from(observe)].inc();
    }
}
