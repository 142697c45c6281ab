//! The follower: brings publications and stock operations from the meta file into the running
//! server, and the server's view of its stock into the meta file.
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use market::campaign::Catalogue;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::jobs::withdraw_from_memory::Withdrawals;
use crate::meta::Following;
use crate::meta::Meta;
use crate::metrics::Metrics;
use crate::stock::MemoryStock;
use crate::store::{SqliteFile, StoreError};

/// A publication is followed within two of these.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Follower {
    meta: Meta<SqliteFile>,
    stock: Arc<MemoryStock>,
    withdrawals: Arc<tokio::sync::Mutex<Withdrawals<Meta<SqliteFile>>>>,
    catalogue: Arc<ArcSwap<Catalogue>>,
    following: Arc<Following>,
    metrics: Metrics,
    /// What the meta file was seen to say last.
    revision: Option<u64>,
}

impl Follower {
    pub(super) fn new(
        meta: Meta<SqliteFile>,
        stock: Arc<MemoryStock>,
        withdrawals: Arc<tokio::sync::Mutex<Withdrawals<Meta<SqliteFile>>>>,
        catalogue: Arc<ArcSwap<Catalogue>>,
        following: Arc<Following>,
        metrics: Metrics,
    ) -> Self {
        Self {
            meta,
            stock,
            withdrawals,
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
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.following.changed.notified() => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
            // A failure is not the end: the last good state stays, and the next tick tries again.
            if let Err(error) = self.follow().await {
                tracing::warn!(%error, "meta.sqlite cannot be followed");
            }
        }
    }

    async fn follow(&mut self) -> Result<(), StoreError> {
        // Read first: what changes while the rest is read is seen again next time.
        let revision = self.meta.revision().await?;
        if self.revision != Some(revision) {
            // Switches are obeyed first.
            let switches = self.meta.switches().read().await?;
            self.catalogue
                .rcu(|catalogue| catalogue.switched(&switches));
            self.following
                .publish(revision, self.meta.fleet_settings().read().await?);
            let mut withdrawals = self.withdrawals.lock().await;
            withdrawals.resolve().await?;
            // Campaigns are read before the stock and used after it: whatever is published in
            // between, no prize is drawn before its units are on the node.
            let catalogue = self.meta.campaigns().catalogue().await?;
            for (prize, total) in self.meta.stock_operations().totals().await? {
                self.stock.set_total(prize, total);
            }
            withdrawals.run().await?;
            self.catalogue
                .rcu(|current| catalogue.switched(current.switches()));
            self.revision = Some(revision);
        }
        self.metrics.followed();
        Ok(())
    }
}
