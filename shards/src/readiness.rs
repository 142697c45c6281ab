//! What keeps this process from drawing for anybody: `/readyz` says it.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is in the way just now; nothing is as it should be.
///
/// Only what is this process's own: a shard that is unavailable is unavailable for every gateway, and a load
/// balancer that looks elsewhere would find nobody.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<BTreeMap<&'static str, String>>);

impl Readiness {
    /// What is in the way, for people.
    pub fn obstacles(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    /// Something is in the way.
    pub(crate) fn hinder(&self, what: &'static str, why: &str) {
        let earlier = self.lock().insert(what, why.to_owned());
        if earlier.as_deref() != Some(why) {
            tracing::error!(why, "no draw can be made");
        }
    }

    /// It is out of the way.
    pub(crate) fn clear(&self, what: &'static str) {
        if let Some(why) = self.lock().remove(what) {
            tracing::info!(why, "this is over");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
