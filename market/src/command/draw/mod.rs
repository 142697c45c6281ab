//! To draw, once or several times. Each draw of a call finds the account as the draws before it
//! left it. So locks, weight thresholds, limits and stock treat one call for several draws as
//! several calls.
//!
//! `decide.rs` has the rules of one draw, `order.rs` its record; here is what a call makes of them.
mod decide;
mod order;

use std::ops::Range;
use std::sync::Arc;

pub use self::decide::{Decision, DrawOutcome, decide, decide_fallback};
pub use self::order::{DrawCount, InvalidCount, Order, Orders, Rule};
use crate::batch::context::{Circumstances, Planning, Settling};
use crate::campaign::{Campaign, Published, WhenChancesShort, WhenStockUnavailable};
use crate::chances::Account;
use crate::ids::{ActivityId, AwardIndex, OrderId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::switches::Switch;
use crate::units::Prize;

/// A command to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawAsk {
    /// In which activity.
    pub activity: ActivityId,
    /// How often.
    pub count: DrawCount,
}

/// A call whose draws are decided and wait for the stock.
#[derive(Debug)]
pub(crate) struct PlannedDraw {
    ask: DrawAsk,
    published: Arc<Published>,
    /// The range of its draws in the batch's list of decisions.
    decisions: Range<usize>,
}

impl DrawAsk {
    /// How much it asks for, as its call records it.
    pub(crate) const fn asked(self) -> u64 {
        self.count.get() as u64
    }

    pub(crate) fn weight(self) -> usize {
        self.count.get().into()
    }

    /// Decides the draws of the call, one after the other.
    pub(crate) fn plan<R: Randomness>(
        self,
        planning: &mut Planning<'_, R>,
        decisions: &mut Vec<Decision>,
    ) -> Result<PlannedDraw, Refusal> {
        let around = planning.around;
        let published = around
            .catalogue
            .open_activity(self.activity, planning.user, around.now)?;
        let campaign = &published.campaign;
        let stored = planning.account.now();
        let mut account = stored.unwrap_or_else(|| Account::new(campaign.chances));
        let first = decisions.len();
        for made in 0..self.count.get() {
            match decide_one(campaign, account, planning) {
                Ok(decision) => {
                    account = decision.account;
                    decisions.push(decision);
                }
                Err(refusal) if made > 0 && goes_on_without(campaign, refusal) => break,
                Err(refusal) => {
                    // All or nothing: the draws before the refused one are not made either.
                    decisions.truncate(first);
                    return Err(refusal);
                }
            }
        }
        planning.account.set(account);
        Ok(PlannedDraw {
            ask: self,
            published: published.clone(),
            decisions: first..decisions.len(),
        })
    }
}

fn decide_one<R: Randomness>(
    campaign: &Campaign,
    account: Account,
    planning: &mut Planning<'_, R>,
) -> Result<Decision, Refusal> {
    let Planning {
        around,
        user,
        random,
        ..
    } = planning;
    let switches = around.catalogue.switches();
    let falls_back = switches.is_on(Switch::FallbackOnly, campaign.activity.id, user, around.now);
    let decision = if falls_back {
        decide_fallback(campaign, user, account, around.now, random)?
    } else {
        decide(campaign, user, account, around.now, random)?
    };
    if refuses(campaign, &decision, around) {
        Err(Refusal::StockUnavailable)
    } else {
        Ok(decision)
    }
}

/// Whether the draw needs a unit that is unavailable now, and its campaign refuses such draws.
fn refuses(campaign: &Campaign, decision: &Decision, around: &Circumstances<'_>) -> bool {
    campaign.activity.when_stock_unavailable == WhenStockUnavailable::Refuse
        && wanted(campaign, decision).is_some_and(|prize| around.supply.lacks(prize))
}

/// Whether a call ends with the draws before the one that is refused, instead of being refused as a
/// whole.
fn goes_on_without(campaign: &Campaign, refusal: Refusal) -> bool {
    refusal.is_shortage() && campaign.activity.when_chances_short == WhenChancesShort::Partial
}

fn wanted(campaign: &Campaign, decision: &Decision) -> Option<Prize> {
    let prize = |award: AwardIndex| Prize {
        activity: campaign.activity.id,
        award: campaign.strategy.award(award).id,
    };
    decision.wants().map(prize)
}

impl PlannedDraw {
    pub(crate) fn wants<'p>(
        &'p self,
        decisions: &'p [Decision],
    ) -> impl Iterator<Item = Prize> + 'p {
        decisions[self.decisions.clone()]
            .iter()
            .filter_map(|decision| wanted(&self.published.campaign, decision))
    }

    /// Concludes the draws in their order. Those that get no unit follow their tree further.
    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        decisions: &[Decision],
        settling: &mut Settling<'_, M>,
    ) -> Orders {
        let campaign = &self.published.campaign;
        let order = |(seq, &decision): (u8, &Decision)| {
            let unit = wanted(campaign, &decision).is_some_and(|prize| settling.purse.take(prize));
            self.order(seq, decision, unit, settling)
        };
        (0..)
            .zip(&decisions[self.decisions.clone()])
            .map(order)
            .collect()
    }

    fn order<M: FnMut(&UserId) -> OrderId>(
        &self,
        seq: u8,
        decision: Decision,
        unit: bool,
        settling: &mut Settling<'_, M>,
    ) -> Order {
        let strategy = &self.published.campaign.strategy;
        let outcome = decision.conclude(strategy, unit);
        let award = strategy.award(outcome.award);
        Order {
            id: (settling.mint)(settling.user),
            user: settling.user.clone(),
            request: settling.request.clone(),
            seq,
            asked: self.ask.count,
            activity: self.ask.activity,
            version: self.published.version,
            ordinal: decision.account.used,
            day: decision.account.day,
            award: award.id,
            award_title: award.title.clone(),
            award_index: award.sort,
            rule: outcome.rule,
            stocked: outcome.stocked,
            created_at: settling.now,
        }
    }
}
