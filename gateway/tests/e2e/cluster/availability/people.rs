//! The users who draw, and how many of their draws were answered.
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// Refuses draws while the stock cannot be reached.
pub(super) const REFUSING: u64 = 200_003;
/// That of the batches in which a gateway stands still.
pub(super) const HELD: u64 = 200_006;
/// Needs no stock.
pub(super) const UNLIMITED: u64 = 200_005;
/// Gives the fallback prize meanwhile.
pub(super) const FALLING_BACK: u64 = 200_004;
/// More than this percentage of draws must be answered.
pub(super) const ANSWERED_PERCENT: usize = 90;

/// A user who draws.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Person {
    pub(super) user: String,
    pub(super) shard: u16,
    pub(super) activity: u64,
}

impl Person {
    pub(super) fn needs_a_unit(&self) -> bool {
        [REFUSING, HELD].contains(&self.activity)
    }
}

/// One draw that was asked for, and how that ended.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) person: Person,
    pub(super) gateway: usize,
    pub(super) sent: Instant,
    pub(super) answered: bool,
    pub(super) code: String,
}

/// How many of them were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) answered: usize,
    pub(super) asked: usize,
}

impl Share {
    pub(super) fn of<'a>(asks: impl IntoIterator<Item = &'a Ask>) -> Self {
        asks.into_iter().fold(
            Self {
                answered: 0,
                asked: 0,
            },
            |share, ask| Self {
                answered: share.answered + usize::from(ask.answered),
                asked: share.asked + 1,
            },
        )
    }

    /// A share of no draws is not enough.
    pub(super) fn is_enough(self) -> bool {
        self.answered * 100 > self.asked * ANSWERED_PERCENT
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} ({} %)",
            self.answered,
            self.asked,
            self.answered * 100 / self.asked.max(1)
        )
    }
}

/// Whether enough of `asking` people, counted at each gateway, were answered when they last asked.
pub(super) fn are_back(asks: &[Ask], asking: usize) -> bool {
    let mut last: BTreeMap<(&Person, usize), &Ask> = BTreeMap::new();
    for ask in asks {
        let place = last.entry((&ask.person, ask.gateway)).or_insert(ask);
        if ask.sent >= place.sent {
            *place = ask;
        }
    }
    last.len() == asking && Share::of(last.into_values()).is_enough()
}

pub(super) fn codes<'a>(asks: impl IntoIterator<Item = &'a Ask>) -> BTreeMap<&'a str, usize> {
    let mut codes = BTreeMap::new();
    for ask in asks {
        *codes.entry(&*ask.code).or_default() += 1;
    }
    codes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ask(user: &str, gateway: usize, sent: Instant, answered: bool) -> Ask {
        let person = Person {
            user: user.to_owned(),
            shard: 0,
            activity: UNLIMITED,
        };
        Ask {
            person,
            gateway,
            sent,
            answered,
            code: String::new(),
        }
    }

    #[test]
    fn a_share_is_counted_in_answers_and_none_of_none_is_not_enough() {
        let share = |answered, asked| Share { answered, asked }.is_enough();
        assert!(share(91, 100) && !share(90, 100) && !share(0, 0));
        let now = Instant::now();
        let asks = [ask("u1", 0, now, true), ask("u2", 0, now, false)];
        assert_eq!(
            Share::of(&asks),
            Share {
                answered: 1,
                asked: 2
            }
        );
    }

    #[test]
    fn people_are_back_when_the_last_that_each_of_them_asked_was_answered() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut asks = vec![
            ask("u1", 0, now, false),
            ask("u1", 0, later, true),
            ask("u1", 1, now, true),
        ];
        assert!(are_back(&asks, 2));
        assert!(!are_back(&asks, 3), "one has not asked yet");
        // What was asked first may end last.
        asks.push(ask("u1", 0, now, false));
        assert!(are_back(&asks, 2));
        asks.push(ask("u1", 1, later, false));
        assert!(!are_back(&asks, 2));
    }
}
