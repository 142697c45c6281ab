//! What is logged: the filter of the configuration, or another one for a while.
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Changes the filter of the log.
pub type LogFilter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The filter of the log. One that is set replaces the configured one until it is taken back,
/// whatever a reload configures meanwhile.
pub struct LogLevel {
    filters: Mutex<Filters>,
    apply: LogFilter,
}

struct Filters {
    configured: String,
    set: Option<String>,
}

impl LogLevel {
    /// Of a log that was started with the `configured` filter.
    pub fn new(configured: &str, apply: LogFilter) -> Self {
        Self {
            filters: Mutex::new(Filters {
                configured: configured.to_owned(),
                set: None,
            }),
            apply,
        }
    }

    /// Logs by this filter, such as `debug` or `shards=debug,info`, until [`LogLevel::restore`].
    pub fn set(&self, filter: &str) -> Result<(), String> {
        let mut filters = self.lock();
        (self.apply)(filter)?;
        filters.set = Some(filter.to_owned());
        Ok(())
    }

    /// Logs by the configured filter again.
    pub fn restore(&self) -> Result<(), String> {
        let mut filters = self.lock();
        (self.apply)(&filters.configured)?;
        filters.set = None;
        Ok(())
    }

    /// Takes over another configured filter; it counts at once unless one is set.
    pub fn configure(&self, filter: &str) -> Result<(), String> {
        let mut filters = self.lock();
        if filters.set.is_none() {
            (self.apply)(filter)?;
        }
        filter.clone_into(&mut filters.configured);
        Ok(())
    }

    /// The filter that is set, if one is.
    pub fn filter_set(&self) -> Option<String> {
        self.lock().set.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Filters> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_filter_that_is_set_outlives_a_reload() {
        let applied = Arc::new(Mutex::new(Vec::new()));
        let log = applied.clone();
        let apply: LogFilter = Box::new(move |filter| {
            if filter == "broken" {
                return Err("broken".to_owned());
            }
            log.lock().expect("not poisoned").push(filter.to_owned());
            Ok(())
        });
        let level = LogLevel::new("info", apply);
        level.configure("warn").expect("a filter");
        level.set("debug").expect("a filter");
        assert!(level.set("broken").is_err());
        assert_eq!(level.filter_set().as_deref(), Some("debug"));
        level.configure("error").expect("a filter");
        level.restore().expect("a filter");
        assert_eq!(
            *applied.lock().expect("not poisoned"),
            ["warn", "debug", "error"]
        );
        assert!(level.configure("broken").is_err() && level.filter_set().is_none());
    }
}
