//! The daily sign-in. Each activity that rewards it does so once per user and day of its time zone.
//!
//! The day is a label in a row of its own, as days of draws are labels of accounts: it never goes
//! back, whatever clocks say. One sign-in is one transaction over all its activities.
use jiff::Timestamp;

use super::recharge::Recharges;
use super::rewarding::{self, Due, Offers, RewardRows};
use crate::batch::context::{Planning, Settling};
use crate::batch::needs::Needing;
use crate::calendar::Day;
use crate::campaign::Catalogue;
use crate::ids::{ActivityId, Behaviour, BusinessNumber, OrderId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;
pub use crate::sign_ins::SignIn;
use crate::switches::Switch;

/// A command to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInAsk {
    /// In which activity; `None` for all that are open and reward it.
    pub activity: Option<ActivityId>,
}

/// A sign-in that is allowed, with what it gives.
#[derive(Debug)]
pub(crate) struct PlannedSignIn {
    due: Vec<Due>,
    /// The sign-ins as they are to be, by the index of the activity.
    sign_ins: Vec<SignIn>,
}

impl SignInAsk {
    pub(crate) fn needs(
        self,
        user: &UserId,
        catalogue: &Catalogue,
        now: Timestamp,
        needing: &mut Needing<'_, '_>,
    ) {
        let (sign, mut rows) = (Behaviour::sign(), RewardRows::default());
        needing.points();
        for published in rewarding::open_activities(catalogue, &sign, self.activity, user, now) {
            needing.account_and_sign_in(published.campaign.activity.id);
            rows.add(published, &sign);
        }
        needing.makes(rows.into());
    }

    /// How much room it takes, in draws.
    pub(crate) fn weight(self, user: &UserId, catalogue: &Catalogue, now: Timestamp) -> usize {
        rewarding::weight(catalogue, &Behaviour::sign(), self.activity, user, now)
    }

    pub(crate) fn plan<R: Randomness>(
        self,
        planning: &Planning<'_, R>,
    ) -> Result<PlannedSignIn, Refusal> {
        let (around, sign) = (planning.around, Behaviour::sign());
        if let Some(activity) = self.activity {
            around
                .catalogue
                .open_activity(activity, planning.user, around.now)?;
        }
        let (mut due, mut sign_ins) = (Vec::new(), Vec::new());
        for (nth, activity) in planning.rows.activities().enumerate() {
            let open = around
                .catalogue
                .open_activity(activity, planning.user, around.now);
            let Ok(published) = open else { continue };
            let today = Day::of(around.now, &published.campaign.activity.time_zone);
            if let Some(sign_in) = planning.rows.sign_in(nth).on(today) {
                let number = number_of(today);
                due.push(Due::new(
                    nth,
                    published,
                    (&sign, &number),
                    Some(sign_in.streak),
                ));
                sign_ins.push(sign_in);
            }
        }
        rewarding::check(&due, around)?;
        Ok(PlannedSignIn { due, sign_ins })
    }

    /// Whether it would be refused now because nothing is left to give
    /// ([`Refusal::NothingToReward`]). `last` is when the user has signed in, by activity.
    pub fn is_used_up(
        self,
        user: &UserId,
        catalogue: &Catalogue,
        now: Timestamp,
        last: impl Fn(ActivityId) -> SignIn,
    ) -> bool {
        // Another refusal comes first.
        let is_open = |activity| catalogue.open_activity(activity, user, now).is_ok();
        let switches = catalogue.switches();
        if !switches.is_on(Switch::Signin, self.activity, user, now)
            || switches.is_on(Switch::ReadOnly, self.activity, user, now)
            || !self.activity.is_none_or(is_open)
        {
            return false;
        }
        let (sign, mut offers) = (Behaviour::sign(), Offers::default());
        for (published, kept_back) in
            rewarding::open_by_rules(catalogue, &sign, self.activity, user, now)
        {
            offers.add(kept_back);
            let activity = &published.campaign.activity;
            let today = Day::of(now, &activity.time_zone);
            if kept_back.is_none() && last(activity.id).on(today).is_some() {
                return false;
            }
        }
        offers.refused_by().is_none()
    }
}

/// The number of a day's sign-in: the reference's `yyyyMMdd`.
fn number_of(day: Day) -> BusinessNumber {
    BusinessNumber::new(&format!("{:08}", day.number())).expect("digits")
}

impl PlannedSignIn {
    /// What it gives, as far as it can.
    pub(super) fn due(&self) -> &[Due] {
        &self.due
    }

    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        settling: &mut Settling<'_, M>,
    ) -> Result<Recharges, Refusal> {
        // An earlier command of this batch may have signed in.
        let (mut due, mut sign_ins) = (Vec::new(), Vec::new());
        for (of_activity, sign_in) in self.due.into_iter().zip(self.sign_ins) {
            if settling.rows.sign_in(of_activity.nth()).day < sign_in.day {
                due.push(of_activity);
                sign_ins.push(sign_in);
            }
        }
        if due.is_empty() {
            return Err(Refusal::NothingToReward);
        }
        let (given, activities) = rewarding::give(&due, settling)?;
        for (of_activity, sign_in) in due.iter().zip(sign_ins) {
            if activities.contains(&of_activity.nth()) {
                settling.rows.set_sign_in(of_activity.nth(), sign_in);
            }
        }
        Ok(given)
    }
}
