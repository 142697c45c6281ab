//! The bound on requests that are being answered.
use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts requests in, and refuses those beyond the bound.
#[derive(Debug)]
pub struct InFlight {
    places: Arc<Semaphore>,
    gauge: IntGauge,
}

/// A request's place; free again when dropped, however the request ends.
#[derive(Debug)]
pub struct Place {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl InFlight {
    /// Room for `requests_max` requests.
    pub fn new(requests_max: usize, gauge: IntGauge) -> Self {
        Self { places: Arc::new(Semaphore::new(requests_max)), gauge }
    }

    /// A place, or `None` when all are taken.
    pub fn enter(&self) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok()?;
        self.gauge.inc();
        Some(Place { gauge: self.gauge.clone(), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_request_ends() {
        let gauge = IntGauge::new("in_flight", "test").expect("gauge");
        let in_flight = InFlight::new(2, gauge.clone());
        let first = in_flight.enter();
        let _second = in_flight.enter().expect("room");
        assert!(in_flight.enter().is_none());
        assert_eq!(gauge.get(), 2);
        drop(first);
        assert!(in_flight.enter().is_some());
    }
}
