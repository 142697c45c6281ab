//! What is measured of reloads. Names and units are listed in `docs/metrics.md`.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::identity::Identity;

/// Counts how reloads of the configuration end, and shows how old the keys of tokens are.
#[derive(Clone)]
pub struct ReloadMetrics {
    /// By outcome, in the order of its variants.
    ended: [IntCounter; 3],
    keys_age: AgeGauge,
}

impl ReloadMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let reloads = Opts::new(
            "drawbridge_reloads_total",
            "Reloads of the configuration by how they ended",
        );
        let reloads = IntCounterVec::new(reloads, &["outcome"])?;
        registry.register(Box::new(reloads.clone()))?;
        let of = |outcome| reloads.with_label_values(&[outcome]);
        let keys_age = AgeGauge::new(
            registry,
            "drawbridge_identity_keys_age_seconds",
            "How long ago the key set of tokens was read; 0 where there is none",
        )?;
        Ok(Self {
            ended: ["ok", "partly", "failed"].map(of),
            keys_age,
        })
    }

    /// Notes that the keys of tokens were read just now, where they are those of a key set.
    pub fn keys_read(&self, identity: &Identity) {
        if identity.has_key_set() {
            self.keys_age.happened();
        }
    }

    /// Counts a reload.
    pub fn ended(&self, outcome: ReloadOutcome) {
        self.ended[outcome as usize].inc();
    }
}

/// How a reload of the configuration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// Everything that may change is in force.
    Whole,
    /// Some sections stay as they were.
    Partly,
    /// Everything stays as it was.
    Failed,
}

/// A gauge of how long ago something happened, counted when it is looked at.
#[derive(Clone)]
pub struct AgeGauge {
    seconds: IntGauge,
    /// `None` as long as it never happened; the gauge is 0 then.
    at: Arc<Mutex<Option<Instant>>>,
}

impl AgeGauge {
    /// Registers the gauge.
    pub fn new(registry: &Registry, name: &str, help: &str) -> prometheus::Result<Self> {
        let gauge = Self {
            seconds: IntGauge::new(name, help)?,
            at: Arc::default(),
        };
        registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    /// It happens now.
    pub fn happened(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Collector for AgeGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.seconds.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = at.map_or(0, |at| at.elapsed().as_secs());
        self.seconds.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.seconds.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_age_is_counted_when_it_is_looked_at() {
        let registry = Registry::new();
        let age = AgeGauge::new(&registry, "age", "How long ago").expect("a gauge");
        let seconds = || registry.gather()[0].get_metric()[0].get_gauge().get_value();
        assert!(seconds().abs() < f64::EPSILON, "it never happened");
        let before = Instant::now()
            .checked_sub(Duration::from_secs(90))
            .expect("the machine runs longer");
        *age.at.lock().expect("not poisoned") = Some(before);
        assert!(seconds() >= 90.0);
        age.happened();
        assert!(seconds() < 90.0);
    }
}
