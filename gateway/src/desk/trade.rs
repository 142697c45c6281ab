//! Sign-ins, exchanges and reported behaviours: what users get besides draws.
use jiff::Timestamp;
use market::exchange::ExchangeAsk;
use market::reward::RewardAsk;
use market::rewarding::Offers;
use market::sign_in::SignInAsk;
use market::switches::Switch;
use market::{ActivityId, Behaviour, BusinessNumber, DrawCount, RequestId, SkuId, UserId};

use super::service::Desk;
use crate::answer::{Code, Endpoint, Failure};

impl Desk {
    /// Signs a user in for today, in one activity or in all that reward it.
    pub async fn sign_in(
        &self,
        user: UserId,
        request: RequestId,
        activity: Option<ActivityId>,
    ) -> Result<(), Failure> {
        let now = Timestamp::now();
        self.obey(Switch::Signin, activity, &user, now)?;
        // An activity whose switch is off is left out; the user may sign in there later.
        let offers = self.offers(&Behaviour::sign(), activity, &user, now);
        if let Some(switch) = offers.refused_by() {
            return Err(refused_by(switch).into());
        }
        self.admit_user(Endpoint::SignIn, &user, activity, now)?;
        let ask = SignInAsk { activity };
        self.shards.execute_ask(user, request, ask).await?;
        Ok(())
    }

    /// Exchanges points for the chances of a sku.
    pub async fn exchange(
        &self,
        user: UserId,
        request: RequestId,
        sku: SkuId,
    ) -> Result<(), Failure> {
        let now = Timestamp::now();
        // A sku that is not known has no activity. The lane says so, unless the call is a repeat.
        let activity = self.activity_of_sku(sku);
        self.obey(Switch::Exchange, activity, &user, now)?;
        self.admit_user(Endpoint::Exchange, &user, activity, now)?;
        self.shards
            .execute_ask(user, request, ExchangeAsk { sku })
            .await?;
        Ok(())
    }

    /// Rewards a user for a behaviour that an application reports. The user's own limit is not
    /// asked: a user who taps too often keeps no application from reporting.
    pub async fn reward(
        &self,
        user: UserId,
        behaviour: Behaviour,
        number: BusinessNumber,
    ) -> Result<(), Failure> {
        let now = Timestamp::now();
        self.obey(Switch::Rewards, None, &user, now)?;
        // A number is used once, for all activities. So it waits for those that are switched off.
        if let Some(switch) = self.offers(&behaviour, None, &user, now).kept_back {
            return Err(refused_by(switch).into());
        }
        let request = RequestId::of_reward(&behaviour, &number);
        let ask = RewardAsk { behaviour, number };
        self.shards.execute_ask(user, request, ask).await?;
        Ok(())
    }

    /// Refuses a command while `read_only` is on for this user, or the switch of its kind is off.
    fn obey(
        &self,
        switch: Switch,
        activity: Option<ActivityId>,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), Code> {
        let catalogue = self.shards.catalogue();
        let is_flipped = |switch| {
            let switches = catalogue.switches();
            self.is_flipped(switches, switch, activity, user, DrawCount::ONE, now)
        };
        if is_flipped(Switch::ReadOnly) {
            return Err(Code::ReadOnly);
        }
        if is_flipped(switch) {
            return Err(Code::SwitchedOff);
        }
        Ok(())
    }

    fn offers(
        &self,
        behaviour: &Behaviour,
        activity: Option<ActivityId>,
        user: &UserId,
        now: Timestamp,
    ) -> Offers {
        Offers::of(&self.shards.catalogue(), behaviour, activity, user, now)
    }

    fn activity_of_sku(&self, sku: SkuId) -> Option<ActivityId> {
        let catalogue = self.shards.catalogue();
        let (published, _) = catalogue.sku(sku)?;
        Some(published.campaign.activity.id)
    }
}

/// The code of what a switch refuses.
const fn refused_by(switch: Switch) -> Code {
    match switch {
        Switch::ReadOnly => Code::ReadOnly,
        _ => Code::SwitchedOff,
    }
}
