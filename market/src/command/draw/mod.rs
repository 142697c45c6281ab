//! To draw, once or several times. Each draw of a call finds the account as the draws before it
//! left it. So locks, weight thresholds, limits and stock treat one call for several draws as
//! several calls.
//!
//! `decide.rs` has the rules of one draw, `given.rs` counts prizes of which a user gets a few at most,
//! `order.rs` is the record of a draw; here is what a call makes of them.
mod decide;
mod given;
mod order;

use std::ops::Range;
use std::sync::Arc;

pub use self::decide::{Decision, DrawOutcome, Drawer, decide, decide_fallback};
use self::given::Given;
pub use self::order::{DrawCount, InvalidCount, Order, Orders, Promise, Rule};
use crate::batch::context::{Circumstances, Planning, Settling};
use crate::batch::needs::{Needing, RowCount};
use crate::campaign::{Campaign, Catalogue, Published, WhenChancesShort, WhenStockUnavailable};
use crate::chances::Account;
use crate::ids::{ActivityId, AwardIndex, OrderId, UserId};
use crate::points::{Amount, Trade};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::switches::Switch;
use crate::units::StockItem;

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

    pub(crate) const fn weight(self) -> usize {
        self.count.get() as usize
    }

    /// Its account. Where a prize of the campaign pays points, the user's points too; and what the
    /// user was given of each prize that has a limit for one user.
    pub(crate) fn needs(self, catalogue: &Catalogue, needing: &mut Needing<'_, '_>) {
        needing.account(self.activity);
        if let Some(published) = catalogue.activity(self.activity) {
            let strategy = &published.campaign.strategy;
            if strategy.pays_points() {
                needing.points();
            }
            for limit in strategy.user_limits() {
                needing.user_award(self.activity, strategy.award(limit.award).id);
            }
        }
        needing.makes(RowCount::all(self.count.get().into()));
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
        if pays_points(published) && !planning.rows.points().has_room() {
            return Err(Refusal::TooManyPoints);
        }
        let stored = planning.rows.account(0);
        let mut account = stored.unwrap_or_else(|| Account::new(campaign.chances));
        let first = decisions.len();
        let mut expected = Given::expected(&campaign.strategy, planning);
        for made in 0..self.count.get() {
            match decide_one(campaign, account, &mut expected, planning) {
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
        planning.rows.set_account(0, account);
        expected.keep(planning);
        Ok(PlannedDraw {
            ask: self,
            published: published.clone(),
            decisions: first..decisions.len(),
        })
    }
}

fn pays_points(published: &Published) -> bool {
    published.campaign.strategy.pays_points()
}

fn decide_one<R: Randomness>(
    campaign: &Campaign,
    account: Account,
    expected: &mut Given,
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
    let blacklists = around.catalogue.blacklists();
    let drawer = Drawer {
        user,
        is_blacklisted: blacklists.contains(campaign.activity.id, user),
    };
    let decision = if falls_back {
        decide_fallback(campaign, drawer, account, around.now, random)?
    } else {
        decide(campaign, drawer, account, around.now, random)?
    };
    let decision = expected.count(&campaign.strategy, decision);
    if refuses(campaign, &decision, around) {
        Err(Refusal::StockUnavailable)
    } else {
        Ok(decision)
    }
}

/// Whether the draw needs a unit that is unavailable now, and its campaign refuses such draws.
fn refuses(campaign: &Campaign, decision: &Decision, around: &Circumstances<'_>) -> bool {
    campaign.activity.when_stock_unavailable == WhenStockUnavailable::Refuse
        && wanted(campaign, decision).is_some_and(|item| around.supply.lacks(item))
}

/// Whether a call ends with the draws before the one that is refused, instead of being refused as a
/// whole.
fn goes_on_without(campaign: &Campaign, refusal: Refusal) -> bool {
    refusal.is_shortage() && campaign.activity.when_chances_short == WhenChancesShort::Partial
}

fn wanted(campaign: &Campaign, decision: &Decision) -> Option<StockItem> {
    let item = |award: AwardIndex| {
        StockItem::award(campaign.activity.id, campaign.strategy.award(award).id)
    };
    decision.wants().map(item)
}

impl PlannedDraw {
    pub(crate) fn wants<'p>(
        &'p self,
        decisions: &'p [Decision],
    ) -> impl Iterator<Item = StockItem> + 'p {
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
            let decision = given::within_limit(&campaign.strategy, decision, settling);
            let unit = wanted(campaign, &decision).is_some_and(|item| settling.purse.take(item));
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
        given::count(strategy, decision, outcome, settling);
        let award = strategy.award(outcome.award);
        let id = (settling.mint)(settling.user);
        let promise = self.promise(id, decision, outcome, settling);
        let config = outcome.config(strategy);
        Order {
            id,
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
            promise: Some(promise),
            config: (config != award.config).then(|| config.into()),
            created_at: settling.now,
        }
    }

    /// What the order promises. Points are paid here and now.
    fn promise<M: FnMut(&UserId) -> OrderId>(
        &self,
        order: OrderId,
        decision: Decision,
        outcome: DrawOutcome,
        settling: &mut Settling<'_, M>,
    ) -> Promise {
        let strategy = &self.published.campaign.strategy;
        let Some(range) = outcome.points(strategy) else {
            // A trial delivers nothing.
            let is_trial = self.published.campaign.activity.is_trial();
            return if is_trial || strategy.award(outcome.award).key.is_empty() {
                Promise::Nothing
            } else {
                Promise::Delivery
            };
        };
        let points = range.draw(&mut decision.amount_numbers());
        let account = settling.rows.points().receive(points);
        // Accounts without room were refused, and a batch cannot fill one that has some.
        let account = account.expect("an account has room for the prizes of a batch");
        let (activity, amount) = (Some(self.ask.activity), Amount::add(points));
        settling.enter(account, Trade::Prize, activity, amount, order);
        Promise::Points(points)
    }
}
