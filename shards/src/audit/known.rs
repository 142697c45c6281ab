//! What the meta database says of orders: campaign versions and claimed runs. Both only ever grow,
//! and an order names nothing that was not there before it. So whatever an order names, it is
//! enough to look for it again after the order was read.
use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::campaigns::Versions;
use super::rows::StoredOrder;
use crate::meta::Meta;
use crate::store::{Database, StoreError};

/// What is known by now.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) versions: Versions,
    /// The run number that was claimed last.
    pub(super) claimed_runs: u64,
    /// Versions that orders named and that were not there afterwards.
    pub(super) missing: HashSet<(i64, i64)>,
}

/// Learns what orders name.
#[derive(Debug)]
pub(super) struct Learner<D: Database> {
    meta: Meta<D>,
    known: Mutex<Arc<Known>>,
}

impl<D: Database> Learner<D> {
    pub(super) fn new(meta: Meta<D>) -> Self {
        Self {
            meta,
            known: Mutex::default(),
        }
    }

    /// All there is to know of these orders, which were read before.
    pub(super) async fn know(
        &self,
        orders: impl Iterator<Item = &StoredOrder>,
    ) -> Result<Arc<Known>, StoreError> {
        let mut known = self.known.lock().await;
        let (mut named, mut last_run) = (HashSet::new(), 0);
        for order in orders {
            let name = (order.activity, order.version);
            if !known.versions.has(name) && !known.missing.contains(&name) {
                named.insert(name);
            }
            last_run = last_run.max(run_of(order));
        }
        if !named.is_empty() {
            let known = Arc::make_mut(&mut known);
            let campaigns = self.meta.campaigns();
            campaigns
                .each_page_of_versions(|page| known.versions.learn(page))
                .await?;
            known
                .missing
                .extend(named.into_iter().filter(|name| !known.versions.has(*name)));
        }
        if last_run > known.claimed_runs {
            Arc::make_mut(&mut known).claimed_runs = self.meta.runs().claimed().await?;
        }
        Ok(known.clone())
    }

    /// Learns all that is there now.
    pub(super) async fn learn(&self) -> Result<Arc<Known>, StoreError> {
        let mut known = self.known.lock().await;
        let learned = Arc::make_mut(&mut known);
        let campaigns = self.meta.campaigns();
        campaigns
            .each_page_of_versions(|page| learned.versions.learn(page))
            .await?;
        learned.claimed_runs = self.meta.runs().claimed().await?;
        Ok(known.clone())
    }
}

/// The run in the order's id; 0 where no lane can have made it.
fn run_of(order: &StoredOrder) -> u64 {
    let run = u64::try_from(order.id).ok().and_then(router::run_of);
    run.map_or(0, |run| run.get().into())
}
