//! What a gateway shows of what it obeys.
use prometheus::{IntGauge, Registry};

/// Gauges of the fleet's settings on this gateway.
#[derive(Debug, Clone)]
pub struct FleetMetrics {
    pub(super) revision: IntGauge,
    pub(super) overrides: IntGauge,
    pub(super) failures: IntGauge,
}

impl FleetMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            revision: gauge(
                "drawbridge_meta_revision",
                "The revision of the meta database that this gateway obeys",
            )?,
            overrides: gauge(
                "drawbridge_fleet_overrides",
                "Settings and switches in force on this gateway alone, against what is set for all",
            )?,
            failures: gauge(
                "drawbridge_fleet_failures",
                "Settings for all gateways that this one could not obey",
            )?,
        })
    }
}
