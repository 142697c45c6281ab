//! `strategy.rule_models`, `rule_blacklist` and `rule_weight`: the rules before the draw.
use std::collections::HashSet;

use settings::{Faulted, Section, Value, all};

use super::bounds::{AWARDS_MAX, CHANCES_MAX};
use super::ids::{AwardIds, Distinct};
use super::tree::Trees;
use crate::campaign::{Award, ChainRule, WeightGroup};
use crate::ids::{AwardIndex, UserId};
use crate::odds::Pool;
use crate::tree::Locks;

const WEIGHT_GROUPS_MAX: usize = 1_000;
const BLACKLISTED_MAX: usize = 100_000;

const RULE_MODELS: [(&str, RuleModel); 2] = [
    ("rule_blacklist", RuleModel::Blacklist),
    ("rule_weight", RuleModel::Weight),
];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum RuleModel {
    Blacklist,
    Weight,
}

/// What the rules before the draw choose from: all awards and trees, as far as they could be
/// read.
pub(super) struct Prizes<'d> {
    pub(super) ids: AwardIds,
    pub(super) awards: Vec<Result<Award, Faulted>>,
    pub(super) trees: Trees<'d>,
}

impl Prizes<'_> {
    /// An award that a rule gives past the locks. With all of them open, its tree must lead to its
    /// stock.
    fn forced(&self, value: &Value<'_>) -> Result<AwardIndex, Faulted> {
        let index = self.ids.find(value).required()?;
        let tree = self.awards[index.0]
            .as_ref()
            .map_err(|&faulted| faulted)?
            .tree;
        let tree = tree.and_then(|tree| self.trees.get(tree));
        if tree.is_some_and(|tree| !tree.wins(Locks::Skipped)) {
            let message = "with all locks open no walk through its tree reaches rule_stock: \
                           this rule could never give the prize";
            return Err(value.fault(message));
        }
        Ok(index)
    }
}

pub(super) fn chain(section: &Section<'_>, prizes: &Prizes<'_>) -> Result<Vec<ChainRule>, Faulted> {
    let mut blacklist = section
        .find_section("rule_blacklist")
        .map(|section| blacklist(&section, prizes));
    let groups = section
        .sections("rule_weight", 0..=WEIGHT_GROUPS_MAX)
        .unwrap_or_default();
    let mut weight = (!groups.is_empty()).then(|| weight_groups(&groups, prizes));
    let mut seen = Distinct::default();
    let mut rule = |value: &Value<'_>| {
        let model = value.choice(&RULE_MODELS).required()?;
        if !seen.is_new(&model) {
            return Err(value.fault("this rule is listed already"));
        }
        let rule = match model {
            RuleModel::Blacklist => blacklist.take(),
            RuleModel::Weight => weight.take(),
        };
        rule.unwrap_or_else(|| Err(value.fault("this rule is listed, but its table is missing")))
    };
    let models = section
        .list("rule_models", 0..=RULE_MODELS.len())
        .or(Vec::new())?;
    let chain = all(models.iter().map(&mut rule));
    for (key, unlisted) in [("rule_blacklist", blacklist), ("rule_weight", weight)] {
        if unlisted.is_some() {
            section.fault(
                key,
                "rule_models does not list this rule, so it would never apply",
            );
        }
    }
    chain
}

fn blacklist(section: &Section<'_>, prizes: &Prizes<'_>) -> Result<ChainRule, Faulted> {
    let award = prizes.forced(&section.value("award"));
    // Operators may list all of them by command.
    let listed = section.list("users", 0..=BLACKLISTED_MAX).or(Vec::new());
    let mut users = HashSet::new();
    for value in listed? {
        let user = value
            .string(1..=UserId::CHARS_MAX)
            .try_map(|user| UserId::new(&user))
            .required();
        if user.is_ok_and(|user| !users.insert(user)) {
            value.fault("this user is listed already");
        }
    }
    Ok(ChainRule::Blacklist {
        award: award?,
        users,
    })
}

/// The groups in the order of their thresholds.
fn weight_groups(sections: &[Section<'_>], prizes: &Prizes<'_>) -> Result<ChainRule, Faulted> {
    let mut ordinals = Distinct::default();
    let mut groups = all(sections
        .iter()
        .map(|section| weight_group(section, &mut ordinals, prizes)))?;
    groups.sort_by_key(|group| group.ordinal);
    Ok(ChainRule::Weight(groups))
}

fn weight_group(
    section: &Section<'_>,
    ordinals: &mut Distinct<u32>,
    prizes: &Prizes<'_>,
) -> Result<WeightGroup, Faulted> {
    let ordinal = section
        .integer("draw", 1..=CHANCES_MAX)
        .try_map(|draw| ordinals.add(draw))
        .required();
    let listed = section.list("awards", 1..=AWARDS_MAX).required()?;
    let mut seen = Distinct::default();
    let awards = all(listed.iter().map(|value| {
        let award = prizes.forced(value)?;
        if seen.is_new(&award) {
            Ok(award)
        } else {
            Err(value.fault("this award is listed already"))
        }
    }))?;
    let share = |index: &AwardIndex| {
        prizes.awards[index.0]
            .as_ref()
            .map(|award| award.rate.share())
            .map_err(|&faulted| faulted)
    };
    let shares = all(awards.iter().map(share))?;
    let pool = Pool::of_shares(&shares).map_err(|_| {
        section.fault(
            "awards",
            "no award of this group has a rate or weight above 0",
        )
    });
    Ok(WeightGroup {
        ordinal: ordinal?,
        awards,
        pool: pool?,
    })
}
