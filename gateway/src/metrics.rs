//! What the edge measures. Names and units are listed in `docs/metrics.md`.
use std::sync::Arc;
use std::time::Duration;

use market::DrawCount;
use market::switches::{Effect, Switch};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::api::Endpoint;
use crate::api::code::Code;

/// Metrics of the HTTP edge. Labels are endpoints and codes, both from fixed lists.
#[derive(Clone)]
pub struct HttpMetrics {
    /// By endpoint and code, in the order of their lists: looked up by number, because the
    /// request path has better things to do than hashing labels.
    answered: Arc<Vec<Vec<IntCounter>>>,
    seconds: Arc<Vec<Histogram>>,
    /// By switch and effect, in the order of their lists.
    switches: Arc<Vec<[IntCounter; 2]>>,
    received: IntCounter,
    in_flight: IntGauge,
}

impl HttpMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let requests = Opts::new("drawbridge_http_requests_total", "Answered requests");
        let requests = IntCounterVec::new(requests, &["endpoint", "code"])?;
        let seconds = HistogramOpts::new("drawbridge_http_request_seconds", "Time from a request's head to its answer")
            .buckets(prometheus::exponential_buckets(0.0005, 2.0, 15)?);
        let seconds = HistogramVec::new(seconds, &["endpoint"])?;
        let received = IntCounter::new(
            "drawbridge_commands_received_total",
            "Commands, which are calls to draw, that have come in",
        )?;
        let in_flight = IntGauge::new("drawbridge_http_in_flight_requests", "Requests that are being answered")?;
        let switches =
            Opts::new("drawbridge_switch_effects_total", "Draws that a switch changed or would have changed");
        let switches = IntCounterVec::new(switches, &["switch", "effect"])?;
        registry.register(Box::new(switches.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(received.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        let counters = |endpoint: &Endpoint| {
            let counter = |code: &Code| requests.with_label_values(&[endpoint.label(), code.as_str()]);
            Code::ALL.iter().map(counter).collect()
        };
        let effects = |switch: &Switch| {
            ["applied", "observed"].map(|effect| switches.with_label_values(&[switch.name(), effect]))
        };
        Ok(Self {
            answered: Arc::new(Endpoint::ALL.iter().map(counters).collect()),
            seconds: Arc::new(
                Endpoint::ALL.iter().map(|endpoint| seconds.with_label_values(&[endpoint.label()])).collect(),
            ),
            switches: Arc::new(Switch::ALL.iter().map(effects).collect()),
            received,
            in_flight,
        })
    }

    /// Counts a request for a draw, whatever becomes of it.
    pub fn received_draw(&self) {
        self.received.inc();
    }

    /// Counts an answer.
    pub fn answered(&self, endpoint: Endpoint, code: Code, took: Duration) {
        self.answered[endpoint as usize][code as usize].inc();
        self.seconds[endpoint as usize].observe(took.as_secs_f64());
    }

    /// Counts draws that a switch changed, or would have.
    pub fn switched(&self, switch: Switch, effect: Effect, draws: DrawCount) {
        self.switches[switch as usize][effect as usize].inc_by(draws.get().into());
    }

    /// The gauge of requests that are being answered.
    pub fn in_flight(&self) -> IntGauge {
        self.in_flight.clone()
    }
}
