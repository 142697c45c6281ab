//! Rate limits: for the whole gateway, for a route, for a client address, for a user; and users
//! who were refused too often and sit out.
//!
//! Asked from the widest to the narrowest. A request that a narrower limit refuses gives back
//! what it took from the wider ones, so that whoever floods one address does not use up what is
//! there for all. Once its body is read a request has cost something and pays for it: the limit
//! of users, which comes then, gives nothing back.
pub mod address;
pub mod bucket;
mod cells;
pub mod config;
pub mod metrics;
pub mod sit_out;

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::{Clock, MonotonicClock};
use governor::state::StateStore;
use market::UserId;

use self::address::Client;
use self::bucket::{Bucket, Cell, Empty};
use self::cells::Cells;
use self::config::{Config, Limit};
use self::metrics::LimitMetrics;
use self::sit_out::{Sitter, SittingOut};
use crate::api::Endpoint;
use crate::api::answer::whole_seconds;

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// That of the whole gateway.
    Gateway,
    /// That of an endpoint.
    Route,
    /// That of a client address.
    Address,
    /// That of a user.
    User,
    /// The user was refused too often, and sits out.
    SitOut,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Kind; 5] = [Kind::Gateway, Kind::Route, Kind::Address, Kind::User, Kind::SitOut];

    /// Its name in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Gateway => "gateway",
            Kind::Route => "route",
            Kind::Address => "address",
            Kind::User => "user",
            Kind::SitOut => "sit_out",
        }
    }
}

/// A request that is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// By which limit.
    pub kind: Kind,
    /// How many requests that one lets through at once.
    pub burst: u32,
    /// When it will let one through again.
    pub wait: Duration,
}

impl Limited {
    /// The wait in whole seconds, rounded up, at least one.
    pub fn wait_s(&self) -> u32 {
        whole_seconds(self.wait)
    }
}

/// A limit and its state.
struct Guard<S: StateStore, C: Clock> {
    observe: bool,
    bucket: Arc<Bucket<S, C>>,
}

impl<S: StateStore<Key: Hash + Eq + Clone> + Clone, C: Clock> Guard<S, C> {
    /// The guard of a limit, with the state of an old one whose pace was the same.
    fn new(limit: Limit, old: Option<&Self>, bucket: impl FnOnce() -> Bucket<S, C>) -> Self {
        let kept = old.filter(|old| old.bucket.pace() == limit.pace).map(|old| old.bucket.clone());
        Self { observe: limit.observe, bucket: kept.unwrap_or_else(|| Arc::new(bucket())) }
    }
}

/// The limits that apply at one time.
struct Guards<C: Clock> {
    keys_max: u64,
    gateway: Option<Guard<Cell, C>>,
    routes: Vec<Option<Guard<Cell, C>>>,
    address: Option<Guard<Cells<Client>, C>>,
    user: Option<Guard<Cells<UserId>, C>>,
    /// With whether it only observes.
    sit_out: Option<(bool, Arc<SittingOut<C>>)>,
}

impl<C: Clock + Clone> Guards<C> {
    /// The guards of a configuration. What is the same as before goes on as it is.
    fn new(config: &Config, old: Option<&Self>, clock: &C) -> Self {
        let keys_max = config.keys_max;
        let keyed = old.filter(|old| old.keys_max == keys_max);
        let one = |limit: Limit, old: Option<&Guard<Cell, C>>| {
            Guard::new(limit, old, || Bucket::new(limit.pace, Cell::default(), clock.clone()))
        };
        let route = |(place, limit): (usize, &Option<Limit>)| {
            limit.map(|limit| one(limit, old.and_then(|old| old.routes.get(place)?.as_ref())))
        };
        let sit_out = config.sit_out.map(|rules| {
            let kept = old.and_then(|old| old.sit_out.as_ref()).filter(|(_, old)| old.obeys(rules, keys_max));
            let fresh = || Arc::new(SittingOut::new(rules, keys_max, clock.clone()));
            (rules.observe, kept.map_or_else(fresh, |(_, sitting_out)| sitting_out.clone()))
        });
        Self {
            keys_max,
            gateway: config.gateway.map(|limit| one(limit, old.and_then(|old| old.gateway.as_ref()))),
            routes: config.routes.iter().enumerate().map(route).collect(),
            address: config.address.map(|limit| {
                let old = keyed.and_then(|old| old.address.as_ref());
                Guard::new(limit, old, || Bucket::new(limit.pace, Cells::new(keys_max), clock.clone()))
            }),
            user: config.user.map(|limit| {
                let old = keyed.and_then(|old| old.user.as_ref());
                Guard::new(limit, old, || Bucket::new(limit.pace, Cells::new(keys_max), clock.clone()))
            }),
            sit_out,
        }
    }
}

/// All limits of a gateway.
pub struct Limits<C: Clock = MonotonicClock> {
    guards: ArcSwap<Guards<C>>,
    metrics: LimitMetrics,
    clock: C,
}

impl Limits {
    /// The limits of a configuration; all buckets are full.
    pub fn new(config: &Config, metrics: LimitMetrics) -> Self {
        Self::with_clock(config, metrics, MonotonicClock)
    }
}

impl<C: Clock + Clone> Limits<C> {
    fn with_clock(config: &Config, metrics: LimitMetrics, clock: C) -> Self {
        Self { guards: ArcSwap::from_pointee(Guards::new(config, None, &clock)), metrics, clock }
    }

    /// Obeys another configuration from now on. Limits whose rate, burst and `keys_max` stay the
    /// same keep their buckets, and who sits out goes on doing so; the others begin anew.
    pub fn replace(&self, config: &Config) {
        self.guards.rcu(|old| Guards::new(config, Some(old), &self.clock));
    }

    /// Lets a request to an endpoint through, by all limits that need not know the user.
    /// `client` says where it comes from, if that matters.
    pub fn admit(&self, endpoint: Endpoint, client: impl FnOnce() -> IpAddr) -> Result<(), Limited> {
        let guards = self.guards.load();
        let gateway = self.take(Kind::Gateway, guards.gateway.as_ref(), &())?;
        let route = self
            .take(Kind::Route, guards.routes[endpoint as usize].as_ref(), &())
            .inspect_err(|_| give_back(gateway))?;
        if guards.address.is_some() {
            self.take(Kind::Address, guards.address.as_ref(), &client().into()).inspect_err(|_| {
                give_back(route);
                give_back(gateway);
            })?;
        }
        Ok(())
    }

    /// Lets a user's request to an endpoint through. Who sits out does not draw, and may look.
    pub fn admit_user(&self, endpoint: Endpoint, user: &UserId) -> Result<(), Limited> {
        let guards = self.guards.load();
        if let Some((observe, sitting_out)) = guards.sit_out.as_ref().filter(|_| endpoint == Endpoint::Draw)
            && let Some(wait) = sitting_out.left(user)
        {
            self.metrics.decided(Kind::SitOut, *observe);
            if !observe {
                return Err(Limited { kind: Kind::SitOut, burst: 0, wait });
            }
        }
        let taken = self.take(Kind::User, guards.user.as_ref(), user);
        if taken.is_err()
            && let Some((_, sitting_out)) = &guards.sit_out
        {
            sitting_out.refused(user);
        }
        taken.map(drop)
    }

    /// Takes a token, and answers where from; `None` when there is no limit or when it lets
    /// through what it should not, because it only observes.
    fn take<'a, S: StateStore<Key: Hash + Eq + Clone> + Clone>(
        &self,
        kind: Kind,
        guard: Option<&'a Guard<S, C>>,
        key: &S::Key,
    ) -> Result<Option<&'a Bucket<S, C>>, Limited> {
        let Some(Guard { observe, bucket }) = guard else { return Ok(None) };
        let Err(Empty { burst, wait }) = bucket.take(key) else { return Ok(Some(bucket)) };
        self.metrics.decided(kind, *observe);
        if *observe { Ok(None) } else { Err(Limited { kind, burst, wait }) }
    }

    /// How many users sit out, and at most `shown_max` of them.
    pub fn sitting_out(&self, shown_max: usize) -> (usize, Vec<Sitter>) {
        self.guards.load().sit_out.as_ref().map(|(_, sitting_out)| sitting_out.list(shown_max)).unwrap_or_default()
    }

    /// Lets a user draw who sits out; `false` when the user does not.
    pub fn revoke(&self, user: &UserId) -> bool {
        self.guards.load().sit_out.as_ref().is_some_and(|(_, sitting_out)| sitting_out.revoke(user))
    }

    /// Brings the gauges up to date.
    pub fn observe(&self) {
        let guards = self.guards.load();
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let addresses = guards.address.as_ref().map_or(0, |guard| guard.bucket.count());
        let users = guards.user.as_ref().map_or(0, |guard| guard.bucket.count());
        let (sitting_out, _) = self.sitting_out(0);
        self.metrics.addresses.set(gauge(addresses));
        self.metrics.users.set(gauge(users));
        self.metrics.sitting_out.set(i64::try_from(sitting_out).unwrap_or(i64::MAX));
    }
}

fn give_back<C: Clock>(taken: Option<&Bucket<Cell, C>>) {
    if let Some(bucket) = taken {
        bucket.give_back();
    }
}

#[cfg(test)]
mod tests;
