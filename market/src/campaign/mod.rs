//! Campaigns: one activity with its chances, prizes, odds and rules, checked as a whole.
//!
//! A [`Campaign`] is only made from a campaign file ([`Campaign::parse`]). So code that has one may
//! rely on the checks of files: every prize of the pool can be won, every walk through a tree ends,
//! every index is in range.
mod blacklist;
mod catalogue;
mod changes;
mod compatible;
mod file;
mod life;
mod report;
mod reward;
mod trial;
mod turnout;
mod warnings;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use blacklist::{Blacklist, Blacklists, ReadMark, UserList};
pub use catalogue::{ACTIVITIES_PER_BEHAVIOUR_MAX, Catalogue, Conflict, Published};
pub use changes::{Change, ChangeSection, changes};
pub use compatible::Incompatible;
pub use file::InvalidCampaign;
pub use life::{ClosedForEver, Halt, Halts, LifeChange, LifeState};
pub use report::{report, reward_text};
pub use reward::{Gives, Reward};
pub use trial::{NoTrial, trial};
pub use turnout::{InvalidTurnout, Turnout};
pub use warnings::warnings;

use crate::chances::Chances;
use crate::ids::{ActivityId, AwardId, AwardIndex, Behaviour, SkuId, StrategyId, UserId};
use crate::odds::{Likelihood, Pool};
use crate::points::PointsRange;
use crate::tree::{Node, NodeIndex, Tree};

/// A checked campaign: the contents of one file.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The activity.
    pub activity: Activity,
    /// The chances that it grants, and its limits.
    pub chances: Chances,
    /// Where the activity is shown.
    pub stages: Vec<Stage>,
    /// Bundles of chances on sale.
    pub skus: Vec<Sku>,
    /// What users get for what they do.
    pub rewards: Vec<Reward>,
    /// Prizes and rules.
    pub strategy: Strategy,
    /// The turnout that the organiser expects. No rule looks at it.
    pub forecast: Option<Turnout>,
}

impl Campaign {
    /// The rewards for a behaviour, in the order of the file; none in a trial.
    pub fn rewards_for(&self, behaviour: &Behaviour) -> impl Iterator<Item = &Reward> {
        let rewards = self.rewards.iter();
        rewards.filter(move |reward| reward.behaviour == *behaviour)
    }

    /// A sku of this campaign; none in a trial.
    pub fn sku(&self, id: SkuId) -> Option<&Sku> {
        self.skus.iter().find(|sku| sku.id == id)
    }
}

/// An activity: what users take part in, and when.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The activity's id.
    pub id: ActivityId,
    /// Its name.
    pub name: String,
    /// A description.
    pub description: String,
    /// Draws are possible from this moment.
    pub begins_at: Timestamp,
    /// Draws are possible before this moment.
    pub ends_at: Timestamp,
    /// Draws need `Open`, and that no operator has paused or closed it.
    pub state: ActivityState,
    /// Days and months of the limits are those of this zone. It cannot change once published.
    pub time_zone: TimeZone,
    /// The zone's name, as the file spells it.
    pub time_zone_name: String,
    /// How draws that need a unit end while the stock is unavailable.
    pub when_stock_unavailable: WhenStockUnavailable,
    /// How calls for more draws end than the user has chances.
    pub when_chances_short: WhenChancesShort,
    /// Who may draw from a trial of this activity.
    pub testers: HashSet<UserId>,
    /// The activity that this one is a trial of. Only testers draw from a trial, from before its
    /// beginning on; it is shown nowhere and sells nothing.
    pub trial_of: Option<ActivityId>,
}

impl Activity {
    /// Whether it is a trial of another activity.
    pub const fn is_trial(&self) -> bool {
        self.trial_of.is_some()
    }
}

/// How a draw that needs a unit of stock ends while the stock is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenStockUnavailable {
    /// `refuse`: the draw is refused for now, and the user keeps the chance.
    Refuse,
    /// `fallback`: the user gets the luck award, as if the prize were gone.
    Fallback,
}

/// How a call for more draws ends than the user's chances and limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenChancesShort {
    /// `refuse`: the whole call is refused, and no chance is used.
    Refuse,
    /// `partial`: as many draws as the chances allow, but at least one.
    Partial,
}

/// What a campaign file says about the activity's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityState {
    /// `draft`, or `create` as in the reference: not ready.
    Draft,
    /// `open`, between its times.
    Open,
    /// `close`.
    Closed,
}

impl ActivityState {
    /// The word in a campaign file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Closed => "close",
        }
    }
}

/// Where an activity is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stage {
    /// The channel, for example `c01`.
    pub channel: String,
    /// The source, for example `s01`.
    pub source: String,
}

/// A bundle of chances on sale for points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sku {
    /// Its id.
    pub id: SkuId,
    /// How many bundles there are.
    pub stock: u64,
    /// The price, in hundredths of a point.
    pub price_minor: u64,
    /// How many chances a bundle adds to the buyer's total.
    pub chances: u32,
}

/// The prizes of an activity and its rules.
#[derive(Debug, Clone)]
pub struct Strategy {
    /// The strategy's id.
    pub id: StrategyId,
    /// A description.
    pub description: String,
    /// All awards, in the order of the wheel; those that are not on it come last.
    pub awards: Vec<Award>,
    /// The pool of all awards. Outcome `i` is `awards[i]`.
    pub pool: Pool,
    /// The rules before the draw, in order. A draw that none of them decides is made from `pool`.
    pub chain: Vec<ChainRule>,
    /// The rule trees that awards refer to.
    pub trees: Vec<Tree>,
    /// The awards of which a user gets a few at most.
    user_limits: Vec<UserLimit>,
    /// Whether an award or a luck node pays points.
    pays_points: bool,
}

/// How many of an award one user gets at most. Its tree has an answer for who has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserLimit {
    /// The award.
    pub award: AwardIndex,
    /// How many.
    pub most: NonZeroU32,
}

impl UserLimit {
    /// Whether a user who was given so many gets no more.
    pub const fn is_reached(self, given: u32) -> bool {
        given >= self.most.get()
    }
}

/// A prize.
#[derive(Debug, Clone)]
pub struct Award {
    /// Its id.
    pub id: AwardId,
    /// Shown to the winner.
    pub title: Arc<str>,
    /// Shown below the title; may be empty.
    pub subtitle: String,
    /// Its position on the wheel, from 1; 0 for one that is not on it: only rules give that one.
    pub sort: u32,
    /// The configured rate or weight.
    pub rate: Likelihood,
    /// How many units there are; `None` for a prize without limit.
    pub count: Option<u64>,
    /// How many of it one user gets at most, drawn or by a rule; then its tree leads on.
    pub per_user: Option<NonZeroU32>,
    /// The index of its tree in [`Strategy::trees`]. Without one the drawn prize is won.
    pub tree: Option<usize>,
    /// The name of the distributor that delivers it.
    pub key: String,
    /// The distributor's parameter.
    pub config: String,
    /// The points that it pays, when its key and its config say so. A luck node that gives it may say
    /// something else: see [`Strategy::points_of`].
    pub points: Option<PointsRange>,
    /// What one unit costs the organiser, in hundredths of the currency.
    pub cost_minor: u64,
}

impl Award {
    /// Whether it has a place on the wheel.
    pub const fn is_on_wheel(&self) -> bool {
        self.sort > 0
    }

    /// Whether the pool of all awards can give it.
    pub const fn is_drawn(&self) -> bool {
        self.is_on_wheel() && !self.rate.is_zero()
    }
}

/// A rule before the draw.
#[derive(Debug, Clone)]
pub enum ChainRule {
    /// `rule_blacklist`: these users always get this award.
    Blacklist {
        /// The award.
        award: AwardIndex,
        /// The users that the file names. Operators list more: [`Blacklists`].
        users: HashSet<UserId>,
    },
    /// `rule_weight`: a user's draws with certain ordinals are made from pools of their own.
    Weight(Vec<WeightGroup>),
}

/// One threshold of `rule_weight`.
#[derive(Debug, Clone)]
pub struct WeightGroup {
    /// The one draw of a user that it applies to, counted from 1 over the whole activity.
    pub ordinal: u32,
    /// The awards of the group; outcome `i` of `pool` is `awards[i]`.
    pub awards: Vec<AwardIndex>,
    /// Their odds: their rates in proportion to each other.
    pub pool: Pool,
}

/// A luck node of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LuckNode {
    /// The index of its tree in [`Strategy::trees`].
    pub tree: usize,
    /// Its index in the tree.
    pub node: NodeIndex,
}

impl Strategy {
    /// The award at an index of this strategy.
    pub fn award(&self, index: AwardIndex) -> &Award {
        &self.awards[index.0]
    }

    /// The rule tree of an award, if it has one.
    pub fn tree_of(&self, index: AwardIndex) -> Option<&Tree> {
        self.award(index).tree.map(|tree| &self.trees[tree])
    }

    /// The luck node that replaces `drawn`, with its award: that of its tree, else that of the first
    /// tree that has one. `None` when no tree has one.
    pub fn luck_node(&self, drawn: AwardIndex) -> Option<(LuckNode, AwardIndex)> {
        let trees = self
            .award(drawn)
            .tree
            .into_iter()
            .chain(0..self.trees.len());
        let nodes = |tree: usize| {
            let nodes = self.trees[tree].luck_nodes();
            nodes.map(move |(node, award)| (LuckNode { tree, node }, award))
        };
        trees.flat_map(nodes).next()
    }

    /// The parameter for the distributor of an award that was given: that of the luck node which
    /// gave it, else its own.
    pub fn config_of(&self, award: AwardIndex, by: Option<LuckNode>) -> &str {
        match self.own_config(by) {
            Some((config, _)) => config,
            None => &self.award(award).config,
        }
    }

    /// The points that an award pays which was given: those of the luck node which gave it, where the
    /// node has a config, else its own.
    pub fn points_of(&self, award: AwardIndex, by: Option<LuckNode>) -> Option<PointsRange> {
        match self.own_config(by) {
            Some((_, points)) => points,
            None => self.award(award).points,
        }
    }

    /// The config of a luck node that has one, and the points that it says.
    fn own_config(&self, by: Option<LuckNode>) -> Option<(&str, Option<PointsRange>)> {
        let LuckNode { tree, node } = by?;
        match self.trees[tree].node(node) {
            Node::Luck { config, points, .. } if !config.is_empty() => Some((config, *points)),
            Node::Luck { .. } | Node::Lock { .. } | Node::Stock { .. } => None,
        }
    }

    /// The awards of which a user gets a few at most, in the order of the wheel. What users were
    /// given of these is counted, and of no others.
    pub fn user_limits(&self) -> &[UserLimit] {
        &self.user_limits
    }

    /// Whether any prize pays points, drawn or given by a luck node.
    pub const fn pays_points(&self) -> bool {
        self.pays_points
    }

    /// Whether there is a `rule_blacklist`.
    pub fn has_blacklist(&self) -> bool {
        let is_one = |rule: &ChainRule| matches!(rule, ChainRule::Blacklist { .. });
        self.chain.iter().any(is_one)
    }

    /// The groups of `rule_weight`, by threshold; empty without that rule.
    pub fn weight_groups(&self) -> &[WeightGroup] {
        let groups = self.chain.iter().find_map(|rule| match rule {
            ChainRule::Weight(groups) => Some(groups.as_slice()),
            ChainRule::Blacklist { .. } => None,
        });
        groups.unwrap_or_default()
    }
}
