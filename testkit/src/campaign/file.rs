//! A campaign file, built section by section.
use std::fmt::{self, Display, Formatter};

/// More than any test draws.
const MANY: u32 = 1_000_000;

/// A campaign that is open from 2020 to 2040 in UTC, with many chances. The strategy has the
/// activity's id. Awards are sorted as they are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignFile {
    activity: u64,
    name: String,
    begins_at: String,
    ends_at: String,
    time_zone: String,
    settings: Vec<(String, String)>,
    chances: [u32; 3],
    sections: Vec<String>,
    strategy: u64,
    rules: Vec<&'static str>,
    rule_sections: Vec<String>,
    awards: Vec<Award>,
    trees: Vec<Tree>,
}

/// A prize of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Award {
    id: u64,
    title: String,
    rate: String,
    settings: Vec<(String, String)>,
}

/// A decision tree of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    id: String,
    nodes: Vec<String>,
}

impl CampaignFile {
    /// The id of the award that the small campaigns fall back to.
    pub const LUCK: u64 = 101;

    /// A campaign without awards.
    pub fn new(activity: u64) -> Self {
        Self {
            activity,
            name: "test".to_owned(),
            begins_at: "2020-01-01T00:00:00+00:00".to_owned(),
            ends_at: "2040-01-01T00:00:00+00:00".to_owned(),
            time_zone: "UTC".to_owned(),
            settings: Vec::new(),
            chances: [MANY; 3],
            sections: Vec::new(),
            strategy: activity,
            rules: Vec::new(),
            rule_sections: Vec::new(),
            awards: Vec::new(),
            trees: Vec::new(),
        }
    }

    /// The smallest campaign that runs out: award 1 with `units` units, then award 101.
    pub fn one_prize(activity: u64, units: u64) -> Self {
        Self::new(activity)
            .award(Award::new(1, "prize", "1").count(units, "tree"))
            .award(Award::luck())
            .tree(Tree::stock("tree", Self::LUCK, Some("1,100")))
    }

    /// The smallest campaign that does not run out: award 101, which takes no stock.
    pub fn one_award(activity: u64) -> Self {
        Self::new(activity).award(Award::new(Self::LUCK, "luck", "1"))
    }

    /// With another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Open between two times, written with their offset.
    #[must_use]
    pub fn between(mut self, begins_at: &str, ends_at: &str) -> Self {
        begins_at.clone_into(&mut self.begins_at);
        ends_at.clone_into(&mut self.ends_at);
        self
    }

    /// With days of another time zone.
    #[must_use]
    pub fn time_zone(mut self, name: &str) -> Self {
        name.clone_into(&mut self.time_zone);
        self
    }

    /// With a further key of the section `activity`, its value as TOML.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Gives the fallback while the stock is unavailable.
    #[must_use]
    pub fn falling_back(self) -> Self {
        self.setting("when_stock_unavailable", "\"fallback\"")
    }

    /// Makes as many draws of a call as there are chances.
    #[must_use]
    pub fn partial(self) -> Self {
        self.setting("when_chances_short", "\"partial\"")
    }

    /// With these chances: to begin with, on a day, and in a month.
    #[must_use]
    pub fn chances(mut self, welcome: u32, day_limit: u32, month_limit: u32) -> Self {
        self.chances = [welcome, day_limit, month_limit];
        self
    }

    /// With a further section, such as a stage or a sku, as TOML.
    #[must_use]
    pub fn section(mut self, toml: &str) -> Self {
        self.sections.push(toml.trim().to_owned());
        self
    }

    /// With another id of the strategy.
    #[must_use]
    pub fn strategy(mut self, id: u64) -> Self {
        self.strategy = id;
        self
    }

    /// Gives these users one award, whatever they draw.
    #[must_use]
    pub fn blacklist(mut self, award: u64, users: &[&str]) -> Self {
        self.rules.push("rule_blacklist");
        self.rule_sections.push(format!(
            "[strategy.rule_blacklist]\naward = {award}\nusers = {users:?}"
        ));
        self
    }

    /// Takes a user's draw of this number from these awards only.
    #[must_use]
    pub fn weight(mut self, draw: u32, awards: &[u64]) -> Self {
        if !self.rules.contains(&"rule_weight") {
            self.rules.push("rule_weight");
        }
        self.rule_sections.push(format!(
            "[[strategy.rule_weight]]\ndraw = {draw}\nawards = {awards:?}"
        ));
        self
    }

    /// With one more award.
    #[must_use]
    pub fn award(mut self, award: Award) -> Self {
        self.awards.push(award);
        self
    }

    /// With one more tree.
    #[must_use]
    pub fn tree(mut self, tree: Tree) -> Self {
        self.trees.push(tree);
        self
    }

    /// The file.
    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl Award {
    /// An award without limit; `rate` as it is written in the file.
    pub fn new(id: u64, title: &str, rate: &str) -> Self {
        Self {
            id,
            title: title.to_owned(),
            rate: rate.to_owned(),
            settings: Vec::new(),
        }
    }

    /// The award that is never drawn, only fallen back to: [`CampaignFile::LUCK`].
    pub fn luck() -> Self {
        Self::new(CampaignFile::LUCK, "luck", "0")
    }

    /// With a number of units, and the tree that decides about them.
    #[must_use]
    pub fn count(self, units: u64, tree: &str) -> Self {
        self.setting("count", &units.to_string())
            .setting("tree", &format!("{tree:?}"))
    }

    /// With a further key, its value as TOML.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }
}

impl Tree {
    /// Takes a unit, or gives `luck` with this `config` when there is none.
    pub fn stock(id: &str, luck: u64, config: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            nodes: vec![
                r#"{ key = "rule_stock", allow = "rule_luck_award" }"#.to_owned(),
                luck_node(luck, config),
            ],
        }
    }

    /// The same behind a lock that opens after `draws` draws of a day.
    pub fn locked(id: &str, draws: u32, luck: u64, config: Option<&str>) -> Self {
        let lock = format!(
            r#"{{ key = "rule_lock", draws = {draws}, allow = "rule_stock", take_over = "rule_luck_award" }}"#
        );
        let mut tree = Self::stock(id, luck, config);
        tree.nodes.insert(0, lock);
        tree
    }

    fn root(&self) -> &'static str {
        if self.nodes.len() == 2 {
            "rule_stock"
        } else {
            "rule_lock"
        }
    }
}

fn luck_node(award: u64, config: Option<&str>) -> String {
    let config = config.map_or_else(String::new, |config| format!(", config = {config:?}"));
    format!(r#"{{ key = "rule_luck_award", award = {award}{config} }}"#)
}

impl Display for CampaignFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [welcome, day_limit, month_limit] = self.chances;
        writeln!(f, "format = 1\n[activity]\nid = {}", self.activity)?;
        writeln!(f, "name = {:?}", self.name)?;
        writeln!(f, "begins_at = {}", self.begins_at)?;
        writeln!(f, "ends_at = {}", self.ends_at)?;
        writeln!(f, "state = \"open\"")?;
        write_settings(f, &self.settings)?;
        writeln!(f, "time_zone = {:?}", self.time_zone)?;
        writeln!(f, "[chances]\nwelcome = {welcome}")?;
        writeln!(f, "day_limit = {day_limit}\nmonth_limit = {month_limit}")?;
        for section in &self.sections {
            writeln!(f, "{section}")?;
        }
        writeln!(f, "[strategy]\nid = {}", self.strategy)?;
        if !self.rules.is_empty() {
            writeln!(f, "rule_models = {:?}", self.rules)?;
        }
        for section in &self.rule_sections {
            writeln!(f, "{section}")?;
        }
        for (index, award) in self.awards.iter().enumerate() {
            writeln!(f, "[[award]]\nid = {}", award.id)?;
            writeln!(f, "title = {:?}\nsort = {}", award.title, index + 1)?;
            writeln!(f, "rate = {}", award.rate)?;
            write_settings(f, &award.settings)?;
        }
        for tree in &self.trees {
            writeln!(f, "[[tree]]\nid = {:?}\nroot = {:?}", tree.id, tree.root())?;
            writeln!(f, "nodes = [")?;
            for node in &tree.nodes {
                writeln!(f, "    {node},")?;
            }
            writeln!(f, "]")?;
        }
        Ok(())
    }
}

fn write_settings(f: &mut Formatter<'_>, settings: &[(String, String)]) -> fmt::Result {
    settings
        .iter()
        .try_for_each(|(key, value)| writeln!(f, "{key} = {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_campaign_is_written_as_operators_write_it() {
        let text = CampaignFile::one_prize(7, 3)
            .chances(5, 4, 6)
            .falling_back()
            .text();
        assert_eq!(
            text,
            r#"format = 1
[activity]
id = 7
name = "test"
begins_at = 2020-01-01T00:00:00+00:00
ends_at = 2040-01-01T00:00:00+00:00
state = "open"
when_stock_unavailable = "fallback"
time_zone = "UTC"
[chances]
welcome = 5
day_limit = 4
month_limit = 6
[strategy]
id = 7
[[award]]
id = 1
title = "prize"
sort = 1
rate = 1
count = 3
tree = "tree"
[[award]]
id = 101
title = "luck"
sort = 2
rate = 0
[[tree]]
id = "tree"
root = "rule_stock"
nodes = [
    { key = "rule_stock", allow = "rule_luck_award" },
    { key = "rule_luck_award", award = 101, config = "1,100" },
]
"#
        );
    }
}
