//! What the edge measures. Names and units are listed in `docs/metrics.md`.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use market::DrawCount;
use market::switches::{Effect, Switch};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::api::Endpoint;
use crate::api::code::Code;
use crate::identity::Identity;

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
    in_flight_max: IntGauge,
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
        let in_flight_max =
            IntGauge::new("drawbridge_http_in_flight_requests_max", "Requests that may be answered at once")?;
        let switches =
            Opts::new("drawbridge_switch_effects_total", "Draws that a switch changed or would have changed");
        let switches = IntCounterVec::new(switches, &["switch", "effect"])?;
        registry.register(Box::new(switches.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(received.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(in_flight_max.clone()))?;
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
            in_flight_max,
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

    /// Shows how many requests may be answered at once.
    pub fn show_in_flight_max(&self, requests_max: usize) {
        self.in_flight_max.set(i64::try_from(requests_max).unwrap_or(i64::MAX));
    }
}

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
        let reloads = Opts::new("drawbridge_reloads_total", "Reloads of the configuration by how they ended");
        let reloads = IntCounterVec::new(reloads, &["outcome"])?;
        registry.register(Box::new(reloads.clone()))?;
        let of = |outcome| reloads.with_label_values(&[outcome]);
        let keys_age = AgeGauge::new(
            registry,
            "drawbridge_identity_keys_age_seconds",
            "How long ago the key set of tokens was read; 0 where there is none",
        )?;
        Ok(Self { ended: ["ok", "partly", "failed"].map(of), keys_age })
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
        let gauge = Self { seconds: IntGauge::new(name, help)?, at: Arc::default() };
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
