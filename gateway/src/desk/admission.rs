//! Who gets in: the bound on requests in flight, the limits, the caller's identity.
use jiff::Timestamp;
use market::switches::Switch;
use market::{ActivityId, DrawCount, UserId};

use super::arrival::{Arrival, CallerCheck, Claim};
use super::service::Desk;
use crate::answer::{Code, Endpoint, Failure};
use crate::edge::InFlightRequest;
use crate::identity::Caller;
use crate::identity::apps::{AppClaim, AppId};

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
        if !self.has_limits(arrival.at) {
            return Ok(());
        }
        // Strangers use up nothing of what is for applications.
        let is_of_app = arrival.caller == CallerCheck::App;
        let route = Some(arrival.endpoint).filter(|_| !is_of_app);
        let client = || self.proxies.client(arrival.peer, arrival.headers);
        Ok(self.limits.admit(route, client)?)
    }

    fn has_limits(&self, at: Timestamp) -> bool {
        let catalogue = self.shards.catalogue();
        catalogue.switches().is_on_for_some(Switch::Limits, at)
    }

    /// Returns who calls, if the endpoint needs to know it.
    pub fn identify(&self, arrival: &Arrival<'_>) -> Result<Claim, Failure> {
        let Arrival {
            peer, headers, at, ..
        } = *arrival;
        let caller = match arrival.caller {
            CallerCheck::NoUser => Caller::Unasked,
            CallerCheck::User => self.identity.caller(peer, headers, at)?,
            CallerCheck::UserByToken => self.identity.known_caller(peer, headers, at)?,
            CallerCheck::App => return self.identify_app(arrival),
        };
        Ok(Claim::Caller(caller))
    }

    /// Refuses what the head alone shows to be no application's call. All others are counted while
    /// their bodies are read, address by address.
    fn identify_app(&self, arrival: &Arrival<'_>) -> Result<Claim, Failure> {
        let Arrival {
            peer, headers, at, ..
        } = *arrival;
        let claim = AppClaim::of(headers, at)?;
        self.apps.check_head(&claim)?;
        let unproven = self
            .limits
            .enter_unproven(self.proxies.client(peer, headers))?;
        Ok(Claim::App(claim, unproven))
    }

    /// Checks what an application has signed, once the body is there.
    pub fn prove(&self, claim: Claim, body: &[u8]) -> Result<Caller, Failure> {
        match claim {
            Claim::Caller(caller) => Ok(caller),
            Claim::App(claim, _unproven) => Ok(Caller::App(self.apps.prove(claim, body)?)),
        }
    }

    /// Checks that a call comes from the application that it names, and then applies the limit of
    /// its route.
    pub fn check_app(
        &self,
        endpoint: Endpoint,
        caller: &Caller,
        app: &AppId,
        token: Option<&str>,
    ) -> Result<(), Failure> {
        let Caller::App(proof) = caller else {
            return Err(Code::IdentityMissing.into());
        };
        self.apps.check(proof, app, token)?;
        if self.has_limits(Timestamp::now()) {
            self.limits.admit_route(endpoint)?;
        }
        Ok(())
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
