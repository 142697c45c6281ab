//! What differs between two versions of a campaign, for people who publish one.
//!
//! A campaign is written down as facts: a name, and a text as its value. Two campaigns differ where
//! a fact has another text, is new or is gone. The facts take the campaign apart without `..`, so a
//! new key of the file cannot be left out.
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::report::{cost_of_a_draw, cost_of_all_units, counted, fixed, listed, percent};
use super::{
    Activity, Award, Campaign, ChainRule, Gives, Reward, Sku, Stage, Strategy, WeightGroup,
    WhenChancesShort, WhenStockUnavailable,
};
use crate::chances::Chances;
use crate::ids::{AwardIndex, UserId};
use crate::tree::{Node, NodeIndex, Tree};

/// The part of a campaign that a change belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeSection {
    /// Names, times, state.
    Activity,
    /// What users may draw.
    Chances,
    /// Where the activity is shown.
    Stages,
    /// Chances on sale.
    Skus,
    /// What users get for what they do.
    Rewards,
    /// The odds of a draw.
    Odds,
    /// With how many units prizes begin.
    Stock,
    /// Rules before and after the draw.
    Rules,
    /// Titles, places and delivery of prizes.
    Prizes,
    /// What it costs.
    Cost,
}

/// A difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The part that it belongs to.
    pub section: ChangeSection,
    /// What has changed.
    pub what: String,
    /// What it was; `None` for something new.
    pub before: Option<String>,
    /// What it is now; `None` for something that is gone.
    pub after: Option<String>,
}

impl ChangeSection {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Chances => "chances",
            Self::Stages => "stages",
            Self::Skus => "skus",
            Self::Rewards => "rewards",
            Self::Odds => "odds",
            Self::Stock => "stock",
            Self::Rules => "rules",
            Self::Prizes => "prizes",
            Self::Cost => "cost",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            section,
            what,
            before,
            after,
        } = self;
        write!(f, "{}: {what}: ", section.name())?;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{before} -> {after}"),
            (None, Some(after)) => write!(f, "new: {after}"),
            (Some(before), None) => write!(f, "gone: {before}"),
            (None, None) => Ok(()),
        }
    }
}

/// What differs between two campaigns; nothing when they mean the same. Comments, and the order in
/// which a file lists things, do not matter.
pub fn changes(before: &Campaign, after: &Campaign) -> Vec<Change> {
    let (mut before, after) = (Facts::of(before).0, Facts::of(after).0);
    let mut found: BTreeMap<Name, Change> = BTreeMap::new();
    for (name, is) in after {
        let was = before.remove(&name);
        if was.as_ref() != Some(&is) {
            found.insert(name.clone(), change(name, was, Some(is)));
        }
    }
    for (name, was) in before {
        found.insert(name.clone(), change(name, Some(was), None));
    }
    found.into_values().collect()
}

fn change((section, _, what): Name, was: Option<Value>, is: Option<Value>) -> Change {
    let same = matches!((&was, &is), (Some(was), Some(is)) if was.text == is.text);
    let after = is.map(|is| {
        if same {
            // Only what is not shown differs: which users a long list names.
            format!("{}, but others", is.text)
        } else {
            is.text
        }
    });
    Change {
        section,
        what,
        before: was.map(|was| was.text),
        after,
    }
}

/// A section, a number that sorts within it, and the name of the fact.
type Name = (ChangeSection, u64, String);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    text: String,
    /// Stands for what is compared, but is too long to be shown.
    hidden: u64,
}

#[derive(Default)]
struct Facts(BTreeMap<Name, Value>);

impl Facts {
    fn of(campaign: &Campaign) -> Self {
        let Campaign {
            activity,
            chances,
            stages,
            skus,
            rewards,
            strategy,
            forecast,
        } = campaign;
        let mut facts = Self::default();
        facts.activity(activity);
        facts.chances(*chances);
        for Stage { channel, source } in stages {
            let name = format!("channel {channel}, source {source}");
            facts.add(ChangeSection::Stages, 0, name, "shown");
        }
        for sku in skus {
            facts.sku(sku);
        }
        for reward in rewards {
            facts.reward(reward);
        }
        facts.strategy(strategy);
        if let Some(turnout) = forecast {
            let (users, days) = (turnout.users(), turnout.days());
            let text = format!(
                "{users} users, {} draws each, {days} days",
                turnout.draws_per_user()
            );
            facts.add(ChangeSection::Activity, 12, "forecast", text);
        }
        facts
    }

    fn add(
        &mut self,
        section: ChangeSection,
        rank: u64,
        name: impl Into<String>,
        text: impl Into<String>,
    ) {
        self.add_with_hidden(section, rank, name.into(), text.into(), 0);
    }

    fn add_with_hidden(
        &mut self,
        section: ChangeSection,
        rank: u64,
        name: String,
        text: String,
        hidden: u64,
    ) {
        self.0.insert((section, rank, name), Value { text, hidden });
    }

    fn activity(&mut self, activity: &Activity) {
        let Activity {
            id: _,
            name,
            description,
            begins_at,
            ends_at,
            state,
            time_zone,
            time_zone_name,
            when_stock_unavailable,
            when_chances_short,
            testers,
            trial_of,
        } = activity;
        let local = |moment: &jiff::Timestamp| {
            let zoned = moment.to_zoned(time_zone.clone());
            zoned.strftime("%F %T%.f %:z").to_string()
        };
        let stock = match when_stock_unavailable {
            WhenStockUnavailable::Refuse => "refuse",
            WhenStockUnavailable::Fallback => "fallback",
        };
        let short = match when_chances_short {
            WhenChancesShort::Refuse => "refuse",
            WhenChancesShort::Partial => "partial",
        };
        for (rank, name, text) in [
            (0, "name", quoted(name)),
            (1, "description", quoted(description)),
            (2, "state", state.word().to_owned()),
            (3, "begins", local(begins_at)),
            (4, "ends", local(ends_at)),
            (5, "time zone", time_zone_name.to_ascii_lowercase()),
            (6, "when_stock_unavailable", stock.to_owned()),
            (7, "when_chances_short", short.to_owned()),
        ] {
            self.add(ChangeSection::Activity, rank, name, text);
        }
        let count = counted(testers.len() as u64, "user");
        let name = "testers".to_owned();
        self.add_with_hidden(ChangeSection::Activity, 10, name, count, digest(testers));
        if let Some(of) = trial_of {
            self.add(ChangeSection::Activity, 11, "trial of", of.to_string());
        }
    }

    fn chances(&mut self, chances: Chances) {
        let Chances {
            welcome,
            day_limit,
            month_limit,
        } = chances;
        for (rank, name, number) in [
            (0, "to begin with", welcome),
            (1, "at most on a day", day_limit),
            (2, "at most in a month", month_limit),
        ] {
            self.add(ChangeSection::Chances, rank, name, number.to_string());
        }
    }

    fn sku(&mut self, sku: &Sku) {
        let Sku {
            id,
            stock,
            price_minor,
            chances,
        } = sku;
        let text = format!(
            "{} for {} points, {stock} in stock",
            counted((*chances).into(), "chance"),
            fixed((*price_minor).into(), 2)
        );
        self.add(ChangeSection::Skus, id.get(), format!("sku {id}"), text);
    }

    fn reward(&mut self, reward: &Reward) {
        let Reward {
            behaviour,
            gives,
            streak,
        } = reward;
        let (kind, text) = match gives {
            Gives::Chances(sku) => ("chances", format!("those of sku {sku}")),
            Gives::Points(points) => ("points", points.to_string()),
        };
        let streak = streak.map_or(0, std::num::NonZeroU32::get);
        let name = format!("{kind} for {}{}", behaviour.as_str(), on_days(streak));
        self.add(ChangeSection::Rewards, streak.into(), name, text);
    }

    fn strategy(&mut self, strategy: &Strategy) {
        let Strategy {
            id,
            description,
            awards,
            pool,
            chain,
            // Awards name their trees.
            trees: _,
            // Awards say theirs.
            user_limits: _,
            // Follows from the keys and configs.
            pays_points: _,
        } = strategy;
        self.add(ChangeSection::Activity, 8, "strategy", id.to_string());
        let about = quoted(description);
        self.add(ChangeSection::Activity, 9, "strategy's description", about);
        for (outcome, award) in awards.iter().enumerate() {
            self.award(strategy, award, pool.odds(outcome));
        }
        self.chain(strategy, chain);
        for (rank, name, text) in [
            (0, "a draw on average", cost_of_a_draw(strategy)),
            (
                1,
                "all units of the limited prizes",
                cost_of_all_units(strategy).to_string(),
            ),
        ] {
            self.add(ChangeSection::Cost, rank, name, text);
        }
    }

    fn award(&mut self, strategy: &Strategy, award: &Award, odds: (u64, u64)) {
        let Award {
            id,
            title,
            subtitle,
            sort,
            rate,
            count,
            per_user,
            tree,
            key,
            config,
            // Follow from the key and the config.
            points: _,
            cost_minor,
        } = award;
        let (rank, called) = (id.get(), format!("award {id}"));
        let chance = format!("{rate} ({}/{}, {})", odds.0, odds.1, percent(odds));
        self.add(ChangeSection::Odds, rank, &*called, chance);
        let units = count.map_or("no limit".to_owned(), |count| counted(count, "unit"));
        self.add(ChangeSection::Stock, rank, &*called, units);
        if let Some(most) = per_user {
            let name = format!("{called}, at most for one user");
            self.add(ChangeSection::Rules, rank, name, most.to_string());
        }
        if let Some(tree) = tree {
            let tree = TreeText::of(strategy, &strategy.trees[*tree]);
            self.add(ChangeSection::Rules, rank, format!("{called}, tree"), tree);
        }
        for (name, text) in [
            ("title", quoted(title)),
            ("subtitle", quoted(subtitle)),
            ("place", place_text(*sort)),
            ("key", quoted(key)),
            ("config", quoted(config)),
        ] {
            self.add(
                ChangeSection::Prizes,
                rank,
                format!("{called}, {name}"),
                text,
            );
        }
        let cost = format!("{called}, one unit");
        self.add(
            ChangeSection::Cost,
            rank.saturating_add(2),
            cost,
            cost_minor.to_string(),
        );
    }

    fn chain(&mut self, strategy: &Strategy, chain: &[ChainRule]) {
        let mut names = Vec::new();
        for rule in chain {
            match rule {
                ChainRule::Blacklist { award, users } => {
                    names.push("rule_blacklist".to_owned());
                    let (id, count) = (strategy.award(*award).id, users.len() as u64);
                    let text = format!("award {id} for {}", counted(count, "user"));
                    let name = "rule_blacklist".to_owned();
                    self.add_with_hidden(ChangeSection::Rules, 0, name, text, digest(users));
                }
                ChainRule::Weight(groups) => {
                    names.push("rule_weight".to_owned());
                    for group in groups {
                        self.weight_group(strategy, group);
                    }
                }
            }
        }
        let order = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        self.add(ChangeSection::Rules, 0, "before the draw", order);
    }

    fn weight_group(&mut self, strategy: &Strategy, group: &WeightGroup) {
        let WeightGroup {
            ordinal,
            awards,
            pool,
        } = group;
        let mut members: Vec<_> = awards.iter().enumerate().collect();
        members.sort_by_key(|(_, index)| strategy.award(**index).id);
        let member = |(outcome, index): (usize, &AwardIndex)| {
            let (weight, total) = pool.odds(outcome);
            format!("award {} {weight}/{total}", strategy.award(*index).id)
        };
        let members: Vec<_> = members.into_iter().map(member).collect();
        let name = format!("draw {ordinal} of a user");
        self.add(
            ChangeSection::Rules,
            (*ordinal).into(),
            name,
            listed(&members),
        );
    }
}

/// Names the days of a streak; nothing without one.
fn on_days(streak: u32) -> String {
    match streak {
        0 => String::new(),
        days => format!(" after each {days} days in a row"),
    }
}

fn place_text(sort: u32) -> String {
    match sort {
        0 => "not on the wheel".to_owned(),
        sort => sort.to_string(),
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Equal for equal lists of users.
fn digest(users: &HashSet<UserId>) -> u64 {
    let mut users: Vec<&str> = users.iter().map(UserId::as_str).collect();
    users.sort_unstable();
    let mut hasher = DefaultHasher::new();
    users.hash(&mut hasher);
    hasher.finish()
}

/// Writes a tree as a sentence. A node that two walks reach is written once and numbered.
struct TreeText<'c> {
    strategy: &'c Strategy,
    tree: &'c Tree,
    seen: Vec<NodeIndex>,
}

impl<'c> TreeText<'c> {
    fn of(strategy: &'c Strategy, tree: &'c Tree) -> String {
        let mut text = Self {
            strategy,
            tree,
            seen: Vec::new(),
        };
        text.node(tree.root())
    }

    fn node(&mut self, at: NodeIndex) -> String {
        let node = self.tree.node(at);
        if let Node::Luck { award, config, .. } = node {
            let id = self.strategy.award(*award).id;
            return if config.is_empty() {
                format!("award {id}")
            } else {
                format!("award {id} with {config:?}")
            };
        }
        if let Some(step) = self.seen.iter().position(|seen| *seen == at) {
            return format!("as in step {}", step + 1);
        }
        self.seen.push(at);
        match node {
            Node::Lock {
                draws,
                allow,
                take_over,
            } => {
                let (open, locked) = (self.node(*allow), self.node(*take_over));
                let draws = counted((*draws).into(), "draw");
                format!("after {draws} on a day ({open}), before ({locked})")
            }
            Node::Stock { allow } => format!("a unit, else {}", self.node(*allow)),
            Node::Luck { .. } => unreachable!("written above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = include_str!("file/tests/small.toml");

    fn parse(text: &str) -> Campaign {
        Campaign::parse(text).expect("a valid campaign")
    }

    fn lines(before: &str, after: &str) -> Vec<String> {
        changes(&parse(before), &parse(after))
            .iter()
            .map(Change::to_string)
            .collect()
    }

    #[test]
    fn comments_and_spelling_are_no_change() {
        let other = format!("# a comment\n{SMALL}").replacen("Asia/Shanghai", "asia/SHANGHAI", 1);
        assert_eq!(lines(SMALL, &other), [""; 0]);
    }

    #[test]
    fn each_change_is_shown_with_before_and_after() {
        let after = SMALL.replacen("\"open\"", "\"draft\"", 1);
        let expected = ["activity: state: open -> draft"];
        assert_eq!(lines(SMALL, &after), expected);
        let odds = SMALL.replacen("rate = 0.7", "rate = 0.6", 1);
        let shown = lines(SMALL, &odds);
        for part in [
            "odds: award 101: 0.7 (",
            "-> 0.6 (",
            "cost: a draw on average: ",
        ] {
            assert!(
                shown.iter().any(|line| line.contains(part)),
                "{part}: {shown:?}"
            );
        }
    }

    #[test]
    fn limits_for_one_user_are_compared() {
        let with = |most: u32| {
            let limit = format!("count = 20\nper_user = {most}");
            SMALL.replacen("count = 20", &limit, 1)
        };
        let name = "rules: award 103, at most for one user";
        assert_eq!(lines(&with(1), &with(2)), [format!("{name}: 1 -> 2")]);
        assert_eq!(lines(SMALL, &with(1)), [format!("{name}: new: 1")]);
    }

    #[test]
    fn rewards_are_compared() {
        let reward = |rest: &str| {
            let reward = format!("[[reward]]\nbehavior = \"sign\"\n{rest}\n[[stage]]");
            SMALL.replacen("[[stage]]", &reward, 1)
        };
        let points = |amount: u32| reward(&format!("kind = \"points\"\npoints = {amount}"));
        let expected = ["rewards: points for sign: 10.00 -> 20.00"];
        assert_eq!(lines(&points(10), &points(20)), expected);
        let row = "kind = \"chances\"\nsku = 70\nstreak = 7";
        let with_row =
            format!("kind = \"points\"\npoints = 10\n[[reward]]\nbehavior = \"sign\"\n{row}");
        let expected =
            ["rewards: chances for sign after each 7 days in a row: new: those of sku 70"];
        assert_eq!(lines(&points(10), &reward(&with_row)), expected);
    }

    /// Each line of the file with a number or a text that may change, changed: a difference is found.
    #[test]
    fn a_change_of_any_line_is_found() {
        let mut tried = 0;
        for (index, line) in SMALL.lines().enumerate() {
            let Some((_, value)) = line.split_once(" = ") else {
                continue;
            };
            let changed = match value.split(" #").next().unwrap_or_default().trim() {
                text if text.starts_with('"') => line.replacen(" = \"", " = \"x", 1),
                number if number.parse::<u64>().is_ok() => {
                    line.replacen(number, &format!("1{number}"), 1)
                }
                _ => continue,
            };
            let text: Vec<_> = SMALL
                .lines()
                .enumerate()
                .map(|(at, old)| if at == index { changed.as_str() } else { old })
                .collect();
            // What the checks of files refuse is not published either.
            if let Ok(after) = Campaign::parse(&text.join("\n")) {
                let same_id = after.activity.id == parse(SMALL).activity.id;
                if same_id {
                    tried += 1;
                    assert!(!changes(&parse(SMALL), &after).is_empty(), "{changed}");
                }
            }
        }
        assert!(tried > 15, "{tried}");
    }

    #[test]
    fn users_of_a_long_list_are_compared_and_not_shown() {
        let with = |user: &str| {
            testkit::campaign::CampaignFile::one_award(1)
                .blacklist(101, &[user])
                .text()
        };
        assert_eq!(
            lines(&with("u1"), &with("u2")),
            ["rules: rule_blacklist: award 101 for 1 user -> award 101 for 1 user, but others"]
        );
    }
}
