//! One draw, rule by rule: chances, the chain before the draw, the odds, the tree after it. Whether
//! the activity is open was asked before. There are two steps, because the stock is asked between them: [`decide`] says what the
//! draw wants, [`Decision::conclude`] what it got.
use jiff::Timestamp;

use super::order::Rule;
use crate::calendar::Day;
use crate::campaign::{Campaign, ChainRule, Strategy};
use crate::chances::Account;
use crate::ids::{AwardIndex, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::tree::{Locks, NodeIndex, Stop};

/// A draw that the rules allow. Where it needs a unit, it waits for the stock's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The user's account after this draw.
    pub account: Account,
    /// The award that the odds (or a rule before them) chose.
    drawn: AwardIndex,
    rule: Rule,
    locks: Locks,
    next: Next,
}

/// What is left to decide before the user gets the drawn award.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: the award has no limit.
    Won,
    /// A unit of the award, asked for at this node of its tree.
    Unit(NodeIndex),
    /// The tree gave another award instead.
    Consoled(AwardIndex),
}

/// What a draw ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawOutcome {
    /// The award given.
    pub award: AwardIndex,
    /// The rule that gave it.
    pub rule: Rule,
    /// Whether it took a unit of limited stock.
    pub stocked: bool,
}

/// Decides one draw of `user`, whose stored account is `account`. A refusal changes nothing.
pub fn decide(
    campaign: &Campaign,
    user: &UserId,
    account: Account,
    now: Timestamp,
    random: &mut impl Randomness,
) -> Result<Decision, Refusal> {
    let before = account.on(Day::of(now, &campaign.activity.time_zone));
    let account = before.draw(campaign.chances)?;
    let strategy = &campaign.strategy;
    let (drawn, rule) = before_draw(strategy, user, account.used, random)
        .unwrap_or_else(|| (AwardIndex(strategy.pool.draw(random)), Rule::Default));
    // Guaranteed and forced prizes are not for those who drew often today only.
    let locks = match rule {
        Rule::Weight | Rule::Blacklist => Locks::Skipped,
        Rule::Default | Rule::Luck => Locks::DrawsToday(before.day_used),
    };
    let next = after_draw(strategy, drawn, locks);
    Ok(Decision {
        account,
        drawn,
        rule,
        locks,
        next,
    })
}

/// Decides one draw while all users get the luck award. Chances count as always, but nothing is
/// drawn and the stock is not asked. A campaign without luck award has no limited prizes either, so
/// there the draw is an ordinary one.
pub fn decide_fallback(
    campaign: &Campaign,
    user: &UserId,
    account: Account,
    now: Timestamp,
    random: &mut impl Randomness,
) -> Result<Decision, Refusal> {
    let decision = decide(campaign, user, account, now, random)?;
    Ok(match campaign.strategy.luck_award(decision.drawn) {
        Some(award) => Decision {
            next: Next::Consoled(award),
            ..decision
        },
        None => decision,
    })
}

/// The chain before the draw: the first rule that decides, decides. `ordinal` is the number of
/// this very draw, so each threshold fires exactly once however many draws run in parallel.
fn before_draw(
    strategy: &Strategy,
    user: &UserId,
    ordinal: u32,
    random: &mut impl Randomness,
) -> Option<(AwardIndex, Rule)> {
    strategy.chain.iter().find_map(|rule| match rule {
        ChainRule::Blacklist { award, users } => {
            users.contains(user).then_some((*award, Rule::Blacklist))
        }
        ChainRule::Weight(groups) => {
            let group = groups.iter().find(|group| group.ordinal == ordinal)?;
            Some((group.awards[group.pool.draw(random)], Rule::Weight))
        }
    })
}

/// Follows a drawn award through its tree, up to the first request to the stock.
fn after_draw(strategy: &Strategy, drawn: AwardIndex, locks: Locks) -> Next {
    strategy
        .tree_of(drawn)
        .map_or(Next::Won, |tree| at(strategy, drawn, tree.enter(locks)))
}

fn at(strategy: &Strategy, drawn: AwardIndex, stop: Stop) -> Next {
    match stop {
        Stop::Stock(_) if strategy.award(drawn).count.is_none() => Next::Won,
        Stop::Stock(node) => Next::Unit(node),
        Stop::Luck(award) => Next::Consoled(award),
    }
}

impl Decision {
    /// The award that the odds (or a rule before them) chose, before its tree.
    pub const fn drawn(&self) -> AwardIndex {
        self.drawn
    }

    /// The rule that chose it.
    pub const fn chosen_by(&self) -> Rule {
        self.rule
    }

    /// The award that this draw wants a unit of, if it needs one.
    pub fn wants(&self) -> Option<AwardIndex> {
        matches!(self.next, Next::Unit(_)).then_some(self.drawn)
    }

    /// Ends the draw; `granted` says whether the stock gave the unit that [`Decision::wants`]
    /// names. Without it the tree leads on, in the end to a luck award.
    pub fn conclude(self, strategy: &Strategy, granted: bool) -> DrawOutcome {
        let won = |stocked| DrawOutcome {
            award: self.drawn,
            rule: self.rule,
            stocked,
        };
        let mut next = self.next;
        loop {
            next = match next {
                Next::Won => return won(false),
                Next::Unit(_) if granted => return won(true),
                Next::Unit(node) => {
                    let tree = strategy
                        .tree_of(self.drawn)
                        .expect("a unit is asked for by a tree");
                    at(strategy, self.drawn, tree.out_of_stock(node, self.locks))
                }
                Next::Consoled(award) => {
                    return DrawOutcome {
                        award,
                        rule: Rule::Luck,
                        stocked: false,
                    };
                }
            };
        }
    }
}
