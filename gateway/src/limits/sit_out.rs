//! Users who were refused too often, and sit out for a while.
//!
//! Both what is counted and who sits out is bounded in number; beyond that the user goes who was
//! heard of longest ago.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use market::UserId;
use moka::policy::EvictionPolicy;
use moka::sync::{Cache, CacheBuilder};

/// When somebody has to sit out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SitOut {
    /// So many refusals by the limit of users, ...
    pub after_refusals: u32,
    /// ... counted for so long from the first one on, ...
    pub window: Duration,
    /// ... cost the user so much time.
    pub lasts: Duration,
    /// Nobody is refused; what would be is counted.
    pub observe: bool,
}

/// Somebody who sits out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitter {
    /// Who.
    pub user: UserId,
    /// For how much longer.
    pub left: Duration,
}

/// Refusals since a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Refusals {
    since: Duration,
    count: u32,
}

/// Who sits out, and who will soon. Times are counted from when it was made.
pub struct SittingOut<C: Clock> {
    rules: SitOut,
    keys_max: u64,
    clock: C,
    start: C::Instant,
    refusals: Cache<UserId, Arc<Mutex<Refusals>>>,
    until: Cache<UserId, Duration>,
}

/// A map of users that forgets, when it is full, who was heard of longest ago.
fn bounded<V: Clone + Send + Sync + 'static>(keys_max: u64) -> CacheBuilder<UserId, V, Cache<UserId, V>> {
    Cache::builder().max_capacity(keys_max).eviction_policy(EvictionPolicy::lru())
}

impl<C: Clock> SittingOut<C> {
    /// Nobody sits out yet. Room for `keys_max` users.
    pub fn new(rules: SitOut, keys_max: u64, clock: C) -> Self {
        let start = clock.now();
        let refusals = bounded(keys_max).time_to_idle(rules.window).build();
        let until = bounded(keys_max).time_to_live(rules.lasts).build();
        Self { rules, keys_max, clock, start, refusals, until }
    }

    /// Whether it was made by these rules, but for `observe`.
    pub fn obeys(&self, rules: SitOut, keys_max: u64) -> bool {
        self.rules == SitOut { observe: self.rules.observe, ..rules } && self.keys_max == keys_max
    }

    fn now(&self) -> Duration {
        self.clock.now().duration_since(self.start).into()
    }

    /// How much longer the user sits out.
    pub fn left(&self, user: &UserId) -> Option<Duration> {
        let left = self.until.get(user)?.checked_sub(self.now())?;
        (!left.is_zero()).then_some(left)
    }

    /// Counts a refusal, the last one that is needed perhaps. Who sits out already is not
    /// counted: it must end one day.
    pub fn refused(&self, user: &UserId) {
        if self.left(user).is_some() {
            return;
        }
        let refusals = self.refusals.get_with_by_ref(user, Arc::default);
        let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        if refusals.count == 0 || now >= refusals.since + self.rules.window {
            *refusals = Refusals { since: now, count: 0 };
        }
        refusals.count += 1;
        if refusals.count >= self.rules.after_refusals {
            *refusals = Refusals::default();
            self.until.insert(user.clone(), now + self.rules.lasts);
        }
    }

    /// Lets a user draw again; `false` when nothing kept the user from it.
    pub fn revoke(&self, user: &UserId) -> bool {
        let sat_out = self.left(user).is_some();
        self.until.invalidate(user);
        self.refusals.invalidate(user);
        sat_out
    }

    /// How many sit out, and at most `shown_max` of them.
    pub fn list(&self, shown_max: usize) -> (usize, Vec<Sitter>) {
        let now = self.now();
        let left = |until: Duration| until.checked_sub(now).filter(|left| !left.is_zero());
        let all = self.until.iter().filter_map(|(user, until)| Some((user, left(until)?)));
        let (mut count, mut shown) = (0, Vec::new());
        for (user, left) in all {
            count += 1;
            if shown.len() < shown_max {
                shown.push(Sitter { user: (*user).clone(), left });
            }
        }
        shown.sort_by(|one, other| (one.left, &one.user).cmp(&(other.left, &other.user)));
        (count, shown)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const RULES: SitOut =
        SitOut { after_refusals: 3, window: Duration::from_mins(1), lasts: Duration::from_mins(10), observe: false };

    fn user(number: u32) -> UserId {
        UserId::new(&format!("u{number}")).expect("a user")
    }

    fn made(keys_max: u64) -> (SittingOut<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (SittingOut::new(RULES, keys_max, clock.clone()), clock)
    }

    #[test]
    fn the_last_refusal_of_a_window_begins_it_and_it_ends_by_itself() {
        let (sitting_out, clock) = made(100);
        let u = user(1);
        sitting_out.refused(&u);
        sitting_out.refused(&u);
        assert_eq!(sitting_out.left(&u), None);
        clock.advance(RULES.window.saturating_sub(Duration::from_nanos(1)));
        sitting_out.refused(&u);
        assert_eq!(sitting_out.left(&u), Some(RULES.lasts));
        assert_eq!(sitting_out.left(&user(2)), None);
        clock.advance(RULES.lasts.saturating_sub(Duration::from_nanos(1)));
        assert_eq!(sitting_out.left(&u), Some(Duration::from_nanos(1)));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(sitting_out.left(&u), None);
        assert_eq!(sitting_out.list(10), (0, Vec::new()));
        sitting_out.refused(&u);
        assert_eq!(sitting_out.left(&u), None, "counted from the beginning again");
    }

    #[test]
    fn refusals_of_an_old_window_do_not_count() {
        let (sitting_out, clock) = made(100);
        let u = user(1);
        sitting_out.refused(&u);
        sitting_out.refused(&u);
        clock.advance(RULES.window);
        sitting_out.refused(&u);
        sitting_out.refused(&u);
        assert_eq!(sitting_out.left(&u), None);
        sitting_out.refused(&u);
        assert_eq!(sitting_out.left(&u), Some(RULES.lasts));
    }

    #[test]
    fn refusals_while_sitting_out_do_not_prolong_it() {
        let (sitting_out, clock) = made(100);
        let u = user(1);
        (0..3).for_each(|_| sitting_out.refused(&u));
        clock.advance(Duration::from_secs(1));
        (0..30).for_each(|_| sitting_out.refused(&u));
        assert_eq!(sitting_out.left(&u), Some(Duration::from_secs(599)));
    }

    #[test]
    fn it_can_be_revoked_and_begins_anew_after_as_many_refusals() {
        let (sitting_out, _clock) = made(100);
        let u = user(1);
        assert!(!sitting_out.revoke(&u));
        (0..3).for_each(|_| sitting_out.refused(&u));
        assert!(sitting_out.revoke(&u));
        assert_eq!(sitting_out.left(&u), None);
        (0..2).for_each(|_| sitting_out.refused(&u));
        assert_eq!(sitting_out.left(&u), None);
        sitting_out.refused(&u);
        assert_eq!(sitting_out.left(&u), Some(RULES.lasts));
    }

    #[test]
    fn the_list_counts_all_and_shows_some_those_first_who_are_free_first() {
        let (sitting_out, clock) = made(100);
        for number in 0..5 {
            (0..3).for_each(|_| sitting_out.refused(&user(number)));
            clock.advance(Duration::from_secs(1));
        }
        let (count, shown) = sitting_out.list(100);
        assert_eq!((count, shown.len()), (5, 5));
        assert_eq!(shown[0], Sitter { user: user(0), left: Duration::from_secs(595) });
        assert!(shown.is_sorted_by_key(|sitter| sitter.left));
        let (count, shown) = sitting_out.list(2);
        assert_eq!((count, shown.len()), (5, 2));
    }

    #[test]
    fn however_many_are_refused_few_are_remembered() {
        let (sitting_out, _clock) = made(10);
        for number in 0..20_000 {
            (0..3).for_each(|_| sitting_out.refused(&user(number)));
        }
        sitting_out.until.run_pending_tasks();
        sitting_out.refusals.run_pending_tasks();
        assert!(sitting_out.list(100).0 <= 10);
        assert!(sitting_out.refusals.entry_count() <= 10);
        assert!(sitting_out.left(&user(19_999)).is_some(), "the last one was let in");
    }
}
