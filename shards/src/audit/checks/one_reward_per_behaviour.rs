//! A behaviour is rewarded once: no two rewards of a user have the same activity, behaviour, business
//! number and streak and both give chances, or both points.
//!
//! The business number of a sign-in is its day. The user's row of the activity says the last of these
//! days, and how many in a row end with it. A reward for a streak is on its N-th day in a row.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use market::Behaviour;
use market::calendar::Day;

use super::row_check::RowCheck;
use crate::audit::history::RowContext;
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredRecharge, StoredSignIn};

#[derive(Debug)]
pub(super) struct OneRewardPerBehaviour;

impl RowCheck for OneRewardPerBehaviour {
    fn name(&self) -> &'static str {
        "one_reward_per_behaviour"
    }

    fn user(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        beside: &BesideDraws<'_>,
    ) {
        let (at, user) = (context.at, beside.user);
        let (mut seen, sign) = (HashSet::new(), Behaviour::sign());
        let mut signed: BTreeMap<i64, Vec<(Day, &StoredRecharge)>> = BTreeMap::new();
        for order in beside.recharges.iter().filter(|order| order.is_reward()) {
            report.checked += 1;
            let (activity, behaviour, business) =
                (order.activity, &order.behaviour, &order.business);
            if !seen.insert((activity, behaviour, business, order.streak, order.sku != 0)) {
                report.violation(|| {
                    format!(
                        "{at}: recharge order {} of user {user:?} rewards {behaviour:?} {business:?} in activity \
                         {activity} once more",
                        order.id
                    )
                });
            }
            if **behaviour == *sign.as_str() {
                match day_of(business) {
                    Some(day) => signed.entry(activity).or_default().push((day, order)),
                    None => report.violation(|| {
                        format!(
                            "{at}: recharge order {} of user {user:?} is of a sign-in on {business:?}, which is no day",
                            order.id
                        )
                    }),
                }
            }
        }
        for &StoredSignIn { activity, .. } in beside.sign_ins {
            signed.entry(activity).or_default();
        }
        for (activity, rewards) in signed {
            report.checked += 1;
            let mut rows = beside.sign_ins.iter();
            let row = rows.find(|row| row.activity == activity);
            for fault in faults(row, &rewards) {
                report.violation(|| {
                    format!("{at}: sign-ins of user {user:?} in activity {activity}: {fault}")
                });
            }
        }
    }
}

/// The day that a business number names.
fn day_of(business: &str) -> Option<Day> {
    let number: u32 = business.parse().ok().filter(|_| business.len() == 8)?;
    Some(Day::from_number(number))
}

/// What is wrong with a user's sign-ins in an activity.
fn faults(row: Option<&StoredSignIn>, rewards: &[(Day, &StoredRecharge)]) -> Vec<String> {
    let days: BTreeSet<Day> = rewards.iter().map(|(day, _)| *day).collect();
    let mut streaks: BTreeMap<Day, i64> = BTreeMap::new();
    let mut before: Option<(Day, i64)> = None;
    for day in days {
        let streak = match before {
            Some((last, streak)) if last.next() == Some(day) => streak + 1,
            _ => 1,
        };
        streaks.insert(day, streak);
        before = Some((day, streak));
    }
    let rewarded = before.map(|(day, streak)| (i64::from(day.number()), streak));
    let stored = row.map(|row| (row.day, row.streak));
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
    let wrong_streaks = rewards.iter().filter_map(|(day, order)| {
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
