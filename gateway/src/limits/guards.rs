//! The limits that apply at one time, made from the configuration and what operators have laid over
//! it.
use std::hash::Hash;
use std::sync::Arc;

use governor::clock::Clock;
use governor::state::StateStore;
use market::UserId;

use super::address::Client;
use super::bucket::{Bucket, Cell};
use super::cells::Cells;
use super::config::{Limit, LimitsConfig};
use super::cooldown::{ByHand, Cooldowns};
use super::overrides::{Overrides, laid_over};

/// A limit and its state.
pub struct Guard<S: StateStore, C: Clock> {
    pub observe: bool,
    pub bucket: Arc<Bucket<S, C>>,
}

impl<S: StateStore<Key: Hash + Eq + Clone> + Clone, C: Clock> Guard<S, C> {
    /// The guard of a limit, with the state of an old one whose pace was the same.
    fn new(limit: Limit, old: Option<&Self>, bucket: impl FnOnce() -> Bucket<S, C>) -> Self {
        let kept = old
            .filter(|old| old.bucket.pace() == limit.pace())
            .map(|old| old.bucket.clone());
        Self {
            observe: limit.observe,
            bucket: kept.unwrap_or_else(|| Arc::new(bucket())),
        }
    }
}

/// The limits that apply at one time.
pub struct Guards<C: Clock> {
    keys_max: u64,
    pub gateway: Option<Guard<Cell, C>>,
    pub routes: Vec<Option<Guard<Cell, C>>>,
    pub address: Option<Guard<Cells<Client>, C>>,
    pub user: Option<Guard<Cells<UserId>, C>>,
    /// With whether it only observes.
    pub cooldown: Option<(bool, Arc<Cooldowns<C>>)>,
    pub by_hand: Arc<ByHand>,
}

impl<C: Clock + Clone> Guards<C> {
    /// The guards of a configuration. What is the same as before goes on as it is.
    pub fn new(wanted: &Wanted, old: Option<&Self>, clock: &C) -> Self {
        let config = laid_over(&wanted.config, &wanted.overrides);
        let keys_max = config.keys_max;
        let keyed = old.filter(|old| old.keys_max == keys_max);
        let one = |limit: Limit, old: Option<&Guard<Cell, C>>| {
            Guard::new(limit, old, || {
                Bucket::new(limit.pace(), Cell::default(), clock.clone())
            })
        };
        let route = |(place, limit): (usize, &Option<Limit>)| {
            limit.map(|limit| one(limit, old.and_then(|old| old.routes.get(place)?.as_ref())))
        };
        let cooldown = config.cooldown.map(|rules| {
            let kept = old
                .and_then(|old| old.cooldown.as_ref())
                .filter(|(_, old)| old.obeys(rules, keys_max));
            let fresh = || Arc::new(Cooldowns::new(rules, keys_max, clock.clone()));
            (
                rules.observe,
                kept.map_or_else(fresh, |(_, cooldowns)| cooldowns.clone()),
            )
        });
        Self {
            keys_max,
            gateway: config
                .gateway
                .map(|limit| one(limit, old.and_then(|old| old.gateway.as_ref()))),
            routes: config.routes.iter().enumerate().map(route).collect(),
            address: config.address.map(|limit| {
                let old = keyed.and_then(|old| old.address.as_ref());
                Guard::new(limit, old, || {
                    Bucket::new(limit.pace(), Cells::new(keys_max), clock.clone())
                })
            }),
            user: config.user.map(|limit| {
                let old = keyed.and_then(|old| old.user.as_ref());
                Guard::new(limit, old, || {
                    Bucket::new(limit.pace(), Cells::new(keys_max), clock.clone())
                })
            }),
            cooldown,
            by_hand: wanted.by_hand.clone(),
        }
    }
}

/// What the guards are made from.
pub struct Wanted {
    pub config: LimitsConfig,
    /// By operators, over the configuration: a reload leaves them as they are.
    pub overrides: Overrides,
    pub by_hand: Arc<ByHand>,
}
