//! The follower of a cluster: brings publications and what the meta database says of the stock
//! servers into this process.
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use market::campaign::Catalogue;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Parts;
use crate::meta::Following;
use crate::metrics::Metrics;
use crate::stock::cluster::{MetaLedger, ReconcileError};
use crate::store::StoreError;

/// A publication is followed within two of these.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// New units are brought to their servers before their campaign is drawn from, unless the
/// servers do not answer: then draws hear that the stock is unavailable.
const DELIVERY_MAX: Duration = Duration::from_secs(1);

pub(super) struct Follower {
    parts: Arc<Parts>,
    catalogue: Arc<ArcSwap<Catalogue>>,
    following: Arc<Following>,
    metrics: Metrics,
    revision: Option<u64>,
}

impl Follower {
    pub(super) fn new(
        parts: Arc<Parts>,
        catalogue: Arc<ArcSwap<Catalogue>>,
        following: Arc<Following>,
        metrics: Metrics,
    ) -> Self {
        Self {
            parts,
            catalogue,
            following,
            metrics,
            revision: None,
        }
    }

    /// Follows until told to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.following.changed.notified() => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
            // A failure is not the end: the last good state stays, and the next tick tries again.
            let followed = self.follow().await;
            match &followed {
                Ok(()) if failing => tracing::info!("the meta database is followed again"),
                Ok(()) => {}
                Err(error) if failing => {
                    tracing::debug!(%error, "the meta database still cannot be followed");
                }
                Err(error) => tracing::warn!(%error, "the meta database cannot be followed"),
            }
            failing = followed.is_err();
        }
    }

    async fn follow(&mut self) -> Result<(), StoreError> {
        // Read first: what changes while the rest is read is seen again next time.
        let revision = self.parts.meta.revision().await?;
        if self.revision != Some(revision) {
            // Switches are obeyed first.
            let switches = self.parts.meta.switches().read().await?;
            self.catalogue
                .rcu(|catalogue| catalogue.switched(&switches));
            self.following
                .publish(revision, self.parts.meta.fleet_settings().read().await?);
        }
        self.metrics.followed();
        for node in self.parts.stock.nodes() {
            node.set_registered(self.parts.ledger.registered(node.id).await?);
        }
        if self.revision != Some(revision) {
            let catalogue = self.parts.meta.campaigns().catalogue().await?;
            match timeout(DELIVERY_MAX, self.parts.deliver()).await {
                Ok(Ok(())) => {}
                Ok(Err(ReconcileError::Store(error))) => return Err(error),
                Ok(Err(error)) => tracing::warn!(%error, "new units are delivered later"),
                Err(_) => {
                    tracing::warn!(
                        "new units are delivered later: the stock servers do not answer"
                    );
                }
            }
            self.parts.stock.look_again();
            self.catalogue
                .rcu(|current| catalogue.switched(current.switches()));
            self.revision = Some(revision);
        }
        Ok(())
    }
}
