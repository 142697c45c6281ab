//! `/metrics`: the registry in Prometheus' text format.
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prometheus::{Registry, TextEncoder};

/// The metrics of a process. A page is kept for a while and written once in that time, whatever the
/// number of scrapers.
pub struct Scrape {
    registry: Registry,
    age_max: Duration,
    written: Mutex<Option<(Instant, Bytes)>>,
}

impl Scrape {
    /// Pages of what `registry` holds, none older than `age_max`.
    pub fn new(registry: Registry, age_max: Duration) -> Self {
        Self {
            registry,
            age_max,
            written: Mutex::default(),
        }
    }

    /// The page; `observe` brings gauges up to date before it is written.
    pub(super) fn text(&self, observe: impl FnOnce()) -> prometheus::Result<Bytes> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = &*written
            && at.elapsed() < self.age_max
        {
            return Ok(text.clone());
        }
        observe();
        let text = Bytes::from(TextEncoder::new().encode_to_string(&self.registry.gather())?);
        *written = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;

    use super::*;

    fn written(age_max: Duration) -> u64 {
        let registry = Registry::new();
        let observed = IntCounter::new("observed", "How often").expect("a counter");
        registry
            .register(Box::new(observed.clone()))
            .expect("registered");
        let scrape = Scrape::new(registry, age_max);
        let texts = [1, 2, 3].map(|_| scrape.text(|| observed.inc()).expect("a text"));
        assert!(texts[0].ends_with(b"observed 1\n"));
        observed.get()
    }

    #[test]
    fn several_scrapes_cost_one() {
        assert_eq!(written(Duration::from_hours(1)), 1);
        assert_eq!(written(Duration::ZERO), 3);
    }
}
