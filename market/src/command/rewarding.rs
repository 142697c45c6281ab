//! What a behaviour is rewarded with, in one activity or several: what sign-ins and reported
//! behaviours have in common.
//!
//! Rewards by sku take a unit of its stock, as purchases do. Where none is left, or an account is
//! full, that reward is not given, and the others are. A call that gives nothing is refused.
//!
//! A command makes a row for each reward. Their number is bounded: few activities reward one
//! behaviour (`ACTIVITIES_PER_BEHAVIOUR_MAX`), each with few rewards (`REWARDS_PER_BEHAVIOUR_MAX`).
use std::sync::Arc;

use jiff::Timestamp;

use super::recharge::{RechargeKind, RechargeOrder, Recharges, RewardFor};
use crate::batch::context::{Circumstances, Settling};
use crate::batch::needs::RowCount;
use crate::campaign::{Campaign, Catalogue, Gives, Published, Reward};
use crate::chances::Account;
use crate::ids::{ActivityId, Behaviour, BusinessNumber, OrderId, UserId};
use crate::points::{Amount, Trade};
use crate::refusal::Refusal;
use crate::switches::Switch;
use crate::units::StockItem;

/// The activities that reward a behaviour, of those that are open to the user and where no switch
/// keeps them from doing so. All of them, or the one that the call names.
pub(super) fn open_activities<'c>(
    catalogue: &'c Catalogue,
    behaviour: &Behaviour,
    only: Option<ActivityId>,
    user: &'c UserId,
    now: Timestamp,
) -> impl Iterator<Item = &'c Arc<Published>> {
    open_by_rules(catalogue, behaviour, only, user, now)
        .filter_map(|(published, kept_back)| kept_back.is_none().then_some(published))
}

/// The same, whatever the switches say, and the switch that keeps each from rewarding the user.
pub(super) fn open_by_rules<'c>(
    catalogue: &'c Catalogue,
    behaviour: &Behaviour,
    only: Option<ActivityId>,
    user: &'c UserId,
    now: Timestamp,
) -> impl Iterator<Item = (&'c Arc<Published>, Option<Switch>)> {
    let is_sign = behaviour.is_sign();
    let rewarding = catalogue.rewarding(behaviour).iter().copied();
    rewarding
        .filter(move |&activity| only.is_none_or(|only| only == activity))
        .filter_map(move |activity| catalogue.open_activity(activity, user, now).ok())
        .map(move |published| {
            let kept_back = kept_back(catalogue, is_sign, published, user, now);
            (published, kept_back)
        })
}

/// The switch that keeps an activity from rewarding a user.
fn kept_back(
    catalogue: &Catalogue,
    is_sign: bool,
    published: &Published,
    user: &UserId,
    now: Timestamp,
) -> Option<Switch> {
    let (switches, activity) = (catalogue.switches(), published.campaign.activity.id);
    let own = if is_sign {
        Switch::Signin
    } else {
        Switch::Rewards
    };
    if switches.is_on(Switch::ReadOnly, activity, user, now) {
        Some(Switch::ReadOnly)
    } else {
        (!switches.is_on(own, activity, user, now)).then_some(own)
    }
}

/// What the open activities offer a user for a behaviour at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// Whether any of them may reward it.
    pub any: bool,
    /// The switch that keeps one of them from doing so.
    pub kept_back: Option<Switch>,
}

impl Offers {
    /// Those for a behaviour: of all activities, or of one.
    pub fn of(
        catalogue: &Catalogue,
        behaviour: &Behaviour,
        only: Option<ActivityId>,
        user: &UserId,
        now: Timestamp,
    ) -> Self {
        let mut offers = Self::default();
        for (_, kept_back) in open_by_rules(catalogue, behaviour, only, user, now) {
            offers.add(kept_back);
        }
        offers
    }

    /// Adds those of an activity, with the switch that keeps it back.
    pub(super) fn add(&mut self, kept_back: Option<Switch>) {
        self.any |= kept_back.is_none();
        self.kept_back = self.kept_back.or(kept_back);
    }

    /// The switch that leaves the user none, where one does.
    pub fn refused_by(self) -> Option<Switch> {
        self.kept_back.filter(|_| !self.any)
    }
}

/// How many rows the rewards of some activities make.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RewardRows {
    /// On an ordinary day.
    usual: u16,
    /// On a day that ends every row of days.
    most: u16,
}

impl RewardRows {
    /// Adds those of an activity.
    pub(super) fn add(&mut self, published: &Published, behaviour: &Behaviour) {
        for reward in published.campaign.rewards_for(behaviour) {
            self.usual += u16::from(reward.streak.is_none());
            self.most += 1;
        }
    }
}

impl From<RewardRows> for RowCount {
    fn from(rows: RewardRows) -> Self {
        Self::new(rows.usual, rows.most)
    }
}

/// How much room a reward for a behaviour takes in a queue and a batch, in draws: a row is about as
/// much work as a draw. Rows of days are seldom complete, so what they give besides is not counted.
pub(super) fn weight(
    catalogue: &Catalogue,
    behaviour: &Behaviour,
    only: Option<ActivityId>,
    user: &UserId,
    now: Timestamp,
) -> usize {
    let mut rows = RewardRows::default();
    for published in open_activities(catalogue, behaviour, only, user, now) {
        rows.add(published, behaviour);
    }
    RowCount::from(rows).usual().into()
}

/// The rewards of one activity that are to be given now.
#[derive(Debug)]
pub(super) struct Due {
    /// The index of the activity among those of the command.
    nth: usize,
    published: Arc<Published>,
    reward_for: (Behaviour, BusinessNumber),
    /// On which day in a row; `None` where days are not counted.
    streak: Option<u32>,
}

impl Due {
    pub(super) fn new(
        nth: usize,
        published: &Arc<Published>,
        reward_for: (&Behaviour, &BusinessNumber),
        streak: Option<u32>,
    ) -> Self {
        Self {
            nth,
            published: published.clone(),
            reward_for: (reward_for.0.clone(), reward_for.1.clone()),
            streak,
        }
    }

    pub(super) const fn nth(&self) -> usize {
        self.nth
    }

    fn campaign(&self) -> &Campaign {
        &self.published.campaign
    }

    fn rewards(&self) -> impl Iterator<Item = &Reward> {
        let day = self.streak.unwrap_or(0);
        self.campaign()
            .rewards_for(&self.reward_for.0)
            .filter(move |reward| reward.is_due(day))
    }

    /// The units that they need, one entry each.
    pub(super) fn items(&self) -> impl Iterator<Item = StockItem> {
        let activity = self.campaign().activity.id;
        self.rewards().filter_map(move |reward| match reward.gives {
            Gives::Chances(sku) => Some(StockItem::sku(activity, sku)),
            Gives::Points(_) => None,
        })
    }

    /// Gives one of them.
    fn give<M: FnMut(&UserId) -> OrderId>(
        &self,
        reward: &Reward,
        settling: &mut Settling<'_, M>,
    ) -> Result<RechargeOrder, Refusal> {
        let activity = self.campaign().activity.id;
        let (behaviour, number) = self.reward_for.clone();
        let kind = |sku| {
            RechargeKind::Reward(RewardFor {
                behaviour,
                number,
                sku,
                streak: reward.streak,
            })
        };
        match reward.gives {
            Gives::Chances(id) => {
                let sku = self.campaign().sku(id).ok_or(Refusal::SkuUnknown)?;
                let account = settling.rows.account(self.nth);
                let account = account.unwrap_or_else(|| Account::new(self.campaign().chances));
                let account = account.receive(sku.chances)?;
                if !settling.purse.take(StockItem::sku(activity, id)) {
                    return Err(Refusal::SkuSoldOut);
                }
                settling.rows.set_account(self.nth, account);
                Ok(settling.recharge(Some(activity), kind(Some(id)), sku.chances, None))
            }
            Gives::Points(points) => {
                let account = settling.rows.points();
                if !account.has_room() {
                    return Err(Refusal::TooManyPoints);
                }
                let account = account.receive(points)?;
                let amount = Amount::add(points);
                let order = settling.recharge(Some(activity), kind(None), 0, Some(amount));
                settling.enter(account, Trade::Reward, Some(activity), amount, order.id);
                Ok(order)
            }
        }
    }
}

/// Refuses what cannot be given now: nothing is due, or the stock is unavailable.
pub(super) fn check(due: &[Due], around: &Circumstances<'_>) -> Result<(), Refusal> {
    if due.is_empty() {
        return Err(Refusal::NothingToReward);
    }
    if due
        .iter()
        .flat_map(Due::items)
        .any(|item| around.supply.lacks(item))
    {
        return Err(Refusal::StockUnavailable);
    }
    Ok(())
}

/// Gives all that is due, and returns in which activities something was given. Where nothing could
/// be, returns why not.
pub(super) fn give<M: FnMut(&UserId) -> OrderId>(
    due: &[Due],
    settling: &mut Settling<'_, M>,
) -> Result<(Recharges, Vec<usize>), Refusal> {
    let (mut given, mut activities) = (Vec::new(), Vec::new());
    let mut refused = None;
    for due in due {
        let before = given.len();
        for reward in due.rewards() {
            match due.give(reward, settling) {
                Ok(order) => given.push(order),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        if given.len() > before {
            activities.push(due.nth);
        }
    }
    if given.is_empty() {
        return Err(refused.unwrap_or(Refusal::NothingToReward));
    }
    Ok((given.into(), activities))
}
