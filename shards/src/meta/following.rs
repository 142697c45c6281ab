//! The state of the meta database as this process has read it, for its gateway to obey.
use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use market::batch::StockItem;
use tokio::sync::{Notify, watch};

use super::fleet_settings::FleetSetting;

/// The state of the meta database as of a revision.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Everything that was set up to this revision is known. Switches are in force already.
    pub revision: u64,
    /// The settings, also those that have expired.
    pub settings: Arc<[FleetSetting]>,
}

/// The link between the follower, which reads the meta database, and the gateway, which obeys.
#[derive(Debug)]
pub(crate) struct Following {
    followed: watch::Sender<Followed>,
    /// Each item's total as of the last revision whose units are in the stock.
    totals: ArcSwap<BTreeMap<StockItem, u64>>,
    /// Wakes the follower when something has changed.
    pub(crate) changed: Arc<Notify>,
}

impl Following {
    /// Begins with what was read at the start.
    pub(crate) fn new(revision: u64, settings: Vec<FleetSetting>) -> Self {
        let followed = watch::Sender::new(Followed {
            revision,
            settings: settings.into(),
        });
        Self {
            followed,
            totals: ArcSwap::default(),
            changed: Arc::default(),
        }
    }

    /// Passes on what was read.
    pub(crate) fn publish(&self, revision: u64, settings: Vec<FleetSetting>) {
        self.followed.send_if_modified(|followed| {
            // A change of campaigns or stock alone raises the revision too.
            let is_new = followed.revision != revision;
            *followed = Followed {
                revision,
                settings: settings.into(),
            };
            is_new
        });
    }

    /// Takes what was published and added of each item, less what was withdrawn.
    pub(crate) fn take_totals(&self, totals: BTreeMap<StockItem, u64>) {
        self.totals.store(Arc::new(totals));
    }

    /// An item's total; `None` before the first reading, and for items without limit.
    pub(crate) fn total(&self, item: StockItem) -> Option<u64> {
        self.totals.load().get(&item).copied()
    }

    /// The latest state, and each later one.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Followed> {
        self.followed.subscribe()
    }
}
