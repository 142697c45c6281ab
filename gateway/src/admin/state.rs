//! What the handlers of the admin address share.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shards::Shards;
use tokio::sync::Semaphore;

use super::metrics::Scrape;
use super::refusals::Refusals;
use super::token::TokenStore;
use crate::fleet::Fleet;
use crate::limits::RateLimits;
use crate::reload::Reloader;

/// What the admin address serves.
pub struct Admin {
    pub(super) scrape: Scrape,
    pub(super) shards: Arc<Shards>,
    pub(super) limits: Arc<RateLimits>,
    pub(super) reloader: Arc<Reloader>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) tokens: Arc<TokenStore>,
    pub(super) refusals: Refusals,
    pub(super) ready: AtomicBool,
    /// The caller who reads all draws of an activity holds it.
    pub(super) exporting: Arc<Semaphore>,
    /// Places for looks for draws over all shards. Each reads with a connection of its own.
    pub(super) looking: Semaphore,
}

impl Admin {
    /// Not ready until [`Admin::set_ready`].
    pub fn new(
        scrape: Scrape,
        shards: Arc<Shards>,
        limits: Arc<RateLimits>,
        reloader: Arc<Reloader>,
        fleet: Arc<Fleet>,
        tokens: Arc<TokenStore>,
        refusals: Refusals,
    ) -> Self {
        Self {
            scrape,
            shards,
            limits,
            reloader,
            fleet,
            tokens,
            refusals,
            ready: AtomicBool::new(false),
            exporting: Arc::new(Semaphore::new(1)),
            looking: Semaphore::new(2),
        }
    }

    /// Ready means: listening, campaigns loaded, not draining, and no obstacle of this process's
    /// own to every draw. The state of a cluster's shards does not count: one dead shard would
    /// empty the load balancer.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}
