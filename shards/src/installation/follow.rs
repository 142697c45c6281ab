//! The follower: brings changes of the meta database into this process.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use market::campaign::Catalogue;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::meta::{Following, Meta};
use crate::metrics::Metrics;
use crate::store::{Database, StoreError};

/// A publication takes effect within two of these.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The stock of the lanes, for the follower to keep up to date.
pub(super) trait FollowedStock: Send + 'static {
    /// Reads what may change at any time.
    fn look(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Brings the units of a new revision to the stock.
    fn catch_up(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What the follower keeps up to date.
pub(super) struct Follower<D: Database, S> {
    pub(super) meta: Meta<D>,
    pub(super) stock: S,
    pub(super) catalogue: Arc<ArcSwap<Catalogue>>,
    pub(super) following: Arc<Following>,
    pub(super) metrics: Metrics,
    /// The revision of all that.
    pub(super) revision: Option<u64>,
}

impl<D: Database, S: FollowedStock> Follower<D, S> {
    /// Follows until the process stops.
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
            // After a failure the last good state stays, and the next tick tries again.
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
        // Read first: what changes while the rest is read is read again next time.
        let revision = self.meta.revision().await?;
        let is_new = self.revision != Some(revision);
        if is_new {
            // Switches and pauses are obeyed first.
            let switches = self.meta.switches().read().await?;
            let halts = self.meta.campaign_changes().halts().await?;
            self.catalogue
                .rcu(|catalogue| catalogue.halted(&halts).switched(&switches));
            self.following
                .publish(revision, self.meta.fleet_settings().read().await?);
        }
        self.metrics.followed();
        self.stock.look().await?;
        if is_new {
            // Campaigns are read before the stock and used after it: whatever is published in
            // between, no item is drawn before its units are there.
            let catalogue = self.meta.campaigns().catalogue().await?;
            self.stock.catch_up().await?;
            let totals = self.meta.stock_operations().totals().await?;
            self.following.take_totals(totals);
            self.catalogue.rcu(|current| {
                let catalogue = catalogue.switched(current.switches());
                catalogue.blacklisted(current.blacklists())
            });
            let known = self.catalogue.load().blacklists().clone();
            if let Some(newer) = self.meta.blacklists().newer_than(&known).await? {
                self.catalogue
                    .rcu(|catalogue| catalogue.blacklisted(&newer));
            }
            self.revision = Some(revision);
        }
        Ok(())
    }
}
