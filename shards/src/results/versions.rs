//! The versions of a campaign, by the numbers that orders carry.
use std::collections::HashMap;
use std::sync::Arc;

use market::campaign::Campaign;
use market::{ActivityId, Order};

use crate::meta::InstalledMeta;
use crate::store::StoreError;

/// The versions of one campaign. They are only ever added, and an order names one that existed
/// before it: so it is enough to look for what an order names after the order was read.
pub(crate) struct Versions<'a> {
    meta: &'a InstalledMeta,
    /// Without one there are no draws.
    activity: Option<ActivityId>,
    /// `None` for one that cannot be read, or is not there.
    known: HashMap<u32, Option<Arc<Campaign>>>,
}

impl<'a> Versions<'a> {
    pub(crate) fn new(meta: &'a InstalledMeta, activity: Option<ActivityId>) -> Self {
        Self {
            meta,
            activity,
            known: HashMap::new(),
        }
    }

    /// Reads the versions again when one of these orders names one that is not known.
    pub(super) async fn know(&mut self, orders: &[Order]) -> Result<(), StoreError> {
        let is_new = |order: &&Order| !self.known.contains_key(&order.version);
        let named: Vec<u32> = orders
            .iter()
            .filter(is_new)
            .map(|order| order.version)
            .collect();
        let Some(activity) = self.activity.filter(|_| !named.is_empty()) else {
            return Ok(());
        };
        for stored in self.meta.versions_of(activity).await? {
            let campaign = || stored.parse().map(|parsed| Arc::new(parsed.campaign));
            self.known.entry(stored.version).or_insert_with(campaign);
        }
        for version in named {
            self.known.entry(version).or_insert(None);
        }
        Ok(())
    }

    /// The version that an order names, if it can be read.
    pub(crate) async fn of_order(
        mut self,
        order: &Order,
    ) -> Result<Option<Arc<Campaign>>, StoreError> {
        self.know(std::slice::from_ref(order)).await?;
        Ok(self.known.remove(&order.version).flatten())
    }

    pub(super) fn campaign(&self, version: u32) -> Option<&Campaign> {
        self.known.get(&version)?.as_deref()
    }
}
