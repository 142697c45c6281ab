//! What orders name in the meta database: campaign versions, claimed runs, and activities with a
//! blacklist of operators.
//!
//! All are only ever added, and an order names ones that existed before it. So it is enough to
//! look for what an order names after the order was read.
use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::campaigns::Versions;
use super::rows::{StoredOrder, StoredRecharge};
use crate::meta::Meta;
use crate::store::{Database, StoreError};

/// What was read of the meta database so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) versions: Versions,
    /// The run number that was claimed last.
    pub(super) claimed_runs: u64,
    /// Versions that orders name and that were not stored when they were looked for.
    pub(super) missing: HashSet<(i64, i64)>,
}

/// Reads the meta database when an order names something that is not known yet.
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

    /// Everything that these orders name. They were read before. A recharge order names no version:
    /// where no known one explains it, all are read.
    pub(super) async fn know(
        &self,
        orders: impl Iterator<Item = &StoredOrder>,
        recharges: impl Iterator<Item = &StoredRecharge>,
    ) -> Result<Arc<Known>, StoreError> {
        let mut known = self.known.lock().await;
        let (mut named, mut last_run, mut wonders) = (HashSet::new(), 0, false);
        for order in orders {
            let version = (order.activity, order.version);
            if !known.versions.has(version) && !known.missing.contains(&version) {
                named.insert(version);
            }
            last_run = last_run.max(run_of(order.id));
            wonders |= known.versions.wonders_about(order);
        }
        let mut unexplained = false;
        for order in recharges {
            last_run = last_run.max(run_of(order.id));
            unexplained |= known.versions.recharge_fault(order).is_some();
        }
        if unexplained || !named.is_empty() {
            let known = Arc::make_mut(&mut known);
            let campaigns = self.meta.campaigns();
            campaigns
                .each_page_of_versions(|page| known.versions.learn(page))
                .await?;
            let missing = named
                .into_iter()
                .filter(|version| !known.versions.has(*version));
            known.missing.extend(missing);
        }
        if wonders {
            let records = self.meta.blacklists().records().await?;
            Arc::make_mut(&mut known)
                .versions
                .learn_blacklists(&records);
        }
        if last_run > known.claimed_runs {
            Arc::make_mut(&mut known).claimed_runs = self.meta.runs().claimed().await?;
        }
        Ok(known.clone())
    }

    /// Reads all versions and the runs that are claimed now.
    pub(super) async fn learn(&self) -> Result<Arc<Known>, StoreError> {
        let mut known = self.known.lock().await;
        let learned = Arc::make_mut(&mut known);
        let campaigns = self.meta.campaigns();
        campaigns
            .each_page_of_versions(|page| learned.versions.learn(page))
            .await?;
        let records = self.meta.blacklists().records().await?;
        learned.versions.learn_blacklists(&records);
        learned.claimed_runs = self.meta.runs().claimed().await?;
        Ok(known.clone())
    }
}

/// The run in an order's id; 0 where no lane can have made the id.
fn run_of(id: i64) -> u64 {
    let run = u64::try_from(id).ok().and_then(router::run_of);
    run.map_or(0, |run| run.get().into())
}
