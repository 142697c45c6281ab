//! What the desk measures. Names and units are listed in `docs/metrics.md`.
use std::sync::Arc;

use market::DrawCount;
use market::switches::{Effect, Switch};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Metrics of the desk. Labels come from fixed lists, never from callers.
#[derive(Clone)]
pub struct DeskMetrics {
    /// By switch and effect, in the order of their lists.
    switches: Arc<Vec<[IntCounter; 2]>>,
    in_flight: IntGauge,
}

impl DeskMetrics {
    /// Registers the metrics of a desk that may have `in_flight_max` requests in flight.
    pub fn new(registry: &Registry, in_flight_max: usize) -> prometheus::Result<Self> {
        let in_flight = IntGauge::new(
            "drawbridge_http_in_flight_requests",
            "Requests that are being answered",
        )?;
        let shown_max = IntGauge::new(
            "drawbridge_http_in_flight_requests_max",
            "Requests that may be answered at once",
        )?;
        let switches = Opts::new(
            "drawbridge_switch_effects_total",
            "Draws and other commands that a switch changed, or would have changed",
        );
        let switches = IntCounterVec::new(switches, &["switch", "effect"])?;
        registry.register(Box::new(switches.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(shown_max.clone()))?;
        shown_max.set(i64::try_from(in_flight_max).unwrap_or(i64::MAX));
        let effects = |switch: &Switch| {
            ["applied", "observed"]
                .map(|effect| switches.with_label_values(&[switch.name(), effect]))
        };
        Ok(Self {
            switches: Arc::new(Switch::ALL.iter().map(effects).collect()),
            in_flight,
        })
    }

    /// Counts draws, or other commands, that a switch changed, or would have.
    pub(super) fn switched(&self, switch: Switch, effect: Effect, draws: DrawCount) {
        self.switches[switch as usize][effect as usize].inc_by(draws.get().into());
    }

    /// The gauge of requests that are being answered.
    pub(super) fn in_flight(&self) -> IntGauge {
        self.in_flight.clone()
    }
}
