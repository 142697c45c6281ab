//! The bound on requests that are being answered.
use prometheus::IntGauge;

/// Counts requests in, and refuses those beyond the bound.
#[derive(Debug)]
pub struct InFlight {
    requests_max: i64,
    /// Counts, and is shown: every request touches it, so there is only one.
    requests: IntGauge,
}

/// A request that is counted until this is dropped, however the request ends.
#[derive(Debug)]
pub struct InFlightRequest<'a>(&'a IntGauge);

impl InFlight {
    /// Room for `requests_max` requests, counted by a gauge that nothing else sets.
    pub fn new(requests_max: usize, requests: IntGauge) -> Self {
        Self {
            requests_max: i64::try_from(requests_max).unwrap_or(i64::MAX),
            requests,
        }
    }

    /// Counts a request in, or returns `None` when the bound is reached. (Of several that come at
    /// once for the last place all may be refused; never do two get it.)
    pub fn enter(&self) -> Option<InFlightRequest<'_>> {
        self.requests.inc();
        let request = InFlightRequest(&self.requests);
        (self.requests.get() <= self.requests_max).then_some(request)
    }
}

impl Drop for InFlightRequest<'_> {
    fn drop(&mut self) {
        self.0.dec();
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

    #[test]
    fn requests_that_come_at_once_never_exceed_the_bound() {
        const BOUND: usize = 3;
        let in_flight = InFlight::new(BOUND, IntGauge::new("in_flight", "test").expect("gauge"));
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let Some(_place) = in_flight.enter() else {
                            continue;
                        };
                        let before = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert!(before < BOUND);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
        let places: Vec<_> = (0..=BOUND).map(|_| in_flight.enter()).collect();
        assert_eq!(places.iter().flatten().count(), BOUND, "all came back");
    }
}
