//! A behaviour is rewarded once: no two rewards of a user have the same activity, behaviour, business
//! number and streak and both give chances, or both points.
//!
//! The business number of a sign-in is its day. The user's row of the activity says the last of these
//! days, and how many in a row end with it. A reward for a streak is on its N-th day in a row. What a
//! wrong clock gave on a day that a repair has noted does not count.
use std::collections::{BTreeMap, HashSet};

use market::Behaviour;

use super::row_check::RowCheck;
use crate::audit::history::RowContext;
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredSignIn};
use crate::audit::sign_ins::{SignIns, day_of};

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
        let (mut seen_again, mut set_aside) = (HashSet::new(), HashSet::new());
        let mut signed: BTreeMap<i64, SignIns<'_>> = BTreeMap::new();
        for &repair in beside.sign_in_repairs {
            signed.entry(repair.activity).or_default().note(repair);
            set_aside.insert((repair.activity, repair.day.to_string()));
        }
        for order in beside.recharges.iter().filter(|order| order.is_reward()) {
            report.checked += 1;
            let (activity, behaviour, business) =
                (order.activity, &order.behaviour, &order.business);
            let key = (activity, behaviour, business, order.streak, order.sku != 0);
            let is_sign = **behaviour == *sign.as_str();
            let may_be_again = || is_sign && set_aside.contains(&(activity, business.to_string()));
            let is_first = seen.insert(key) || may_be_again() && seen_again.insert(key);
            if !is_first {
                report.violation(|| {
                    format!(
                        "{at}: recharge order {} of user {user:?} rewards {behaviour:?} {business:?} in activity \
                         {activity} once more",
                        order.id
                    )
                });
            }
            if is_sign {
                match day_of(business) {
                    Some(day) => signed.entry(activity).or_default().take(day, order),
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
        for (activity, sign_ins) in signed {
            report.checked += 1;
            let mut rows = beside.sign_ins.iter();
            let row = rows.find(|row| row.activity == activity);
            for fault in sign_ins.faults(row) {
                report.violation(|| {
                    format!("{at}: sign-ins of user {user:?} in activity {activity}: {fault}")
                });
            }
        }
    }
}
