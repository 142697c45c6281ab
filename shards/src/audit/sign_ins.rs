//! What a user's sign-ins in one activity are, by the rewards that were given for them. The business
//! number of such a reward is its day.
use std::collections::{BTreeMap, BTreeSet};

use market::calendar::Day;

use super::rows::{SignInRepair, StoredRecharge, StoredSignIn};

/// The rewards of a user's sign-ins in one activity, and what repairs have noted of them.
#[derive(Debug, Default)]
pub(super) struct SignIns<'a> {
    rewards: Vec<(Day, &'a StoredRecharge)>,
    /// Days that had not begun when rewards were given for them, and how many. These are no sign-in,
    /// and the user may sign in once more when the day has come.
    set_aside: BTreeMap<Day, i64>,
}

/// What a repair makes of sign-ins of which some are for days that have not begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetBack {
    /// The last sign-in before, as (day, days in a row); (0, 0) where there is none.
    pub(super) last: (i64, i64),
    /// The days that are set aside.
    pub(super) set_aside: Vec<SignInRepair>,
}

/// The day that a business number names.
pub(super) fn day_of(business: &str) -> Option<Day> {
    let number: u32 = business.parse().ok().filter(|_| business.len() == 8)?;
    Some(Day::from_number(number))
}

impl<'a> SignIns<'a> {
    /// Takes the next reward, of a sign-in on this day.
    pub(super) fn take(&mut self, day: Day, order: &'a StoredRecharge) {
        self.rewards.push((day, order));
    }

    /// Takes what a repair has noted.
    pub(super) fn note(&mut self, repair: SignInRepair) {
        if let Ok(day) = u32::try_from(repair.day) {
            self.set_aside.insert(Day::from_number(day), repair.given);
        }
    }

    /// How many rewards each day has.
    fn given(&self) -> BTreeMap<Day, i64> {
        let mut given = BTreeMap::new();
        for (day, _) in &self.rewards {
            *given.entry(*day).or_default() += 1;
        }
        given
    }

    /// The days that count: one that was set aside, when more was given for it since.
    fn days(&self) -> BTreeSet<Day> {
        let before = |day: &Day| self.set_aside.get(day).copied().unwrap_or(0);
        let given = self.given().into_iter();
        given
            .filter(|(day, given)| *given > before(day))
            .map(|(day, _)| day)
            .collect()
    }

    /// What is wrong with them, and with the row that says the last one.
    pub(super) fn faults(&self, row: Option<&StoredSignIn>) -> Vec<String> {
        let streaks = streaks(&self.days());
        let rewarded = last_of(&streaks);
        // A row that was set back to before all sign-ins says none.
        let stored = row
            .map(|row| (row.day, row.streak))
            .filter(|&last| last != (0, 0));
        let differ = (stored != rewarded).then(|| {
            let says = |of: Option<(i64, i64)>| match of {
                Some((day, streak)) => format!("{day} as day {streak} in a row"),
                None => "none".to_owned(),
            };
            format!(
                "the last one is {}, the last reward is for {}",
                says(stored),
                says(rewarded)
            )
        });
        let counted = self.rewards.iter();
        let counted = counted.filter(|(day, _)| !self.set_aside.contains_key(day));
        let wrong_streaks = counted.filter_map(|(day, order)| {
            let nth = streaks.get(day).copied().unwrap_or(0);
            let is_due = order.streak == 0 || order.streak > 0 && nth % order.streak == 0;
            (!is_due).then(|| {
                format!(
                    "recharge order {} is for a streak of {}, on day {nth} in a row",
                    order.id, order.streak
                )
            })
        });
        differ.into_iter().chain(wrong_streaks).collect()
    }

    /// What is left when the sign-ins after the day `latest` are set aside. `None` where the row
    /// does not agree with the rewards, or one of these days was set aside before: then it is
    /// unknown which of them is right.
    pub(super) fn set_back(&self, row: &StoredSignIn, latest: i64) -> Option<SetBack> {
        let is_ahead = |day: &Day| i64::from(day.number()) > latest;
        let (ahead, begun): (BTreeSet<Day>, _) = self.days().into_iter().partition(is_ahead);
        let twice = ahead.iter().any(|day| self.set_aside.contains_key(day));
        if twice || ahead.is_empty() || !self.faults(Some(row)).is_empty() {
            return None;
        }
        let given = self.given();
        let repair = |day: &Day| SignInRepair {
            activity: row.activity,
            day: day.number().into(),
            given: given[day],
        };
        Some(SetBack {
            last: last_of(&streaks(&begun)).unwrap_or_default(),
            set_aside: ahead.iter().map(repair).collect(),
        })
    }
}

/// How many days in a row end with each day.
fn streaks(days: &BTreeSet<Day>) -> BTreeMap<Day, i64> {
    let mut streaks: BTreeMap<Day, i64> = BTreeMap::new();
    for &day in days {
        let streak = match streaks.last_key_value() {
            Some((last, streak)) if last.next() == Some(day) => streak + 1,
            _ => 1,
        };
        streaks.insert(day, streak);
    }
    streaks
}

fn last_of(streaks: &BTreeMap<Day, i64>) -> Option<(i64, i64)> {
    let (day, streak) = streaks.last_key_value()?;
    Some((day.number().into(), *streak))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKU: i64 = 7;

    /// Rewards as (day, streak, sku).
    fn rewards(of: &[(u32, i64, i64)]) -> Vec<(Day, StoredRecharge)> {
        let reward = |&(day, streak, sku): &(u32, i64, i64)| {
            let order = StoredRecharge {
                id: 1,
                activity: 1,
                kind: "rebate_no_pay_trade".into(),
                chances: i64::from(sku != 0),
                points: i64::from(sku == 0),
                sku,
                behaviour: "sign".into(),
                business: day.to_string().into(),
                streak,
            };
            (Day::from_number(day), order)
        };
        of.iter().map(reward).collect()
    }

    fn sign_ins<'a>(rewards: &'a [(Day, StoredRecharge)], set_aside: &[i64]) -> SignIns<'a> {
        let mut sign_ins = SignIns::default();
        for (day, order) in rewards {
            sign_ins.take(*day, order);
        }
        for &day in set_aside {
            sign_ins.note(noted(day));
        }
        sign_ins
    }

    /// A day that had one reward when it was set aside.
    const fn noted(day: i64) -> SignInRepair {
        SignInRepair {
            activity: 1,
            day,
            given: 1,
        }
    }

    fn row(day: i64, streak: i64) -> StoredSignIn {
        StoredSignIn {
            activity: 1,
            day,
            streak,
        }
    }

    /// Two days in a row, and one by a clock that was ahead.
    const AHEAD: [(u32, i64, i64); 4] = [
        (20_260_530, 0, 0),
        (20_260_531, 0, 0),
        (20_260_531, 2, 0),
        (20_260_710, 0, 0),
    ];
    const TODAY: i64 = 20_260_531;
    const LATER: i64 = 20_260_710;

    #[test]
    fn what_is_ahead_is_set_back_to_the_last_day_that_has_begun() {
        let rewards = rewards(&AHEAD);
        let set_back = |day, streak, set_aside: &[i64]| {
            sign_ins(&rewards, set_aside).set_back(&row(day, streak), TODAY)
        };
        let expected = SetBack {
            last: (TODAY, 2),
            set_aside: vec![noted(LATER)],
        };
        assert_eq!(set_back(LATER, 1, &[]), Some(expected));
        // The row says something else than the rewards.
        assert_eq!(set_back(LATER, 2, &[]), None);
        assert_eq!(set_back(LATER + 1, 1, &[]), None);
        let only_ahead = &rewards[3..];
        let none = sign_ins(only_ahead, &[]).set_back(&row(LATER, 1), TODAY);
        assert_eq!(none.map(|set_back| set_back.last), Some((0, 0)));
    }

    #[test]
    fn a_day_that_was_set_aside_counts_when_it_has_come() {
        let before = rewards(&AHEAD);
        let faults = |rewards: &[_], set_aside: &[i64], row: Option<StoredSignIn>| {
            sign_ins(rewards, set_aside).faults(row.as_ref()).len()
        };
        assert_eq!(faults(&before, &[LATER], Some(row(TODAY, 2))), 0);
        assert_eq!(faults(&before, &[], Some(row(TODAY, 2))), 1);
        assert_eq!(faults(&before, &[LATER], None), 1);
        // The user signs in the day before, and on that day: the second in a row.
        let mut came = AHEAD.to_vec();
        came.extend([(20_260_709, 0, 0), (20_260_710, 0, 0), (20_260_710, 2, 0)]);
        let came = rewards(&came);
        assert_eq!(faults(&came, &[LATER], Some(row(LATER, 2))), 0);
        assert_eq!(faults(&came, &[LATER], Some(row(20_260_709, 1))), 1);
        // What is given then may be something else.
        let mut other = AHEAD.to_vec();
        other.push((20_260_710, 0, SKU));
        let other = rewards(&other);
        assert_eq!(faults(&other, &[LATER], Some(row(LATER, 1))), 0);
        // Another day that was set aside has not come yet.
        let still = LATER + 5;
        let mut two = other.clone();
        two.extend(self::rewards(&[(20_260_715, 0, 0)]));
        let aside = [LATER, still];
        assert_eq!(faults(&two, &aside, Some(row(LATER, 1))), 0);
        assert_eq!(faults(&two, &aside, Some(row(still, 1))), 1);
        let nothing_left = sign_ins(&before[3..], &[LATER]);
        assert_eq!(nothing_left.faults(Some(&row(0, 0))), [""; 0]);
    }
}
