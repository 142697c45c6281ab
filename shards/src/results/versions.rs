//! The versions of a campaign, by the numbers that orders carry.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use market::campaign::Campaign;
use market::{ActivityId, Order};

use crate::meta::InstalledMeta;
use crate::store::StoreError;

/// The versions of one campaign. They never change, and an order names one that existed before it:
/// so it is enough to look for what an order names after the order was read.
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

    /// Reads the versions that these orders name and that are not known: each once, whatever else
    /// was published.
    pub(super) async fn know(&mut self, orders: &[Order]) -> Result<(), StoreError> {
        let Some(activity) = self.activity else {
            return Ok(());
        };
        for order in orders {
            if let Entry::Vacant(unknown) = self.known.entry(order.version) {
                let stored = self.meta.version(activity, order.version).await?;
                let published = stored.and_then(|stored| stored.parse());
                unknown.insert(published.map(|published| Arc::new(published.campaign)));
            }
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
