//! What a behaviour is rewarded with, in one activity or several: what sign-ins and reported
//! behaviours have in common.
//!
//! Rewards by sku take a unit of its stock, as purchases do. Where none is left, or an account is
//! full, that reward is not given, and the others are. A call that gives nothing is refused.
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
    let is_sign = behaviour.is_sign();
    open_by_rules(catalogue, behaviour, only, user, now)
        .filter(move |published| kept_back(catalogue, is_sign, published, user, now).is_none())
}

/// The same, whatever the switches say.
fn open_by_rules<'c>(
    catalogue: &'c Catalogue,
    behaviour: &Behaviour,
    only: Option<ActivityId>,
    user: &'c UserId,
    now: Timestamp,
) -> impl Iterator<Item = &'c Arc<Published>> {
    let rewarding = catalogue.rewarding(behaviour).iter().copied();
    rewarding
        .filter(move |&activity| only.is_none_or(|only| only == activity))
        .filter_map(move |activity| catalogue.open_activity(activity, user, now).ok())
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let mut offers = Self {
            any: false,
            kept_back: None,
        };
        let is_sign = behaviour.is_sign();
        for published in open_by_rules(catalogue, behaviour, only, user, now) {
            match kept_back(catalogue, is_sign, published, user, now) {
                None => offers.any = true,
                Some(switch) => offers.kept_back = offers.kept_back.or(Some(switch)),
            }
        }
        offers
    }
}

/// How many rows rewards of these activities make: on an ordinary day, and at most.
pub(super) fn row_count<'c>(
    activities: impl Iterator<Item = &'c Arc<Published>>,
    behaviour: &Behaviour,
) -> RowCount {
    let (mut usual, mut most) = (0, 0);
    for published in activities {
        for reward in published.campaign.rewards_for(behaviour) {
            usual += u16::from(reward.streak.is_none());
            most += 1;
        }
    }
    RowCount::new(usual, most)
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

    /// Gives them. Returns what was given, which is nothing where all units are gone.
    fn give<M: FnMut(&UserId) -> OrderId>(
        &self,
        settling: &mut Settling<'_, M>,
        given: &mut Vec<RechargeOrder>,
    ) -> bool {
        let before = given.len();
        for reward in self.rewards() {
            given.extend(self.give_one(reward, settling));
        }
        given.len() > before
    }

    fn give_one<M: FnMut(&UserId) -> OrderId>(
        &self,
        reward: &Reward,
        settling: &mut Settling<'_, M>,
    ) -> Option<RechargeOrder> {
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
                let sku = self.campaign().sku(id)?;
                let account = settling.rows.account(self.nth);
                let account = account.unwrap_or_else(|| Account::new(self.campaign().chances));
                let account = account.receive(sku.chances).ok()?;
                if !settling.purse.take(StockItem::sku(activity, id)) {
                    return None;
                }
                settling.rows.set_account(self.nth, account);
                Some(settling.recharge(Some(activity), kind(Some(id)), sku.chances, None))
            }
            Gives::Points(points) => {
                let account = settling.rows.points();
                let account = account.has_room().then(|| account.receive(points).ok())??;
                let amount = Amount::add(points);
                let order = settling.recharge(Some(activity), kind(None), 0, Some(amount));
                settling.enter(account, Trade::Reward, Some(activity), amount, order.id);
                Some(order)
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

/// Gives all that is due, and says in which activities something was given.
pub(super) fn give<M: FnMut(&UserId) -> OrderId>(
    due: &[Due],
    settling: &mut Settling<'_, M>,
) -> Result<(Recharges, Vec<usize>), Refusal> {
    let (mut given, mut activities) = (Vec::new(), Vec::new());
    for due in due {
        if due.give(settling, &mut given) {
            activities.push(due.nth);
        }
    }
    if given.is_empty() {
        let only_points = due.iter().flat_map(Due::items).next().is_none();
        Err(if only_points {
            Refusal::TooManyPoints
        } else {
            Refusal::SkuSoldOut
        })
    } else {
        Ok((given.into(), activities))
    }
}
