//! The desk itself: the rooms that it asks.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shards::{OsRandom, Shards};

use super::metrics::DeskMetrics;
use crate::edge::{InFlight, TrustedProxies};
use crate::identity::Identity;
use crate::identity::apps::Apps;
use crate::limits::RateLimits;

/// What a desk is made of.
pub struct DeskParts {
    /// Where draws are made and stored.
    pub shards: Arc<Shards>,
    /// How callers are known.
    pub identity: Arc<Identity>,
    /// The applications that may call.
    pub apps: Arc<Apps>,
    /// How much may be asked.
    pub limits: Arc<RateLimits>,
    /// Believed where they say whose request they pass on.
    pub proxies: TrustedProxies,
    /// Requests answered at once.
    pub in_flight_max: usize,
    /// What is measured here.
    pub metrics: DeskMetrics,
}

/// Admits requests and does what they ask for.
pub struct Desk {
    pub(super) shards: Arc<Shards>,
    pub(super) identity: Arc<Identity>,
    pub(super) apps: Arc<Apps>,
    pub(super) limits: Arc<RateLimits>,
    pub(super) proxies: TrustedProxies,
    pub(super) in_flight: InFlight,
    pub(super) metrics: DeskMetrics,
    random: Mutex<OsRandom>,
}

impl Desk {
    /// A desk of these parts.
    pub fn new(parts: DeskParts) -> Self {
        let DeskParts {
            shards,
            identity,
            apps,
            limits,
            proxies,
            in_flight_max,
            metrics,
        } = parts;
        Self {
            shards,
            identity,
            apps,
            limits,
            proxies,
            in_flight: InFlight::new(in_flight_max, metrics.in_flight()),
            metrics,
            random: Mutex::default(),
        }
    }

    /// How callers are known.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn random(&self) -> MutexGuard<'_, OsRandom> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
