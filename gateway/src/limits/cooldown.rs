//! Cooldowns: users who were refused too often, or who were stopped by an operator, do not draw for
//! a while.
//!
//! Counts and cooldowns lie in a table of fixed size, by the hash of the user. So the table cannot
//! be listed; the users who came in last are remembered by name beside it.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use market::UserId;

use super::cells::{CellChunk, CellTable};

/// Of the users who came in last, this number can be found by name.
const NAMED_MAX: usize = 1_000;

/// The most users who can be in cooldown by hand. (Each draw looks into this map, and each entry is
/// a decision of a person.)
pub const BY_HAND_MAX: usize = 1_000;

/// The longest cooldown.
pub const LASTS_MAX: Duration = Duration::from_hours(7 * 24);

/// When a cooldown begins, and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CooldownRules {
    /// So many refusals by the limit of users, ...
    pub after_refusals: u32,
    /// ... counted for so long from the first one on, ...
    pub window: Duration,
    /// ... cost the user so much time.
    pub lasts: Duration,
    /// It refuses nothing; what it would refuse is counted.
    pub observe: bool,
}

/// A user in cooldown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInCooldown {
    /// Who.
    pub user: UserId,
    /// For how much longer.
    pub left: Duration,
    /// An operator's decision.
    pub by_hand: bool,
}

/// What is known of a user. Times are counted from when the table was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum CooldownState {
    #[default]
    Unknown,
    Refused {
        since_ns: u64,
        count: u32,
    },
    UserInCooldown {
        until_ns: u64,
    },
}

// Documented: 48 bytes for each user that there is room for.
const _: () = assert!(size_of::<CooldownState>() == 16);

impl CooldownState {
    fn left_ns(self, now_ns: u64) -> Option<u64> {
        match self {
            CooldownState::UserInCooldown { until_ns } => {
                until_ns.checked_sub(now_ns).filter(|&left_ns| left_ns > 0)
            }
            _ => None,
        }
    }
}

/// Users in cooldown by the rules, and users who are close to it.
pub struct CooldownTable<C: Clock> {
    rules: CooldownRules,
    keys_max: u64,
    clock: C,
    start: C::Instant,
    table: CellTable<CooldownState>,
    /// Who came in last, the latest at the end.
    named: Mutex<VecDeque<UserId>>,
}

impl<C: Clock> CooldownTable<C> {
    /// Room for `keys_max` users, none of them in cooldown.
    pub fn new(rules: CooldownRules, keys_max: u64, clock: C) -> Self {
        let start = clock.now();
        Self {
            rules,
            keys_max,
            clock,
            start,
            table: CellTable::new(keys_max),
            named: Mutex::default(),
        }
    }

    /// Whether it was made by these rules, but for `observe`.
    pub fn obeys(&self, rules: CooldownRules, keys_max: u64) -> bool {
        self.rules
            == CooldownRules {
                observe: self.rules.observe,
                ..rules
            }
            && self.keys_max == keys_max
    }

    fn now_ns(&self) -> u64 {
        self.clock.now().duration_since(self.start).as_u64()
    }

    /// How much longer the user's cooldown lasts.
    pub fn left(&self, user: &UserId) -> Option<Duration> {
        let now_ns = self.now_ns();
        let left_ns = self
            .table
            .with_known(user, |state| state.left_ns(now_ns))
            .flatten();
        left_ns.map(Duration::from_nanos)
    }

    /// Counts a refusal, the last one that is needed perhaps. In cooldown none is counted: it must
    /// end one day.
    pub fn refused(&self, user: &UserId) {
        let now_ns = self.now_ns();
        // A caller that invents users must not get others out of their cooldown.
        let may_go = |state: &CooldownState| state.left_ns(now_ns).is_none();
        if self
            .table
            .with(user, may_go, |state| self.count(state, now_ns))
        {
            let mut named = self.named();
            named.push_back(user.clone());
            let more = named.len().saturating_sub(NAMED_MAX);
            named.drain(..more);
        }
    }

    /// Counts a refusal; `true` when the cooldown begins.
    fn count(&self, state: &mut CooldownState, now_ns: u64) -> bool {
        if state.left_ns(now_ns).is_some() {
            return false;
        }
        let (since_ns, count) = match *state {
            CooldownState::Refused { since_ns, count }
                if now_ns < since_ns.saturating_add(nanoseconds(self.rules.window)) =>
            {
                (since_ns, count + 1)
            }
            _ => (now_ns, 1),
        };
        let begins = count >= self.rules.after_refusals;
        *state = if begins {
            CooldownState::UserInCooldown {
                until_ns: now_ns.saturating_add(nanoseconds(self.rules.lasts)),
            }
        } else {
            CooldownState::Refused { since_ns, count }
        };
        begins
    }

    /// Ends a user's cooldown; `false` when there is none.
    pub fn clear(&self, user: &UserId) -> bool {
        let now_ns = self.now_ns();
        let was = self.table.with_known(user, std::mem::take);
        was.is_some_and(|state| state.left_ns(now_ns).is_some())
    }

    /// Those who are in cooldown of the last users who came in, in no order.
    pub fn list(&self) -> Vec<UserInCooldown> {
        let mut named: Vec<UserId> = self.named().iter().cloned().collect();
        named.sort_unstable();
        named.dedup();
        let now_ns = self.now_ns();
        let cooling = |user: UserId| {
            let left_ns = self.table.get(&user).left_ns(now_ns)?;
            Some(UserInCooldown {
                user,
                left: Duration::from_nanos(left_ns),
                by_hand: false,
            })
        };
        named.into_iter().filter_map(cooling).collect()
    }

    /// The whole table, in parts.
    pub fn chunks(&self) -> impl Iterator<Item = CellChunk> + use<C> {
        self.table.chunks()
    }

    /// How many users of a part are in cooldown.
    pub fn count_chunk(&self, chunk: CellChunk) -> u64 {
        let now_ns = self.now_ns();
        self.table
            .count(chunk, |state| state.left_ns(now_ns).is_some())
    }

    fn named(&self) -> MutexGuard<'_, VecDeque<UserId>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// There is no room for one more user in cooldown by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{BY_HAND_MAX} users are in cooldown by hand already: clear one first")]
pub struct TooMany;

/// Users whom an operator put into cooldown, by when it ends. Immutable: a change makes another
/// one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByHand(HashMap<UserId, Duration>);

impl ByHand {
    /// How much longer the user's cooldown lasts.
    pub fn left(&self, user: &UserId, now: impl FnOnce() -> Duration) -> Option<Duration> {
        // Nearly always there are none, and no reason to look at the clock.
        self.0
            .get(user)?
            .checked_sub(now())
            .filter(|left| !left.is_zero())
    }

    /// The same with a user in cooldown until then, without those whose cooldown has ended.
    pub fn with(&self, user: &UserId, until: Duration, now: Duration) -> Result<Self, TooMany> {
        let mut users = self.0.clone();
        users.retain(|_, until| *until > now);
        users.insert(user.clone(), until);
        if users.len() > BY_HAND_MAX {
            Err(TooMany)
        } else {
            Ok(Self(users))
        }
    }

    /// The same without a user; `None` when the user is not in it.
    pub fn without(&self, user: &UserId) -> Option<Self> {
        let mut users = self.0.clone();
        users.remove(user).map(|_| Self(users))
    }

    /// All whose cooldown has not ended.
    pub fn list(&self, now: Duration) -> Vec<UserInCooldown> {
        let left = |until: Duration| until.checked_sub(now).filter(|left| !left.is_zero());
        let cooling = |(user, &until): (&UserId, &Duration)| {
            Some(UserInCooldown {
                user: user.clone(),
                left: left(until)?,
                by_hand: true,
            })
        };
        self.0.iter().filter_map(cooling).collect()
    }
}

/// At most `shown_max` of the users in cooldown, each once; the first one is free first.
pub fn shown(cooling: Vec<UserInCooldown>, shown_max: usize) -> Vec<UserInCooldown> {
    let mut of_users: BTreeMap<UserId, UserInCooldown> = BTreeMap::new();
    for each in cooling {
        let longest = of_users
            .entry(each.user.clone())
            .or_insert_with(|| each.clone());
        if longest.left < each.left {
            *longest = each;
        }
    }
    let mut shown: Vec<UserInCooldown> = of_users.into_values().collect();
    shown.sort_by(|one, other| (one.left, &one.user).cmp(&(other.left, &other.user)));
    shown.truncate(shown_max);
    shown
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const RULES: CooldownRules = CooldownRules {
        after_refusals: 3,
        window: Duration::from_mins(1),
        lasts: Duration::from_mins(10),
        observe: false,
    };

    fn user(number: u32) -> UserId {
        UserId::new(&format!("u{number}")).expect("a user")
    }

    fn made(keys_max: u64) -> (CooldownTable<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (CooldownTable::new(RULES, keys_max, clock.clone()), clock)
    }

    fn counted(cooldowns: &CooldownTable<FakeRelativeClock>) -> u64 {
        cooldowns
            .chunks()
            .map(|chunk| cooldowns.count_chunk(chunk))
            .sum()
    }

    fn enter(cooldowns: &CooldownTable<FakeRelativeClock>, number: u32) {
        (0..RULES.after_refusals).for_each(|_| cooldowns.refused(&user(number)));
    }

    #[test]
    fn the_last_refusal_of_a_window_begins_it_and_it_ends_by_itself() {
        let (cooldowns, clock) = made(100);
        let u = user(1);
        cooldowns.refused(&u);
        cooldowns.refused(&u);
        assert_eq!(cooldowns.left(&u), None);
        clock.advance(RULES.window.saturating_sub(Duration::from_nanos(1)));
        cooldowns.refused(&u);
        assert_eq!(cooldowns.left(&u), Some(RULES.lasts));
        assert_eq!((cooldowns.left(&user(2)), counted(&cooldowns)), (None, 1));
        clock.advance(RULES.lasts.saturating_sub(Duration::from_nanos(1)));
        assert_eq!(cooldowns.left(&u), Some(Duration::from_nanos(1)));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(cooldowns.left(&u), None);
        assert_eq!((cooldowns.list(), counted(&cooldowns)), (Vec::new(), 0));
        cooldowns.refused(&u);
        assert_eq!(cooldowns.left(&u), None, "counted from the beginning again");
    }

    #[test]
    fn refusals_of_an_old_window_do_not_count() {
        let (cooldowns, clock) = made(100);
        let u = user(1);
        cooldowns.refused(&u);
        cooldowns.refused(&u);
        clock.advance(RULES.window);
        cooldowns.refused(&u);
        cooldowns.refused(&u);
        assert_eq!(cooldowns.left(&u), None);
        cooldowns.refused(&u);
        assert_eq!(cooldowns.left(&u), Some(RULES.lasts));
    }

    #[test]
    fn refusals_meanwhile_do_not_prolong_it() {
        let (cooldowns, clock) = made(100);
        enter(&cooldowns, 1);
        clock.advance(Duration::from_secs(1));
        (0..30).for_each(|_| cooldowns.refused(&user(1)));
        assert_eq!(cooldowns.left(&user(1)), Some(Duration::from_secs(599)));
    }

    #[test]
    fn it_can_be_cleared_and_begins_again_after_the_same_number_of_refusals() {
        let (cooldowns, _clock) = made(100);
        let u = user(1);
        assert!(!cooldowns.clear(&u));
        enter(&cooldowns, 1);
        assert!(cooldowns.clear(&u) && !cooldowns.clear(&u));
        assert_eq!((cooldowns.left(&u), cooldowns.list()), (None, Vec::new()));
        (0..2).for_each(|_| cooldowns.refused(&u));
        assert_eq!(cooldowns.left(&u), None);
        cooldowns.refused(&u);
        assert_eq!(cooldowns.left(&u), Some(RULES.lasts));
        assert_eq!(cooldowns.list().len(), 1, "once, though it came in twice");
    }

    #[test]
    fn the_list_is_sorted_before_it_is_cut() {
        let (cooldowns, clock) = made(100);
        for number in 0..50 {
            enter(&cooldowns, number);
            clock.advance(Duration::from_secs(1));
        }
        let all = shown(cooldowns.list(), 100);
        assert_eq!((all.len(), counted(&cooldowns)), (50, 50));
        let first = UserInCooldown {
            user: user(0),
            left: Duration::from_secs(550),
            by_hand: false,
        };
        assert_eq!(all[0], first);
        assert!(all.is_sorted_by_key(|cooling| cooling.left));
        assert_eq!(
            shown(cooldowns.list(), 2),
            all[..2],
            "those who are free first"
        );
    }

    #[test]
    fn few_refused_users_are_remembered_and_the_last_ones_have_names() {
        let (cooldowns, _clock) = made(10);
        (0..20_000).for_each(|number| enter(&cooldowns, number));
        assert!(
            (10..=32).contains(&counted(&cooldowns)),
            "{}",
            counted(&cooldowns)
        );
        assert!(
            cooldowns.left(&user(19_999)).is_some(),
            "the last one was let in"
        );
        assert_eq!(cooldowns.named().len(), NAMED_MAX);
        assert!(cooldowns.list().len() as u64 <= counted(&cooldowns));
    }

    #[test]
    fn invented_users_get_no_user_out_of_a_cooldown() {
        let (cooldowns, _clock) = made(1_000);
        (0..500).for_each(|number| enter(&cooldowns, number));
        (1_000..101_000).for_each(|number| cooldowns.refused(&user(number)));
        let left = (0..500)
            .filter(|&number| cooldowns.left(&user(number)).is_some())
            .count();
        assert_eq!((left, counted(&cooldowns)), (500, 500));
    }

    #[test]
    fn by_hand_there_is_room_for_many_and_an_ended_cooldown_leaves_it() {
        let second = Duration::from_secs;
        let mut by_hand = ByHand::default();
        for number in 0..1_000 {
            by_hand = by_hand
                .with(&user(number), second(5), second(0))
                .expect("room");
        }
        assert_eq!(
            by_hand.with(&user(1_000), second(9), second(4)),
            Err(TooMany)
        );
        assert!(
            by_hand.with(&user(0), second(9), second(4)).is_ok(),
            "no other user"
        );
        assert_eq!(by_hand.left(&user(0), || second(3)), Some(second(2)));
        assert_eq!(by_hand.left(&user(0), || second(5)), None);
        let later = by_hand
            .with(&user(1_000), second(9), second(5))
            .expect("room");
        assert_eq!(later.list(second(5)).len(), 1);
        assert!(later.without(&user(0)).is_none() && later.without(&user(1_000)).is_some());
    }

    #[test]
    fn of_two_cooldowns_of_a_user_the_longer_one_is_shown() {
        let cooling = |left, by_hand| UserInCooldown {
            user: user(1),
            left: Duration::from_secs(left),
            by_hand,
        };
        assert_eq!(
            shown(vec![cooling(1, true), cooling(2, false)], 5),
            [cooling(2, false)]
        );
        assert_eq!(
            shown(vec![cooling(3, true), cooling(2, false)], 5),
            [cooling(3, true)]
        );
    }
}
