//! A batch of commands as one pure computation: gather, plan, settle.
//!
//! A lane gathers what waits, reads what [`Batch`] asks for, plans, takes the wanted units from
//! the stock, settles, and writes what [`Settlement`] holds in one transaction. Commands count
//! in arrival order; users who appear twice see their own earlier commands. A command is a call
//! for one draw or several; each of them sees the account as the draws before it left it.
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use crate::campaign::{Campaign, Catalogue, Published, WhenChancesShort, WhenStockUnavailable};
use crate::chances::Account;
use crate::draw::{Decision, decide, decide_fallback};
use crate::ids::{ActivityId, AwardId, AwardIndex, OrderId, RequestId, UserId};
use crate::order::{DrawCount, Order, Orders};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::switches::Switch;

/// A call to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// Who draws.
    pub user: UserId,
    /// In which activity.
    pub activity: ActivityId,
    /// The idempotency key.
    pub request: RequestId,
    /// How often.
    pub count: DrawCount,
}

/// A prize whose stock is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prize {
    /// The activity.
    pub activity: ActivityId,
    /// The award within it.
    pub award: AwardId,
}

/// Units of one prize, wanted or granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Of which prize.
    pub prize: Prize,
    /// How many.
    pub count: u32,
}

/// The commands of a batch, and what must be read for them.
#[derive(Debug)]
pub struct Batch {
    draws: Vec<Draw>,
    /// The distinct accounts that the draws touch.
    accounts: Vec<(UserId, ActivityId)>,
    /// For each draw its place in `accounts`.
    account_of: Vec<usize>,
    /// For each draw the first one of the batch with its user and request id; itself, mostly.
    first_of: Vec<usize>,
}

impl Batch {
    /// Lists the distinct accounts and the repeats within the batch.
    pub fn gather(draws: Vec<Draw>) -> Self {
        let mut accounts = Vec::with_capacity(draws.len());
        let mut account_at = HashMap::with_capacity(draws.len());
        let mut first_at = HashMap::with_capacity(draws.len());
        let mut account_of = Vec::with_capacity(draws.len());
        let mut first_of = Vec::with_capacity(draws.len());
        for (index, draw) in draws.iter().enumerate() {
            account_of.push(
                *account_at
                    .entry((&draw.user, draw.activity))
                    .or_insert_with(|| {
                        accounts.push((draw.user.clone(), draw.activity));
                        accounts.len() - 1
                    }),
            );
            first_of.push(*first_at.entry((&draw.user, &draw.request)).or_insert(index));
        }
        Self {
            draws,
            accounts,
            account_of,
            first_of,
        }
    }

    /// The calls in arrival order.
    pub fn draws(&self) -> &[Draw] {
        &self.draws
    }

    /// For each call the place of its account in [`Batch::accounts`].
    pub fn account_of(&self) -> &[usize] {
        &self.account_of
    }

    /// The distinct accounts to read.
    pub fn accounts(&self) -> &[(UserId, ActivityId)] {
        &self.accounts
    }
}

/// What the store knows of a batch; each list in the order of the batch's own.
#[derive(Debug)]
pub struct Known {
    /// For each of [`Batch::accounts`] the stored account.
    pub accounts: Vec<Option<Account>>,
    /// For each of [`Batch::draws`] the orders that were made under its request id earlier, by
    /// their place in their call; none where there was no such call.
    pub orders: Vec<Vec<Order>>,
}

/// A planned batch: every draw either has its answer or waits for the stock.
#[derive(Debug)]
pub struct Plan {
    batch: Batch,
    known: Vec<Option<Account>>,
    verdicts: Vec<Verdict>,
    decisions: Vec<Decision>,
    wants: Vec<Units>,
    now: Timestamp,
}

#[derive(Debug)]
enum Verdict {
    Replay(Orders),
    Refused(Refusal),
    /// The same call came earlier in this batch: it gets the same answer.
    SameAs(usize),
    /// Its draws are at these places among the decisions of the plan.
    Decided(Arc<Published>, Range<usize>),
}

/// Whether the stock can be asked for units. Campaigns say what becomes of draws that need a unit
/// which nobody can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// It can.
    There,
    /// It can, but for these prizes: their units are still on their way.
    Without(BTreeSet<Prize>),
    /// It cannot.
    Unavailable,
}

impl Supply {
    /// Whether units of this prize cannot be asked for.
    fn lacks(&self, prize: Prize) -> bool {
        match self {
            Supply::There => false,
            Supply::Without(prizes) => prizes.contains(&prize),
            Supply::Unavailable => true,
        }
    }
}

/// Plans a batch under one version of each campaign and one reading of the clock.
///
/// An earlier order with the same request id comes before every rule: the repeated call gets
/// its answer although the campaign has closed since.
pub fn plan(
    batch: Batch,
    known: Known,
    catalogue: &Catalogue,
    supply: &Supply,
    now: Timestamp,
    random: &mut impl Randomness,
) -> Plan {
    let decisions = Vec::with_capacity(batch.draws.len());
    let mut planner = Planner {
        catalogue,
        supply,
        now,
        random,
        accounts: known.accounts.clone(),
        decisions,
    };
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(batch.draws.len());
    // By the first draw of a request id the one that holds it. A refused one does not: its key
    // stays free.
    let mut holders: Vec<Option<usize>> = vec![None; batch.draws.len()];
    for (index, earlier) in known.orders.into_iter().enumerate() {
        let draw = &batch.draws[index];
        let first = batch.first_of[index];
        let verdict = match (earlier.first(), holders[first]) {
            (Some(order), _) => repeats(draw, order.activity, order.asked)
                .map_or_else(Verdict::Refused, |()| Verdict::Replay(earlier.into())),
            (None, Some(holder)) => {
                let Draw {
                    activity, count, ..
                } = batch.draws[holder];
                repeats(draw, activity, count)
                    .map_or_else(Verdict::Refused, |()| Verdict::SameAs(holder))
            }
            (None, None) => planner.decide(draw, batch.account_of[index]),
        };
        if matches!(verdict, Verdict::Decided(..)) {
            holders[first] = Some(index);
        }
        verdicts.push(verdict);
    }
    let decisions = planner.decisions;
    let wants = count_wants(&verdicts, &decisions, supply);
    Plan {
        batch,
        known: known.accounts,
        verdicts,
        decisions,
        wants,
        now,
    }
}

/// Whether a call is the same as an earlier one under its request id. It is by what it asks for,
/// not by what it got: chances may have been short.
fn repeats(draw: &Draw, activity: ActivityId, asked: DrawCount) -> Result<(), Refusal> {
    if activity != draw.activity {
        return Err(Refusal::RequestIdReused);
    }
    if asked == draw.count {
        Ok(())
    } else {
        Err(Refusal::RequestCountDiffers)
    }
}

struct Planner<'a, R> {
    catalogue: &'a Catalogue,
    supply: &'a Supply,
    now: Timestamp,
    random: &'a mut R,
    /// The accounts as the draws planned so far leave them.
    accounts: Vec<Option<Account>>,
    /// The draws of all commands, one after the other.
    decisions: Vec<Decision>,
}

impl<R: Randomness> Planner<'_, R> {
    fn decide(&mut self, draw: &Draw, account: usize) -> Verdict {
        let Some(published) = self.catalogue.activity(draw.activity) else {
            return Verdict::Refused(Refusal::ActivityUnknown);
        };
        let stored =
            self.accounts[account].unwrap_or_else(|| Account::new(published.campaign.chances));
        let first = self.decisions.len();
        match self.decide_all(&published.campaign, draw, stored) {
            Ok(after) => {
                self.accounts[account] = Some(after);
                Verdict::Decided(published.clone(), first..self.decisions.len())
            }
            Err(refusal) => {
                // All or nothing: the draws before the one that was refused are not made either.
                self.decisions.truncate(first);
                Verdict::Refused(refusal)
            }
        }
    }

    /// Decides the draws of a call, one after the other; answers the account as they leave it.
    fn decide_all(
        &mut self,
        campaign: &Campaign,
        draw: &Draw,
        stored: Account,
    ) -> Result<Account, Refusal> {
        let mut account = stored;
        for made in 0..draw.count.get() {
            match self.decide_one(campaign, draw, account) {
                Ok(decision) => {
                    account = decision.account;
                    self.decisions.push(decision);
                }
                Err(refusal) if made > 0 && goes_on_without(campaign, refusal) => break,
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(account)
    }

    fn decide_one(
        &mut self,
        campaign: &Campaign,
        draw: &Draw,
        account: Account,
    ) -> Result<Decision, Refusal> {
        let switches = self.catalogue.switches();
        let decision = if switches.is_on(Switch::FallbackOnly, draw.activity, &draw.user, self.now)
        {
            decide_fallback(campaign, &draw.user, account, self.now, self.random)?
        } else {
            decide(campaign, &draw.user, account, self.now, self.random)?
        };
        if self.refuses(campaign, &decision) {
            Err(Refusal::StockUnavailable)
        } else {
            Ok(decision)
        }
    }

    /// Whether the draw needs what cannot be had now, and its campaign would rather refuse.
    fn refuses(&self, campaign: &Campaign, decision: &Decision) -> bool {
        campaign.activity.when_stock_unavailable == WhenStockUnavailable::Refuse
            && wanted(campaign, decision).is_some_and(|prize| self.supply.lacks(prize))
    }
}

/// Whether a call ends with the draws before one that is refused so, instead of being refused
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

fn count_wants(verdicts: &[Verdict], decisions: &[Decision], supply: &Supply) -> Vec<Units> {
    let mut counts: HashMap<Prize, u32> = HashMap::new();
    for verdict in verdicts {
        let Verdict::Decided(published, places) = verdict else {
            continue;
        };
        let wanted = decisions[places.clone()]
            .iter()
            .filter_map(|decision| wanted(&published.campaign, decision));
        for prize in wanted.filter(|prize| !supply.lacks(*prize)) {
            *counts.entry(prize).or_default() += 1;
        }
    }
    let mut wants: Vec<Units> = counts
        .into_iter()
        .map(|(prize, count)| Units { prize, count })
        .collect();
    // In order, so that a seed replays and locks are taken in one order everywhere.
    wants.sort_by_key(|units| units.prize);
    wants
}

impl Plan {
    /// The units that the batch wants, one entry per prize.
    pub fn wants(&self) -> &[Units] {
        &self.wants
    }
}

/// The answer to one command.
pub type Answer = Result<Orders, Refusal>;

/// A settled batch: what to write and what to tell everyone once it is written.
#[derive(Debug)]
pub struct Settlement {
    /// One answer per command, in the batch's order.
    pub answers: Vec<Answer>,
    /// The new orders, by call.
    pub calls: Vec<Orders>,
    /// Accounts that did not exist before.
    pub new_accounts: Vec<AccountChange>,
    /// Accounts that did.
    pub changed_accounts: Vec<AccountChange>,
    /// The granted units that orders took.
    pub used: Vec<Units>,
}

impl Settlement {
    /// The new orders of all calls.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.calls.iter().flat_map(|orders| orders.iter())
    }
}

/// An account as it stands after the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// Whose.
    pub user: UserId,
    /// In which activity.
    pub activity: ActivityId,
    /// The new state.
    pub account: Account,
}

/// Gives the `granted` units out in arrival order, and within a call in the order of its draws;
/// draws left without one go down their tree. `mint` makes an order id that carries the user's
/// slot.
pub fn settle(
    plan: Plan,
    granted: &[Units],
    mut mint: impl FnMut(&UserId) -> OrderId,
) -> Settlement {
    let Plan {
        batch,
        known,
        verdicts,
        decisions,
        now,
        ..
    } = plan;
    let mut purse = Purse::new(granted);
    let mut accounts: Vec<Option<Account>> = vec![None; batch.accounts.len()];
    let mut answers: Vec<Answer> = Vec::with_capacity(verdicts.len());
    let mut calls = Vec::with_capacity(verdicts.len());
    for (index, verdict) in verdicts.into_iter().enumerate() {
        answers.push(match verdict {
            Verdict::Replay(orders) => Ok(orders),
            Verdict::Refused(refusal) => Err(refusal),
            Verdict::SameAs(first) => answers[first].clone(),
            Verdict::Decided(published, places) => {
                let (draw, decisions) = (&batch.draws[index], &decisions[places]);
                accounts[batch.account_of[index]] =
                    decisions.last().map(|decision| decision.account);
                let order = |(seq, &decision): (u8, &Decision)| {
                    let unit = wanted(&published.campaign, &decision)
                        .is_some_and(|prize| purse.take(prize));
                    new_order(draw, seq, &published, decision, unit, mint(&draw.user), now)
                };
                let orders: Orders = (0..).zip(decisions).map(order).collect();
                calls.push(orders.clone());
                Ok(orders)
            }
        });
    }
    let (new_accounts, changed_accounts) = account_changes(&batch, &known, &accounts);
    Settlement {
        answers,
        calls,
        new_accounts,
        changed_accounts,
        used: purse.used(),
    }
}

fn new_order(
    draw: &Draw,
    seq: u8,
    published: &Published,
    decision: Decision,
    unit: bool,
    id: OrderId,
    now: Timestamp,
) -> Order {
    let strategy = &published.campaign.strategy;
    let outcome = decision.conclude(strategy, unit);
    let award = strategy.award(outcome.award);
    Order {
        id,
        user: draw.user.clone(),
        request: draw.request.clone(),
        seq,
        asked: draw.count,
        activity: draw.activity,
        version: published.version,
        ordinal: decision.account.used,
        day: decision.account.day,
        award: award.id,
        award_title: award.title.clone(),
        award_index: award.sort,
        rule: outcome.rule,
        stocked: outcome.stocked,
        created_at: now,
    }
}

fn account_changes(
    batch: &Batch,
    known: &[Option<Account>],
    after: &[Option<Account>],
) -> (Vec<AccountChange>, Vec<AccountChange>) {
    let mut new = Vec::new();
    let mut changed = Vec::new();
    for ((key, before), after) in batch.accounts.iter().zip(known).zip(after) {
        if let Some(account) = *after {
            let (user, activity) = key.clone();
            let list = if before.is_some() {
                &mut changed
            } else {
                &mut new
            };
            list.push(AccountChange {
                user,
                activity,
                account,
            });
        }
    }
    (new, changed)
}

/// The units granted to a batch, given out one by one.
struct Purse {
    units: HashMap<Prize, (u32, u32)>,
}

impl Purse {
    fn new(granted: &[Units]) -> Self {
        Self {
            units: granted
                .iter()
                .map(|units| (units.prize, (units.count, 0)))
                .collect(),
        }
    }

    fn take(&mut self, prize: Prize) -> bool {
        match self.units.get_mut(&prize) {
            Some((granted, used)) if *used < *granted => {
                *used += 1;
                true
            }
            Some(_) | None => false,
        }
    }

    fn used(self) -> Vec<Units> {
        let took = self.units.into_iter().filter_map(|(prize, (_, used))| {
            NonZeroU32::new(used).map(|count| Units {
                prize,
                count: count.get(),
            })
        });
        let mut used: Vec<Units> = took.collect();
        used.sort_by_key(|units| units.prize);
        used
    }
}
