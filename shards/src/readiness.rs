//! Reasons why this process can make no draw. `/readyz` shows them.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The present reasons; none while all is well.
///
/// Only reasons of this process alone. A shard that is unavailable is so for every gateway, and a
/// load balancer would have no gateway left.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<BTreeMap<&'static str, String>>);

impl Readiness {
    /// The reasons, for people.
    pub fn obstacles(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    /// Adds a reason.
    pub(crate) fn hinder(&self, what: &'static str, why: &str) {
        let earlier = self.lock().insert(what, why.to_owned());
        if earlier.as_deref() != Some(why) {
            tracing::error!(why, "no draw can be made");
        }
    }

    /// Removes a reason.
    pub(crate) fn clear(&self, what: &'static str) {
        if let Some(why) = self.lock().remove(what) {
            tracing::info!(why, "this is over");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // No code panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
