//! What the follower of the meta database has read for the gateway to obey.
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::FleetSetting;

/// What stands in the meta database as of a revision.
#[derive(Debug, Clone)]
pub struct Followed {
    /// All that was set up to this revision is known. Switches are in force already.
    pub revision: u64,
    /// The settings, also those that have ended.
    pub settings: Arc<[FleetSetting]>,
}

/// Between the follower, who publishes, and the gateway, which obeys.
#[derive(Debug)]
pub(crate) struct Following {
    followed: watch::Sender<Followed>,
    /// Somebody says that there is something new.
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
            changed: Arc::default(),
        }
    }

    pub(crate) fn publish(&self, revision: u64, settings: Vec<FleetSetting>) {
        self.followed.send_if_modified(|followed| {
            // A change of campaigns or stock alone brings a new revision too.
            let is_new = followed.revision != revision;
            *followed = Followed {
                revision,
                settings: settings.into(),
            };
            is_new
        });
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Followed> {
        self.followed.subscribe()
    }
}
