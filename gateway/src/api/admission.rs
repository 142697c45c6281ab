//! Where requests meet the switches, and the limits as far as the switch `limits` lets them.
use hyper::HeaderMap;
use jiff::Timestamp;
use market::draw::DrawAsk;
use market::switches::{Effect, Switch, Switches};
use market::{ActivityId, DrawCount, UserId};

use super::answer::Failure;
use super::code::Code;
use super::{Api, Endpoint};
use crate::edge::Peer;

impl Api {
    /// Before the body is read: the limits of the gateway, the route and the client's address.
    /// They know no user, so they obey what was switched for all.
    pub(super) fn admit_request(
        &self,
        endpoint: Endpoint,
        peer: Peer,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<(), Failure> {
        if !self
            .shards
            .catalogue()
            .switches()
            .is_on_for_some(Switch::Limits, now)
        {
            return Ok(());
        }
        Ok(self
            .limits
            .admit(endpoint, || self.edge.proxies.client(peer, headers))?)
    }

    /// Once the user is known: the limit of users, and who is in cooldown. `activity` is what the
    /// request is about, if it says so.
    pub(super) fn admit_user(
        &self,
        endpoint: Endpoint,
        user: &UserId,
        activity: Option<ActivityId>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let catalogue = self.shards.catalogue();
        if self.is_applied(
            catalogue.switches(),
            Switch::Limits,
            activity,
            user,
            DrawCount::ONE,
            now,
        ) {
            return Ok(());
        }
        Ok(self.limits.admit_user(endpoint, user)?)
    }

    /// Refuses a draw that the switches do not allow: the last word of operations, before any store
    /// is asked. `fallback_only` is obeyed where draws are planned, and only counted here.
    pub(super) fn obey_switches(
        &self,
        user: &UserId,
        DrawAsk { activity, count }: DrawAsk,
        now: Timestamp,
    ) -> Result<(), Code> {
        let catalogue = self.shards.catalogue();
        let is_applied = |switch| {
            self.is_applied(
                catalogue.switches(),
                switch,
                Some(activity),
                user,
                count,
                now,
            )
        };
        if is_applied(Switch::ReadOnly) {
            return Err(Code::ReadOnly);
        }
        if is_applied(Switch::Draw) {
            return Err(Code::SwitchedOff);
        }
        is_applied(Switch::FallbackOnly);
        Ok(())
    }

    /// Whether a switch that is not as it normally is decides for this user, now. Counted, as is
    /// what it would have decided were it not only observed: each of so many draws.
    fn is_applied(
        &self,
        switches: &Switches,
        switch: Switch,
        activity: Option<ActivityId>,
        user: &UserId,
        draws: DrawCount,
        now: Timestamp,
    ) -> bool {
        let effect = switches.effect(switch, activity, user, now);
        effect.inspect(|&effect| self.metrics.switched(switch, effect, draws))
            == Some(Effect::Applied)
    }
}
