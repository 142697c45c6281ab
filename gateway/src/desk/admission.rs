//! Who gets in: the bound on requests in flight, the limits, the caller's identity.
use jiff::Timestamp;
use market::switches::Switch;
use market::{ActivityId, DrawCount, UserId};

use super::arrival::{Arrival, CallerCheck};
use super::service::Desk;
use crate::answer::{Code, Endpoint, Failure};
use crate::edge::InFlightRequest;
use crate::identity::Caller;

impl Desk {
    /// Admits a request by its head, before its caller is known. It is in flight for as long as the
    /// returned value lives.
    pub fn admit(&self, arrival: &Arrival<'_>) -> Result<InFlightRequest<'_>, Failure> {
        // Before all else: whatever else goes wrong, the memory for requests is bounded.
        let in_flight = self.in_flight.enter().ok_or(Code::Overloaded)?;
        // Gateway, route, address, widest first: a flood is refused before anything is checked,
        // read or looked up for it.
        self.admit_head(arrival)?;
        Ok(in_flight)
    }

    /// Applies the limits of the gateway, the route and the client's address. The user is not known
    /// yet, so only the switch for all users can turn them off.
    fn admit_head(&self, arrival: &Arrival<'_>) -> Result<(), Failure> {
        let catalogue = self.shards.catalogue();
        if !catalogue
            .switches()
            .is_on_for_some(Switch::Limits, arrival.at)
        {
            return Ok(());
        }
        let client = || self.proxies.client(arrival.peer, arrival.headers);
        Ok(self.limits.admit(arrival.endpoint, client)?)
    }

    /// Returns the caller, if the endpoint needs to know it.
    pub fn identify(&self, arrival: &Arrival<'_>) -> Result<Caller, Failure> {
        let Arrival {
            peer, headers, at, ..
        } = *arrival;
        match arrival.caller {
            CallerCheck::NoUser => Ok(Caller::Unasked),
            CallerCheck::User => self.identity.caller(peer, headers, at),
            CallerCheck::UserByToken => self.identity.known_caller(peer, headers, at),
        }
    }

    /// Applies the limit of users and their cooldown, once the user is known. `activity` is the one
    /// that the request names, if it does.
    pub fn admit_user(
        &self,
        endpoint: Endpoint,
        user: &UserId,
        activity: Option<ActivityId>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let catalogue = self.shards.catalogue();
        let switches = catalogue.switches();
        if self.is_flipped(
            switches,
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
}
