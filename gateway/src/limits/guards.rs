//! The limits that apply at one time, made from the configuration and what operators have laid over
//! it.
use std::hash::Hash;
use std::sync::Arc;

use governor::clock::Clock;
use governor::state::StateStore;
use market::UserId;

use super::address::ClientAddress;
use super::bucket::{Bucket, BucketCell};
use super::cells::Cells;
use super::config::{Limit, LimitsConfig};
use super::cooldown::{ByHand, CooldownTable};
use super::overrides::{OverridesByTarget, laid_over};

/// A limit and its state.
pub struct LimitGuard<S: StateStore, C: Clock> {
    pub observe: bool,
    pub bucket: Arc<Bucket<S, C>>,
}

impl<S: StateStore<Key: Hash + Eq + Clone> + Clone, C: Clock> LimitGuard<S, C> {
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
pub struct LimitGuards<C: Clock> {
    keys_max: u64,
    pub gateway: Option<LimitGuard<BucketCell, C>>,
    pub routes: Vec<Option<LimitGuard<BucketCell, C>>>,
    pub address: Option<LimitGuard<Cells<ClientAddress>, C>>,
    pub user: Option<LimitGuard<Cells<UserId>, C>>,
    /// With whether it only observes.
    pub cooldown: Option<(bool, Arc<CooldownTable<C>>)>,
    pub by_hand: Arc<ByHand>,
}

impl<C: Clock + Clone> LimitGuards<C> {
    /// The guards of a configuration. What is the same as before goes on as it is.
    pub fn new(wanted: &WantedLimits, old: Option<&Self>, clock: &C) -> Self {
        let config = laid_over(&wanted.config, &wanted.overrides);
        let keys_max = config.keys_max;
        let keyed = old.filter(|old| old.keys_max == keys_max);
        let one = |limit: Limit, old: Option<&LimitGuard<BucketCell, C>>| {
            LimitGuard::new(limit, old, || {
                Bucket::new(limit.pace(), BucketCell::default(), clock.clone())
            })
        };
        let route = |(place, limit): (usize, &Option<Limit>)| {
            limit.map(|limit| one(limit, old.and_then(|old| old.routes.get(place)?.as_ref())))
        };
        let cooldown = config.cooldown.map(|rules| {
            let kept = old
                .and_then(|old| old.cooldown.as_ref())
                .filter(|(_, old)| old.obeys(rules, keys_max));
            let fresh = || Arc::new(CooldownTable::new(rules, keys_max, clock.clone()));
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
                LimitGuard::new(limit, old, || {
                    Bucket::new(limit.pace(), Cells::new(keys_max), clock.clone())
                })
            }),
            user: config.user.map(|limit| {
                let old = keyed.and_then(|old| old.user.as_ref());
                LimitGuard::new(limit, old, || {
                    Bucket::new(limit.pace(), Cells::new(keys_max), clock.clone())
                })
            }),
            cooldown,
            by_hand: wanted.by_hand.clone(),
        }
    }
}

/// What the guards are made from.
pub struct WantedLimits {
    pub config: LimitsConfig,
    /// By operators, over the configuration: a reload leaves them as they are.
    pub overrides: OverridesByTarget,
    pub by_hand: Arc<ByHand>,
}
