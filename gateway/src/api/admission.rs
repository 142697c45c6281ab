//! Where requests meet the limits, as far as the switch `limits` lets them.
use hyper::HeaderMap;
use jiff::Timestamp;
use market::switches::{Effect, Switch};
use market::{ActivityId, UserId};

use super::answer::Failure;
use super::{Api, Endpoint};
use crate::edge::Peer;

impl Api {
    /// Before the body is read: the limits of the gateway, the route and the client's address.
    /// They know no user, so they obey what was switched for all.
    pub(super) fn admit(&self, endpoint: Endpoint, peer: Peer, headers: &HeaderMap) -> Result<(), Failure> {
        if !self.shards.catalogue().switches().is_on_for_some(Switch::Limits, Timestamp::now()) {
            return Ok(());
        }
        Ok(self.limits.admit(endpoint, || self.proxies.client(peer, headers))?)
    }

    /// Once the user is known: the limit of users, and who sits out. `activity` is what the
    /// request is about, if it says so.
    pub(super) fn admit_user(
        &self,
        endpoint: Endpoint,
        user: &UserId,
        activity: Option<ActivityId>,
    ) -> Result<(), Failure> {
        let effect = self.shards.catalogue().switches().effect(Switch::Limits, activity, user, Timestamp::now());
        if let Some(effect) = effect {
            self.metrics.switched(Switch::Limits, effect);
        }
        if effect == Some(Effect::Applied) {
            return Ok(());
        }
        Ok(self.limits.admit_user(endpoint, user)?)
    }
}
