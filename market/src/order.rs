//! A finished draw, as it is stored and answered.
use std::sync::Arc;

use jiff::Timestamp;

use crate::calendar::Day;
use crate::ids::{ActivityId, AwardId, OrderId, RequestId, UserId};

/// The record of one draw. Award id, title and index are kept as they were answered, so that a
/// repeated request gets the same answer whatever has become of the campaign since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order's own id; it carries the user's slot.
    pub id: OrderId,
    /// Who drew.
    pub user: UserId,
    /// The idempotency key, unique per user.
    pub request: RequestId,
    /// In which activity.
    pub activity: ActivityId,
    /// Under which version of its campaign.
    pub version: u32,
    /// The how-many-eth draw of this user in this activity, from 1.
    pub ordinal: u32,
    /// The local day that this draw counts for.
    pub day: Day,
    /// The prize.
    pub award: AwardId,
    /// The prize's title.
    pub award_title: Arc<str>,
    /// The prize's place on the wheel, from 1.
    pub award_index: u32,
    /// The rule that decided.
    pub rule: Rule,
    /// Whether the prize came out of limited stock.
    pub stocked: bool,
    /// When the draw was planned.
    pub created_at: Timestamp,
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
    fn rule_names_round_trip() {
        assert!(Rule::ALL.iter().all(|&rule| Rule::from_name(rule.name()) == Some(rule)));
        assert_eq!(Rule::from_name("rule_lock"), None);
    }
}
