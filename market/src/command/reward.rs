//! A behaviour that another system reports, such as a payment: `[[reward]]` says what it gives.
//!
//! User, behaviour and business number are the only key of such a call. It is the call's request id
//! ([`RequestId::of_reward`]), so a number is used once, as any request id is.
use jiff::Timestamp;

use super::recharge::Recharges;
use super::rewarding::{self, Due, RewardRows};
use crate::batch::context::{Planning, Settling};
use crate::batch::needs::Needing;
use crate::campaign::Catalogue;
use crate::ids::{Behaviour, BusinessNumber, OrderId, RequestId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;

/// A command to reward a reported behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewardAsk {
    /// What the user did.
    pub behaviour: Behaviour,
    /// The number under which it is reported.
    pub number: BusinessNumber,
}

/// A reward that is allowed.
#[derive(Debug)]
pub(crate) struct PlannedReward {
    due: Vec<Due>,
}

impl RewardAsk {
    /// The key of its call.
    pub fn request(&self) -> RequestId {
        RequestId::of_reward(&self.behaviour, &self.number)
    }

    pub(crate) fn needs(
        &self,
        user: &UserId,
        catalogue: &Catalogue,
        now: Timestamp,
        needing: &mut Needing<'_, '_>,
    ) {
        let (behaviour, mut rows) = (&self.behaviour, RewardRows::default());
        needing.points();
        for published in rewarding::open_activities(catalogue, behaviour, None, user, now) {
            needing.account(published.campaign.activity.id);
            rows.add(published, behaviour);
        }
        needing.makes(rows.into());
    }

    /// How much room it takes, in draws.
    pub(crate) fn weight(&self, user: &UserId, catalogue: &Catalogue, now: Timestamp) -> usize {
        rewarding::weight(catalogue, &self.behaviour, None, user, now)
    }

    pub(crate) fn plan<R: Randomness>(
        &self,
        planning: &Planning<'_, R>,
    ) -> Result<PlannedReward, Refusal> {
        let around = planning.around;
        let reward_for = (&self.behaviour, &self.number);
        let due: Vec<Due> = (planning.rows.activities().enumerate())
            .filter_map(|(nth, activity)| {
                let open = around
                    .catalogue
                    .open_activity(activity, planning.user, around.now);
                Some(Due::new(nth, open.ok()?, reward_for, None))
            })
            .collect();
        rewarding::check(&due, around)?;
        Ok(PlannedReward { due })
    }
}

impl PlannedReward {
    /// What it gives, as far as it can.
    pub(super) fn due(&self) -> &[Due] {
        &self.due
    }

    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        settling: &mut Settling<'_, M>,
    ) -> Result<Recharges, Refusal> {
        rewarding::give(&self.due, settling).map(|(given, _)| given)
    }
}
