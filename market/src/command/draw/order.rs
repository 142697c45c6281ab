//! A finished draw, as it is stored and answered.
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::calendar::Day;
use crate::campaign::{Award, Strategy};
use crate::ids::{ActivityId, AwardId, OrderId, RequestId, UserId};
use crate::points::Points;
use crate::tree::Tree;

/// How many draws a call asks for: 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DrawCount(u8);

/// A count of draws that no call may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an integer from 1 to 10")]
pub struct InvalidCount;

impl DrawCount {
    /// What a call asks for that names no count.
    pub const ONE: Self = Self(1);
    /// The most that a call can ask for.
    pub const MAX: Self = Self(10);

    /// Checks a number and makes it a count.
    pub const fn new(number: u8) -> Result<Self, InvalidCount> {
        if number >= Self::ONE.0 && number <= Self::MAX.0 {
            Ok(Self(number))
        } else {
            Err(InvalidCount)
        }
    }

    /// The plain number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for DrawCount {
    type Err = InvalidCount;

    fn from_str(text: &str) -> Result<Self, InvalidCount> {
        // Rust's own parser takes a leading plus sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| text.parse().ok())
            .flatten()
            .ok_or(InvalidCount)
            .and_then(Self::new)
    }
}

/// The orders of one call in the order in which they were drawn; at least one.
pub type Orders = Arc<[Order]>;

/// The record of one draw. Award id, title and index are kept as they were answered, so that a
/// repeated request gets the same answer even when the campaign has changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order's own id; it carries the user's slot.
    pub id: OrderId,
    /// Who drew.
    pub user: UserId,
    /// The idempotency key of its call, unique per user.
    pub request: RequestId,
    /// Its index among the draws of its call, from 0.
    pub seq: u8,
    /// How many draws its call asked for.
    pub asked: DrawCount,
    /// In which activity.
    pub activity: ActivityId,
    /// Under which version of its campaign.
    pub version: u32,
    /// The ordinal draw of this user in this activity, from 1.
    pub ordinal: u32,
    /// The local day that this draw counts for.
    pub day: Day,
    /// The prize.
    pub award: AwardId,
    /// The prize's title.
    pub award_title: Arc<str>,
    /// The prize's position on the wheel, from 1.
    pub award_index: u32,
    /// The rule that decided.
    pub rule: Rule,
    /// Whether the prize came out of limited stock.
    pub stocked: bool,
    /// What the user is promised with it; `None` for orders from before they said so.
    pub promise: Option<Promise>,
    /// The parameter for the prize's distributor, where it is not the prize's own.
    pub config: Option<Arc<str>>,
    /// When the draw was planned.
    pub created_at: Timestamp,
}

/// What an order promises besides its prize's title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Promise {
    /// Nothing: the prize has no key.
    Nothing,
    /// Points, which were paid with the draw.
    Points(Points),
    /// That the prize is delivered by the distributor of its key.
    Delivery,
}

impl Promise {
    /// The number that is stored; orders from before have 0. It never changes.
    pub const fn number(self) -> u8 {
        match self {
            Self::Nothing => 1,
            Self::Points(_) => 2,
            Self::Delivery => 3,
        }
    }

    /// The points that were paid.
    pub const fn points(self) -> Option<Points> {
        match self {
            Self::Points(points) => Some(points),
            Self::Nothing | Self::Delivery => None,
        }
    }
}

impl Order {
    /// The points that were paid with it.
    pub fn points(&self) -> Option<Points> {
        self.promise.and_then(Promise::points)
    }

    /// Its prize, in the strategy of the version that it was drawn under.
    pub fn award_in<'c>(&self, strategy: &'c Strategy) -> Option<&'c Award> {
        strategy.awards.iter().find(|award| award.id == self.award)
    }

    /// The parameter for the prize's distributor: that of the luck node which gave it, else the
    /// prize's own. An order from before does not say which node it was: it is the first that gives
    /// the prize.
    pub fn config_in<'c>(&'c self, strategy: &'c Strategy) -> Option<&'c str> {
        let award = self.award_in(strategy)?;
        if self.promise.is_some() {
            return Some(self.config.as_deref().unwrap_or(&award.config));
        }
        let mut nodes = strategy.trees.iter().flat_map(Tree::luck_awards);
        let of_node = |(index, config)| (strategy.award(index).id == award.id).then_some(config);
        let of_node = (self.rule == Rule::Luck)
            .then(|| nodes.find_map(of_node))
            .flatten()
            .filter(|config| !config.is_empty());
        Some(of_node.unwrap_or(&award.config))
    }
}

/// Which rule decided a draw's prize. The names are the reference's rule models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Drawn from the whole pool.
    Default,
    /// Drawn from the pool of a weight threshold.
    Weight,
    /// Forced by the blacklist.
    Blacklist,
    /// A luck node's consolation.
    Luck,
}

impl Rule {
    const ALL: [Rule; 4] = [Rule::Default, Rule::Weight, Rule::Blacklist, Rule::Luck];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::Default => "rule_default",
            Rule::Weight => "rule_weight",
            Rule::Blacklist => "rule_blacklist",
            Rule::Luck => "rule_luck_award",
        }
    }

    /// The rule of a stored name.
    pub fn from_name(name: &str) -> Option<Rule> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_from_one_to_ten_and_have_one_spelling() {
        assert_eq!("1".parse(), Ok(DrawCount::ONE));
        assert_eq!("10".parse(), Ok(DrawCount::MAX));
        for bad in ["", "0", "11", "256", "+1", "-1", "1.0", " 1"] {
            assert_eq!(bad.parse::<DrawCount>(), Err(InvalidCount), "{bad:?}");
        }
    }

    #[test]
    fn rule_names_round_trip() {
        assert!(
            Rule::ALL
                .iter()
                .all(|&rule| Rule::from_name(rule.name()) == Some(rule))
        );
        assert_eq!(Rule::from_name("rule_lock"), None);
    }
}
