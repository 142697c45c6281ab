//! Reads a campaign file. The format is described in `docs/campaigns.md`.
//!
//! The parts of a file refer to each other, so they are read in this order: ids, places and
//! rates of all awards; trees, whose luck nodes name awards; the rest of each award, which may
//! name a tree; the rules before the draw, which name awards. A part with a fault is passed on
//! as [`Faulted`], and what depends on it is not judged, so that one slip is one message.
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;

use jiff::tz::TimeZone;
use settings::{Fault, Faulted, Field, Section, Value, all};

use super::report::decimal;
use super::{
    Activity, ActivityState, Award, AwardIndex, Campaign, ChainRule, Sku, Stage, Strategy,
    WeightGroup, WhenChancesShort, WhenStockUnavailable,
};
use crate::chances::Chances;
use crate::ids::{ActivityId, AwardId, SkuId, StrategyId, UserId};
use crate::odds::{Pool, Rate};
use crate::tree::{InvalidTree, Locks, Node, NodeIndex, Tree};

const FILE_BYTES_MAX: usize = 1024 * 1024;
const AWARDS_MAX: usize = 1_000;
const TREES_MAX: usize = 1_000;
const NODES_MAX: usize = 100;
const WEIGHT_GROUPS_MAX: usize = 1_000;
const BLACKLISTED_MAX: usize = 100_000;
const STAGES_MAX: usize = 1_000;
const SKUS_MAX: usize = 1_000;
/// What a signed 63-bit column holds.
const ID_MAX: u64 = i64::MAX as u64;
/// Units, and amounts of money in minor units: sums of a thousand of them stay below 2^63.
const AMOUNT_MAX: u64 = 1_000_000_000_000;
/// Chances are counted in columns of 31 bits.
const CHANCES_MAX: u32 = i32::MAX as u32;
const NAME_CHARS: RangeInclusive<usize> = 1..=64;
const DETAIL_CHARS: RangeInclusive<usize> = 0..=128;

const STATES: [(&str, ActivityState); 3] = [
    ("create", ActivityState::Created),
    ("open", ActivityState::Open),
    ("close", ActivityState::Closed),
];
const WHEN_STOCK_UNAVAILABLE: [(&str, WhenStockUnavailable); 2] = [
    ("refuse", WhenStockUnavailable::Refuse),
    ("fallback", WhenStockUnavailable::Fallback),
];
const WHEN_CHANCES_SHORT: [(&str, WhenChancesShort); 2] = [
    ("refuse", WhenChancesShort::Refuse),
    ("partial", WhenChancesShort::Partial),
];
const NODE_RULES: [(&str, NodeRule); 3] = [
    ("rule_lock", NodeRule::Lock),
    ("rule_stock", NodeRule::Stock),
    ("rule_luck_award", NodeRule::Luck),
];
const RULE_MODELS: [(&str, RuleModel); 2] = [
    ("rule_blacklist", RuleModel::Blacklist),
    ("rule_weight", RuleModel::Weight),
];

/// Everything that is wrong with a campaign file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct InvalidCampaign {
    /// The faults; at least one.
    pub faults: Vec<Fault>,
}

impl InvalidCampaign {
    fn lines(&self) -> String {
        self.faults
            .iter()
            .map(Fault::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Why a campaign cannot follow the version of it that is published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// Days that were counted in one zone would be counted again in the other.
    #[error(
        "the time zone of a published activity cannot change: it is {published}, the file says {wanted}"
    )]
    TimeZone {
        /// The zone of the published version.
        published: String,
        /// The zone of the file.
        wanted: String,
    },
    /// Clients know the activity by its strategy's id too.
    #[error(
        "the strategy of a published activity cannot change: it is {published}, the file says {wanted}"
    )]
    Strategy {
        /// The strategy of the published version.
        published: StrategyId,
        /// The strategy of the file.
        wanted: StrategyId,
    },
    /// Stock operations change a count, since units of it are being given out meanwhile.
    #[error(
        "award {award} was published with {published} units, the file says {wanted}: \
         use `drawbridge stock add` to change its stock, and leave the count as it was"
    )]
    Count {
        /// The prize.
        award: AwardId,
        /// The count of the published version.
        published: NonZeroU64,
        /// The count of the file.
        wanted: NonZeroU64,
    },
    /// Units given out without limit are not counted, so they cannot be limited afterwards.
    #[error("award {award} was published with a limited count and cannot become unlimited")]
    BecameUnlimited {
        /// The prize.
        award: AwardId,
    },
    /// The reverse.
    #[error(
        "award {award} was published without a limit and cannot become limited: give the limited prize a new id"
    )]
    BecameLimited {
        /// The prize.
        award: AwardId,
    },
}

impl Campaign {
    /// Reads a campaign file and checks it as a whole. All faults are reported at once.
    pub fn parse(text: &str) -> Result<Self, InvalidCampaign> {
        if text.len() > FILE_BYTES_MAX {
            let message = format!(
                "has {} bytes; a campaign file has at most {FILE_BYTES_MAX}",
                text.len()
            );
            return Err(InvalidCampaign {
                faults: vec![Fault {
                    location: "the file".into(),
                    message,
                }],
            });
        }
        settings::read(text, Vec::new(), campaign).map_err(|faults| InvalidCampaign { faults })
    }

    /// What stands against publishing this after `previous`, the published version of the same
    /// activity.
    pub fn incompatible_with(&self, previous: &Campaign) -> Vec<Incompatible> {
        let mut found = Vec::new();
        let (published, wanted) = (
            &previous.activity.time_zone_name,
            &self.activity.time_zone_name,
        );
        // Zone names do not mind their case.
        if !published.eq_ignore_ascii_case(wanted) {
            found.push(Incompatible::TimeZone {
                published: published.clone(),
                wanted: wanted.clone(),
            });
        }
        let (published, wanted) = (previous.strategy.id, self.strategy.id);
        if published != wanted {
            found.push(Incompatible::Strategy { published, wanted });
        }
        let published: HashMap<_, _> = previous
            .strategy
            .awards
            .iter()
            .map(|award| (award.id, award))
            .collect();
        let both = self
            .strategy
            .awards
            .iter()
            .filter_map(|award| Some((*published.get(&award.id)?, award)));
        found.extend(both.filter_map(|(published, wanted)| incompatible_count(published, wanted)));
        found
    }
}

fn incompatible_count(published: &Award, wanted: &Award) -> Option<Incompatible> {
    let award = wanted.id;
    match (published.count, wanted.count) {
        (Some(published), Some(wanted)) if published != wanted => Some(Incompatible::Count {
            award,
            published,
            wanted,
        }),
        (Some(_), None) => Some(Incompatible::BecameUnlimited { award }),
        (None, Some(_)) => Some(Incompatible::BecameLimited { award }),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn campaign(root: &Section<'_>) -> Result<Campaign, Faulted> {
    let format = root
        .integer("format", 0..=u32::MAX)
        .try_map(|format| match format {
            1 => Ok(()),
            _ => Err("this program reads campaign files of format 1"),
        });
    let format = format.required();
    let activity = activity(&root.section("activity"));
    let chances = chances(&root.section("chances"));
    let stages = stages(root);
    let skus = skus(root);
    let strategy = strategy(root, chances);
    format?;
    Ok(Campaign {
        activity: activity?,
        chances: chances?,
        stages: stages?,
        skus: skus?,
        strategy: strategy?,
    })
}

fn activity(section: &Section<'_>) -> Result<Activity, Faulted> {
    let id = id(&section.value("id"), ActivityId::new).required();
    let name = section.string("name", NAME_CHARS).required();
    let description = section
        .string("description", DETAIL_CHARS)
        .or(String::new());
    let begins_at = section.time("begins_at").required();
    let ends_at = section.time("ends_at").try_map(|ends_at| match begins_at {
        Ok(begins_at) if ends_at <= begins_at => Err("must be later than begins_at"),
        _ => Ok(ends_at),
    });
    let ends_at = ends_at.required();
    let state = section.choice("state", &STATES).required();
    let time_zone = section
        .string("time_zone", NAME_CHARS)
        .try_map(time_zone)
        .required();
    section.renamed("when_stock_away", "when_stock_unavailable");
    let when_stock_unavailable = section
        .choice("when_stock_unavailable", &WHEN_STOCK_UNAVAILABLE)
        .or(WhenStockUnavailable::Refuse);
    let when_chances_short = section
        .choice("when_chances_short", &WHEN_CHANCES_SHORT)
        .or(WhenChancesShort::Refuse);
    let (time_zone_name, time_zone) = time_zone?;
    Ok(Activity {
        id: id?,
        name: name?,
        description: description?,
        begins_at: begins_at?,
        ends_at: ends_at?,
        state: state?,
        time_zone,
        time_zone_name,
        when_stock_unavailable: when_stock_unavailable?,
        when_chances_short: when_chances_short?,
    })
}

fn time_zone(name: String) -> Result<(String, TimeZone), String> {
    match TimeZone::get(&name) {
        Ok(zone) if !zone.is_unknown() => Ok((name, zone)),
        _ => Err(format!(
            "{name:?} is no time zone of the IANA database; expected a name such as \"Asia/Shanghai\""
        )),
    }
}

fn chances(section: &Section<'_>) -> Result<Chances, Faulted> {
    let welcome = section.integer("welcome", 0..=CHANCES_MAX).required();
    let month_limit = section.integer("month_limit", 1..=CHANCES_MAX).required();
    let day_limit = section.integer("day_limit", 1..=CHANCES_MAX).required();
    Ok(Chances {
        welcome: welcome?,
        month_limit: month_limit?,
        day_limit: day_limit?,
    })
}

fn stages(root: &Section<'_>) -> Result<Vec<Stage>, Faulted> {
    let mut seen = Distinct::default();
    all(root
        .sections("stage", 0..=STAGES_MAX)?
        .iter()
        .map(|section| stage(section, &mut seen)))
}

fn stage(section: &Section<'_>, seen: &mut Distinct<Stage>) -> Result<Stage, Faulted> {
    let channel = section.string("channel", NAME_CHARS).required();
    let source = section.string("source", NAME_CHARS).required();
    let stage = Stage {
        channel: channel?,
        source: source?,
    };
    if seen.is_new(&stage) {
        Ok(stage)
    } else {
        Err(section.fault("channel", "this channel and source are listed already"))
    }
}

fn skus(root: &Section<'_>) -> Result<Vec<Sku>, Faulted> {
    let mut seen = Distinct::default();
    all(root
        .sections("sku", 0..=SKUS_MAX)?
        .iter()
        .map(|section| sku(section, &mut seen)))
}

fn sku(section: &Section<'_>, seen: &mut Distinct<SkuId>) -> Result<Sku, Faulted> {
    let id = id(&section.value("id"), SkuId::new)
        .try_map(|id| seen.add(id))
        .required();
    let stock = section.integer("stock", 0..=AMOUNT_MAX).required();
    let price_minor = section.integer("price_minor", 0..=AMOUNT_MAX).required();
    let chances = section.integer("chances", 1..=CHANCES_MAX).required();
    Ok(Sku {
        id: id?,
        stock: stock?,
        price_minor: price_minor?,
        chances: chances?,
    })
}

fn strategy(root: &Section<'_>, chances: Result<Chances, Faulted>) -> Result<Strategy, Faulted> {
    let section = root.section("strategy");
    let id = id(&section.value("id"), StrategyId::new).required();
    let description = section
        .string("description", DETAIL_CHARS)
        .or(String::new());
    let listed = listed_awards(root);
    let pool = listed
        .as_ref()
        .map_err(|&faulted| faulted)
        .and_then(|listed| pool(root, listed));
    let listed = listed.unwrap_or_default();
    let ids = listed
        .iter()
        .enumerate()
        .filter_map(|(index, award)| Some((award.id.ok()?, AwardIndex(index))));
    let ids = AwardIds(ids.collect());
    let mut trees = trees(root, &ids);
    let awards = listed
        .iter()
        .map(|award| award.read(&mut trees, chances))
        .collect();
    trees.refuse_unused();
    let prizes = Prizes { ids, awards, trees };
    let chain = chain(&section, &prizes);
    let Prizes { awards, trees, .. } = prizes;
    let trees = all(trees.entries.into_iter().map(|entry| entry.tree));
    Ok(Strategy {
        id: id?,
        description: description?,
        awards: all(awards)?,
        pool: pool?,
        chain: chain?,
        trees: trees?,
    })
}

/// What other parts of the file need to know of an award.
struct ListedAward<'d> {
    section: Section<'d>,
    id: Result<AwardId, Faulted>,
    sort: Result<u32, Faulted>,
    rate: Result<Rate, Faulted>,
}

/// The awards by their place on the wheel.
fn listed_awards<'d>(root: &Section<'d>) -> Result<Vec<ListedAward<'d>>, Faulted> {
    let sections = root.sections("award", 1..=AWARDS_MAX)?;
    let places = 1..=u32::try_from(sections.len()).unwrap_or(u32::MAX);
    let (mut ids, mut sorts) = (Distinct::default(), Distinct::default());
    let list = |section: Section<'d>| ListedAward {
        id: id(&section.value("id"), AwardId::new)
            .try_map(|id| ids.add(id))
            .required(),
        sort: section
            .integer("sort", places.clone())
            .try_map(|sort| sorts.add(sort))
            .required(),
        rate: section.decimal("rate").parse().required(),
        section,
    };
    let mut awards: Vec<_> = sections.into_iter().map(list).collect();
    awards.sort_by_key(|award| award.sort.unwrap_or(u32::MAX));
    Ok(awards)
}

fn pool(root: &Section<'_>, awards: &[ListedAward<'_>]) -> Result<Pool, Faulted> {
    let rates = all(awards.iter().map(|award| award.rate))?;
    let sum: u128 = rates.iter().map(|rate| u128::from(rate.millionths())).sum();
    if sum > Rate::ONE.millionths().into() {
        let message = format!(
            "the rates of all awards sum to {}, which is more than 1",
            decimal(sum, 6)
        );
        return Err(root.fault("award", message));
    }
    Pool::new(&rates).map_err(|_| root.fault("award", "no award has a rate above 0"))
}

impl ListedAward<'_> {
    fn read(
        &self,
        trees: &mut Trees<'_>,
        chances: Result<Chances, Faulted>,
    ) -> Result<Award, Faulted> {
        let section = &self.section;
        let title = section.string("title", 1..=128).required();
        let subtitle = section.string("subtitle", DETAIL_CHARS).or(String::new());
        let count = section.integer("count", 1..=AMOUNT_MAX).optional();
        let tree = section
            .string("tree", NAME_CHARS)
            .try_map(|name| trees.find(&name))
            .optional();
        let key = section.string("key", 0..=64).or(String::new());
        let config = section.string("config", DETAIL_CHARS).or(String::new());
        let cost_minor = section.integer("cost_minor", 0..=AMOUNT_MAX).or(0);
        if let (Ok(Some(_)), Ok(None)) = (count, tree) {
            let message =
                "a prize with a count needs a tree: its luck award is given when the prize is gone";
            section.fault("count", message);
        }
        if let (Ok(rate), Ok(Some(tree))) = (self.rate, tree) {
            trees.check_winnable(section, rate, tree, chances)?;
        }
        Ok(Award {
            id: self.id?,
            title: title?.into(),
            subtitle: subtitle?,
            sort: self.sort?,
            rate: self.rate?,
            count: count?.and_then(NonZeroU64::new),
            tree: tree?,
            key: key?,
            config: config?,
            cost_minor: cost_minor?,
        })
    }
}

struct Trees<'d> {
    entries: Vec<TreeEntry<'d>>,
    by_name: HashMap<String, usize>,
}

struct TreeEntry<'d> {
    section: Section<'d>,
    tree: Result<Tree, Faulted>,
    used: bool,
}

fn trees<'d>(root: &Section<'d>, awards: &AwardIds) -> Trees<'d> {
    let mut names = Distinct::default();
    let mut trees = Trees {
        entries: Vec::new(),
        by_name: HashMap::new(),
    };
    for section in root.sections("tree", 0..=TREES_MAX).unwrap_or_default() {
        let name = section
            .string("id", NAME_CHARS)
            .try_map(|name| names.add(name))
            .required();
        if let Ok(name) = name {
            trees.by_name.insert(name, trees.entries.len());
        }
        let tree = tree(&section, awards);
        trees.entries.push(TreeEntry {
            section,
            tree,
            used: false,
        });
    }
    trees
}

impl Trees<'_> {
    fn find(&mut self, name: &str) -> Result<usize, String> {
        let index = *self
            .by_name
            .get(name)
            .ok_or_else(|| format!("no tree has the id {name:?}"))?;
        self.entries[index].used = true;
        Ok(index)
    }

    /// A prize of the pool whose tree never asks for it cannot be won, whatever its odds say.
    fn check_winnable(
        &self,
        award: &Section<'_>,
        rate: Rate,
        tree: usize,
        chances: Result<Chances, Faulted>,
    ) -> Result<(), Faulted> {
        let (Ok(tree), Ok(chances)) = (&self.entries[tree].tree, chances) else {
            return Ok(());
        };
        let draws_max = chances.day_limit.min(chances.month_limit);
        match tree.unlocked_at(0) {
            _ if rate == Rate::ZERO => Ok(()),
            None => Err(award.fault(
                "tree",
                "no walk reaches rule_stock: this prize can never be won",
            )),
            Some(draws) if draws >= draws_max => {
                let message = format!(
                    "this prize can never be won: it unlocks after {draws} draws of a day, \
                     and the limits allow {draws_max} draws on a day"
                );
                Err(award.fault("tree", message))
            }
            Some(_) => Ok(()),
        }
    }

    fn refuse_unused(&self) {
        for entry in self.entries.iter().filter(|entry| !entry.used) {
            entry.section.fault("id", "no award uses this tree");
        }
    }
}

fn tree(section: &Section<'_>, awards: &AwardIds) -> Result<Tree, Faulted> {
    // Without nodes its root leads nowhere, which is no fault of its own.
    let nodes = section
        .sections("nodes", 1..=NODES_MAX)
        .inspect_err(|_| section.leave_unread())?;
    let mut seen = Distinct::default();
    let keys: Vec<_> = nodes
        .iter()
        .map(|node| {
            node.string("key", NAME_CHARS)
                .try_map(|key| seen.add(key))
                .required()
        })
        .collect();
    let index = keys
        .iter()
        .enumerate()
        .filter_map(|(index, key)| Some((key.clone().ok()?, NodeIndex(index))));
    let index = NodeKeys(index.collect());
    let root = index.find(section, "root").required();
    let read = all(nodes
        .iter()
        .zip(keys)
        .map(|(section, key)| node(section, key, &index, awards)));
    let of_shape = |fault: &InvalidTree| match fault {
        InvalidTree::Cycle(node) | InvalidTree::Unreachable(node) => {
            nodes[node.0].fault("key", fault.to_string())
        }
    };
    Tree::new(read?, root?).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(of_shape).collect();
        faults[0]
    })
}

#[derive(Clone, Copy, PartialEq)]
enum NodeRule {
    Lock,
    Stock,
    Luck,
}

fn node(
    section: &Section<'_>,
    key: Result<String, Faulted>,
    nodes: &NodeKeys,
    awards: &AwardIds,
) -> Result<Node, Faulted> {
    // Which keys belong here depends on the rule.
    let rule = node_rule(section, key).inspect_err(|_| section.leave_unread())?;
    match rule {
        NodeRule::Lock => {
            let draws = section.integer("draws", 1..=CHANCES_MAX).required();
            let allow = nodes.find(section, "allow").required();
            let take_over = nodes.find(section, "take_over").required();
            Ok(Node::Lock {
                draws: draws?,
                allow: allow?,
                take_over: take_over?,
            })
        }
        NodeRule::Stock => Ok(Node::Stock {
            allow: nodes.find(section, "allow").required()?,
        }),
        NodeRule::Luck => {
            let award = awards.find(&section.value("award")).required();
            let config = section.string("config", DETAIL_CHARS).or(String::new());
            Ok(Node::Luck {
                award: award?,
                config: config?,
            })
        }
    }
}

/// A node is of the kind that its key names, unless it says so itself.
fn node_rule(section: &Section<'_>, key: Result<String, Faulted>) -> Result<NodeRule, Faulted> {
    let rule = match section.choice("rule", &NODE_RULES).optional()? {
        Some(rule) => return Ok(rule),
        None => key.map(|key| NODE_RULES.iter().find(|(name, _)| *name == key)),
    };
    match rule? {
        Some(&(_, rule)) => Ok(rule),
        None => Err(section.fault(
            "rule",
            "missing: the key is not the name of a rule, so this says which it is",
        )),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum RuleModel {
    Blacklist,
    Weight,
}

/// All awards as far as they could be read, and their trees: what the rules before the draw
/// choose from.
struct Prizes<'d> {
    ids: AwardIds,
    awards: Vec<Result<Award, Faulted>>,
    trees: Trees<'d>,
}

impl Prizes<'_> {
    /// An award that a rule gives past the locks: with all of them open its tree must ask for it.
    fn forced(&self, value: &Value<'_>) -> Result<AwardIndex, Faulted> {
        let index = self.ids.find(value).required()?;
        let tree = self.awards[index.0]
            .as_ref()
            .map_err(|&faulted| faulted)?
            .tree;
        let tree = tree.and_then(|tree| self.trees.entries[tree].tree.as_ref().ok());
        if tree.is_some_and(|tree| !tree.wins(Locks::Skipped)) {
            let message = "with all locks open no walk through its tree reaches rule_stock: \
                           this rule could never give the prize";
            return Err(value.fault(message));
        }
        Ok(index)
    }
}

fn chain(section: &Section<'_>, prizes: &Prizes<'_>) -> Result<Vec<ChainRule>, Faulted> {
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
                "rule_models does not list this rule, so it would never be asked",
            );
        }
    }
    chain
}

fn blacklist(section: &Section<'_>, prizes: &Prizes<'_>) -> Result<ChainRule, Faulted> {
    let award = prizes.forced(&section.value("award"));
    let listed = section.list("users", 1..=BLACKLISTED_MAX).required();
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
    let rate = |index: &AwardIndex| {
        prizes.awards[index.0]
            .as_ref()
            .map(|award| award.rate)
            .map_err(|&faulted| faulted)
    };
    let rates = all(awards.iter().map(rate))?;
    let pool = Pool::new(&rates)
        .map_err(|_| section.fault("awards", "no award of this group has a rate above 0"));
    Ok(WeightGroup {
        ordinal: ordinal?,
        awards,
        pool: pool?,
    })
}

struct AwardIds(HashMap<AwardId, AwardIndex>);

impl AwardIds {
    fn find<'d>(&self, value: &Value<'d>) -> Field<'d, AwardIndex> {
        let find = |id| {
            self.0
                .get(&id)
                .copied()
                .ok_or_else(|| format!("no award has the id {id}"))
        };
        id(value, AwardId::new).try_map(find)
    }
}

struct NodeKeys(HashMap<String, NodeIndex>);

impl NodeKeys {
    fn find<'d>(&self, section: &Section<'d>, key: &'static str) -> Field<'d, NodeIndex> {
        let find = |name: String| {
            self.0
                .get(&name)
                .copied()
                .ok_or_else(|| format!("no node of this tree has the key {name:?}"))
        };
        section.string(key, NAME_CHARS).try_map(find)
    }
}

fn id<'d, T>(value: &Value<'d>, new: fn(u64) -> Option<T>) -> Field<'d, T> {
    value
        .integer(1..=ID_MAX)
        .try_map(|number| new(number).ok_or("not an id"))
}

/// Finds the second of two equal values.
struct Distinct<K>(HashSet<K>);

impl<K> Default for Distinct<K> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<K: Clone + Eq + Hash> Distinct<K> {
    fn is_new(&mut self, value: &K) -> bool {
        self.0.insert(value.clone())
    }

    fn add(&mut self, value: K) -> Result<K, String>
    where
        K: Display,
    {
        if self.is_new(&value) {
            Ok(value)
        } else {
            Err(format!("must be unique, but {value} was there before"))
        }
    }
}

#[cfg(test)]
mod tests;
