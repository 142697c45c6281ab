//! The state of the meta database as this process has read it, for its gateway to obey.
use std::sync::Arc;

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

    /// The latest state, and each later one.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Followed> {
        self.followed.subscribe()
    }
}
