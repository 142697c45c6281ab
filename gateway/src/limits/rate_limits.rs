//! All limits of a gateway, and how requests are let through.
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use governor::clock::{Clock, MonotonicClock, Reference};
use governor::state::StateStore;
use jiff::Timestamp;
use market::UserId;
use serde_json::Value;

use super::bucket::{Bucket, BucketCell, BucketEmpty};
use super::cells::CellChunk;
use super::config::LimitsConfig;
use super::cooldown::{TooMany, UserInCooldown, shown};
use super::guards::{LimitGuard, LimitGuards, WantedLimits};
use super::kind::{LimitExceeded, LimitKind};
use super::metrics::LimitMetrics;
use super::overrides::{self, LimitOverride, LimitTarget, ListedLimit, OverridesByTarget};
use super::unproven::{UNPROVEN_MAX, UnprovenCall, UnprovenCalls};
use crate::answer::Endpoint;

/// All limits of a gateway.
pub struct RateLimits<C: Clock = MonotonicClock> {
    guards: ArcSwap<LimitGuards<C>>,
    wanted: Mutex<WantedLimits>,
    metrics: LimitMetrics,
    unproven: Arc<UnprovenCalls>,
    clock: C,
    /// What cooldowns by hand are counted from.
    start: C::Instant,
}

impl RateLimits {
    /// The limits of a configuration; all buckets are full.
    pub fn new(config: &LimitsConfig, metrics: LimitMetrics) -> Self {
        Self::with_clock(config, metrics, MonotonicClock)
    }

    /// Keeps the gauges of keys up to date for as long as the limits are there: each second, or
    /// more seldom where that would take more than a two-hundredth of a processor.
    pub fn keep_counted(self: &Arc<Self>) {
        const SHARE: u32 = 200;
        const PERIOD_MIN: Duration = Duration::from_secs(1);
        let limits = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(limits) = limits.upgrade() {
                let took = limits.count_keys().await;
                drop(limits);
                tokio::time::sleep((took * SHARE).max(PERIOD_MIN)).await;
            }
        });
    }
}

impl<C: Clock + Clone> RateLimits<C> {
    fn with_clock(config: &LimitsConfig, metrics: LimitMetrics, clock: C) -> Self {
        let (overrides, by_hand) = (OverridesByTarget::new(), Arc::default());
        let wanted = WantedLimits {
            config: config.clone(),
            overrides,
            by_hand,
        };
        let guards = ArcSwap::from_pointee(LimitGuards::new(&wanted, None, &clock));
        let start = clock.now();
        Self {
            guards,
            wanted: Mutex::new(wanted),
            metrics,
            unproven: Arc::default(),
            clock,
            start,
        }
    }

    fn now(&self) -> Duration {
        self.clock.now().duration_since(self.start).into()
    }

    /// Obeys another configuration from now on, with the same overrides over it. Limits whose rate,
    /// burst and `keys_max` stay the same keep their buckets, and cooldowns go on; the others begin
    /// with full buckets.
    pub fn replace(&self, config: &LimitsConfig) {
        self.change(|wanted| wanted.config = config.clone());
    }

    /// Changes what is wanted, one after the other, and obeys it.
    fn change<T>(&self, act: impl FnOnce(&mut WantedLimits) -> T) -> T {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut wanted);
        let old = self.guards.load_full();
        self.guards
            .store(Arc::new(LimitGuards::new(&wanted, Some(&old), &self.clock)));
        done
    }

    /// Lays a limit over the configured one, by its name: `gateway`, `address`, `user` or
    /// `route.NAME`. `None` takes it back.
    pub fn override_limit(&self, target: &str, over: Option<LimitOverride>) -> Result<(), String> {
        let target: LimitTarget = target
            .parse()
            .map_err(|error| format!("target: {error}, found {target:?}"))?;
        self.change(|wanted| match over {
            Some(over) => wanted.overrides.insert(target, over),
            None => wanted.overrides.remove(&target),
        });
        Ok(())
    }

    /// The same, as JSON: `{"perSecond": 5, "burst": 10, "observe": false}` or `{"off": true}`.
    pub fn override_limit_json(
        &self,
        target: &str,
        value: Option<&Value>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), String> {
        let limit = value.map(overrides::parse).transpose()?;
        self.override_limit(
            target,
            limit.map(|limit| LimitOverride { limit, expires_at }),
        )
    }

    /// All limits, as they are configured and as they are.
    pub fn list(&self) -> Vec<ListedLimit> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = |target: LimitTarget| ListedLimit {
            target,
            configured: target.of(&wanted.config),
            overridden: wanted.overrides.get(&target).copied(),
        };
        LimitTarget::all().map(listed).collect()
    }

    /// Admits a request by all limits that need not know who calls. `route` is the endpoint, unless
    /// its limit is asked later ([`RateLimits::admit_route`]). `client` says where it comes from, if
    /// that matters.
    pub fn admit(
        &self,
        route: Option<Endpoint>,
        client: impl FnOnce() -> IpAddr,
    ) -> Result<(), LimitExceeded> {
        let guards = self.guards.load();
        let gateway = self.take(LimitKind::Gateway, guards.gateway.as_ref(), &())?;
        let route = route.and_then(|route| guards.routes[route as usize].as_ref());
        let route = self
            .take(LimitKind::Route, route, &())
            .inspect_err(|_| give_back(gateway))?;
        if guards.address.is_some() {
            self.take(
                LimitKind::Address,
                guards.address.as_ref(),
                &client().into(),
            )
            .inspect_err(|_| {
                give_back(route);
                give_back(gateway);
            })?;
        }
        Ok(())
    }

    /// Admits a request to an endpoint by the limit of that route alone.
    pub fn admit_route(&self, endpoint: Endpoint) -> Result<(), LimitExceeded> {
        let guards = self.guards.load();
        let route = guards.routes[endpoint as usize].as_ref();
        self.take(LimitKind::Route, route, &()).map(drop)
    }

    /// Counts a call whose body must be read to know who calls.
    pub fn enter_unproven(&self, client: IpAddr) -> Result<UnprovenCall, LimitExceeded> {
        const WAIT: Duration = Duration::from_secs(1);
        self.unproven.enter(client).ok_or_else(|| {
            self.metrics.decided(LimitKind::Address, false);
            LimitExceeded {
                kind: LimitKind::Address,
                burst: UNPROVEN_MAX,
                wait: WAIT,
            }
        })
    }

    /// Admits a user's request to an endpoint. A user in cooldown may read, and not draw.
    pub fn admit_user(&self, endpoint: Endpoint, user: &UserId) -> Result<(), LimitExceeded> {
        let guards = self.guards.load();
        if endpoint == Endpoint::Draw {
            self.check_cooldown(&guards, user)?;
        }
        let taken = self.take(LimitKind::User, guards.user.as_ref(), user);
        if taken.is_err()
            && let Some((_, cooldowns)) = &guards.cooldown
        {
            cooldowns.refused(user);
        }
        taken.map(drop)
    }

    fn check_cooldown(&self, guards: &LimitGuards<C>, user: &UserId) -> Result<(), LimitExceeded> {
        let by_hand = guards
            .by_hand
            .left(user, || self.now())
            .map(|wait| (false, wait));
        let by_rule = || {
            guards
                .cooldown
                .as_ref()
                .and_then(|(observe, all)| Some((*observe, all.left(user)?)))
        };
        let Some((observe, wait)) = by_hand.or_else(by_rule) else {
            return Ok(());
        };
        self.metrics.decided(LimitKind::Cooldown, observe);
        if observe {
            Ok(())
        } else {
            Err(LimitExceeded {
                kind: LimitKind::Cooldown,
                burst: 0,
                wait,
            })
        }
    }

    /// Takes a token, and returns where from; `None` when there is no limit or when it lets
    /// through what it should not, because it only observes.
    fn take<'a, S: StateStore<Key: Hash + Eq + Clone> + Clone>(
        &self,
        kind: LimitKind,
        guard: Option<&'a LimitGuard<S, C>>,
        key: &S::Key,
    ) -> Result<Option<&'a Bucket<S, C>>, LimitExceeded> {
        let Some(LimitGuard { observe, bucket }) = guard else {
            return Ok(None);
        };
        let Err(BucketEmpty { burst, wait }) = bucket.take(key) else {
            return Ok(Some(bucket));
        };
        self.metrics.decided(kind, *observe);
        if *observe {
            Ok(None)
        } else {
            Err(LimitExceeded { kind, burst, wait })
        }
    }

    /// How many users are in cooldown, and at most `shown_max` of them; the first one is free
    /// first. Of users whom the limits refused only the last that came in can be shown.
    pub async fn cooldowns(&self, shown_max: usize) -> (u64, Vec<UserInCooldown>) {
        let guards = self.guards.load_full();
        let mut cooling = guards.by_hand.list(self.now());
        let by_hand = cooling.len() as u64;
        cooling.extend(guards.cooldown.iter().flat_map(|(_, all)| all.list()));
        let mut took = Duration::ZERO;
        let by_rule = count_cooldowns(&guards, &mut took).await;
        let shown = shown(cooling, shown_max);
        ((by_hand + by_rule).max(shown.len() as u64), shown)
    }

    /// Ends a user's cooldown; `false` when there is none.
    pub fn clear_cooldown(&self, user: &UserId) -> bool {
        let by_rule = self
            .guards
            .load()
            .cooldown
            .as_ref()
            .is_some_and(|(_, cooldowns)| cooldowns.clear(user));
        let was_by_hand = self.clear_cooldown_by_hand(user);
        by_rule || was_by_hand
    }

    /// Takes back what [`RateLimits::set_cooldown`] did; what the limits say of the user stays.
    pub fn clear_cooldown_by_hand(&self, user: &UserId) -> bool {
        let was_by_hand = self
            .guards
            .load()
            .by_hand
            .left(user, || self.now())
            .is_some();
        if was_by_hand {
            self.change(|wanted| {
                if let Some(others) = wanted.by_hand.without(user) {
                    wanted.by_hand = Arc::new(others);
                }
            });
        }
        was_by_hand
    }

    /// Puts a user into cooldown by hand, whatever the limits say of the user, and through reloads.
    pub fn set_cooldown(&self, user: &UserId, lasts: Duration) -> Result<(), TooMany> {
        let now = self.now();
        self.change(|wanted| {
            wanted.by_hand = Arc::new(wanted.by_hand.with(user, now.saturating_add(lasts), now)?);
            Ok(())
        })
    }

    /// Counts keys and cooldowns for the gauges, and returns how long it looked. It looks at a part
    /// of a table at a time, because callers wait for its lock meanwhile, and lets others go first
    /// after each.
    async fn count_keys(&self) -> Duration {
        let guards = self.guards.load_full();
        let mut took = Duration::ZERO;
        let addresses = match &guards.address {
            Some(LimitGuard { bucket, .. }) => {
                total(bucket.chunks(), |chunk| bucket.count(chunk), &mut took).await
            }
            None => 0,
        };
        let users = match &guards.user {
            Some(LimitGuard { bucket, .. }) => {
                total(bucket.chunks(), |chunk| bucket.count(chunk), &mut took).await
            }
            None => 0,
        };
        let cooldown = count_cooldowns(&guards, &mut took).await
            + guards.by_hand.list(self.now()).len() as u64;
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.addresses.set(gauge(addresses));
        self.metrics.users.set(gauge(users));
        self.metrics.cooldown.set(gauge(cooldown));
        took
    }
}

async fn count_cooldowns<C: Clock>(guards: &LimitGuards<C>, took: &mut Duration) -> u64 {
    match &guards.cooldown {
        Some((_, all)) => total(all.chunks(), |chunk| all.count_chunk(chunk), took).await,
        None => 0,
    }
}

/// The sum of what is counted in parts of a table, and how long the counting took.
async fn total(
    chunks: impl Iterator<Item = CellChunk>,
    count: impl Fn(CellChunk) -> u64,
    took: &mut Duration,
) -> u64 {
    let mut sum = 0;
    for chunk in chunks {
        let begun = Instant::now();
        sum += count(chunk);
        *took += begun.elapsed();
        tokio::task::yield_now().await;
    }
    sum
}

fn give_back<C: Clock>(taken: Option<&Bucket<BucketCell, C>>) {
    if let Some(bucket) = taken {
        bucket.give_back();
    }
}

#[cfg(test)]
mod tests;
