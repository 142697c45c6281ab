//! What is measured of connections. Names and units are listed in `docs/metrics.md`.
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Why the server closed a connection that had no answer to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The head of a request did not come in time.
    Silent,
    /// It had no request and gave way to a new connection.
    GaveWay,
    /// Its address was at its bound.
    AddressFull,
}

impl CloseReason {
    const ALL: [(Self, &str); 3] = [
        (Self::Silent, "silent"),
        (Self::GaveWay, "gave_way"),
        (Self::AddressFull, "address_full"),
    ];
}

/// Metrics of the connections of one listener.
#[derive(Debug, Clone)]
pub struct ConnectionMetrics {
    open: IntGauge,
    open_max: IntGauge,
    /// In the order of [`CloseReason`].
    closed: [IntCounter; CloseReason::ALL.len()],
}

impl ConnectionMetrics {
    /// The players' connections, registered.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::unregistered();
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.open_max.clone()))?;
        let closed = Opts::new(
            "drawbridge_http_connections_closed_total",
            "Connections that were closed unanswered",
        );
        let closed = IntCounterVec::new(closed, &["why"])?;
        registry.register(Box::new(closed.clone()))?;
        Ok(Self {
            closed: CloseReason::ALL.map(|(_, why)| closed.with_label_values(&[why])),
            ..metrics
        })
    }

    /// Those of a listener whose metrics are not scraped.
    pub fn unregistered() -> Self {
        let gauge = |name, help| IntGauge::new(name, help).expect("a good name");
        let closed = || IntCounter::new("closed", "closed").expect("a good name");
        Self {
            open: gauge("drawbridge_http_connections", "Open connections"),
            open_max: gauge(
                "drawbridge_http_connections_max",
                "The bound on open connections",
            ),
            closed: CloseReason::ALL.map(|_| closed()),
        }
    }

    pub(super) fn bounded(&self, connections_max: usize) {
        self.open_max
            .set(i64::try_from(connections_max).unwrap_or(i64::MAX));
    }

    pub(super) fn opened(&self) {
        self.open.inc();
    }

    pub(super) fn left(&self) {
        self.open.dec();
    }

    pub(super) fn closed(&self, why: CloseReason) {
        self.closed[why as usize].inc();
    }
}
