//! The report of an activity: what was drawn, what it cost, when and under which version.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::batch::StockItem;
use market::campaign::{Campaign, Published};
use market::draw::Rule;
use market::{ActivityId, AwardId, Order};
use serde::Serialize;
use shards::results::{Results, ResultsError};

use super::export::ExportProgress;
use crate::text::{printable, rfc_3339};

const HOUR_S: i64 = 3_600;

/// Draws, and what their prizes cost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    draws: u64,
    cost_minor: u64,
}

impl Sum {
    fn add(&mut self, cost_minor: u64) {
        self.draws += 1;
        self.cost_minor = self.cost_minor.saturating_add(cost_minor);
    }
}

/// What was given of a prize.
#[derive(Debug, Default)]
struct Given {
    title: String,
    sum: Sum,
    /// Those that took a unit.
    stocked: u64,
}

/// Adds up draws of one activity. It grows with hours, prizes and versions, not with draws.
#[derive(Debug)]
pub struct Tally {
    zone: TimeZone,
    users: u64,
    all: Sum,
    awards: BTreeMap<AwardId, Given>,
    rules: HashMap<Rule, u64>,
    /// By the beginning of the hour.
    hours: BTreeMap<Timestamp, Sum>,
    versions: BTreeMap<u32, Sum>,
}

impl Tally {
    /// Of an activity whose hours are those of this zone.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            users: 0,
            all: Sum::default(),
            awards: BTreeMap::new(),
            rules: HashMap::new(),
            hours: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    /// Adds all results.
    pub async fn add_all(
        &mut self,
        mut results: Results<'_>,
        progress: &ExportProgress,
    ) -> Result<(), ResultsError> {
        while let Some(page) = results.next().await? {
            progress.add(page.calls, page.orders.len());
            self.users += page.users as u64;
            for order in &page.orders {
                self.add(order, results.campaign(order.version));
            }
        }
        Ok(())
    }

    /// Adds a draw that was made under this version of its campaign.
    fn add(&mut self, order: &Order, campaign: Option<&Campaign>) {
        let award = campaign.and_then(|campaign| order.award_in(&campaign.strategy));
        let cost = award.map_or(0, |award| award.cost_minor);
        self.all.add(cost);
        let given = self.awards.entry(order.award).or_default();
        given.sum.add(cost);
        given.stocked += u64::from(order.stocked);
        if given.title.is_empty() {
            order.award_title.as_ref().clone_into(&mut given.title);
        }
        *self.rules.entry(order.rule).or_default() += 1;
        let hour = hour_of(order.created_at, &self.zone);
        self.hours.entry(hour).or_default().add(cost);
        self.versions.entry(order.version).or_default().add(cost);
    }

    /// The report, with the prizes of the current version first and their stock's totals. `last_left`
    /// is what was left when a server last said so.
    pub fn report(
        &self,
        published: &Published,
        totals: &BTreeMap<StockItem, u64>,
        last_left: &BTreeMap<StockItem, u64>,
    ) -> Report {
        let Campaign {
            activity, strategy, ..
        } = &published.campaign;
        let current = strategy.awards.iter().map(|award| award.id);
        let earlier = self.awards.keys().copied();
        let earlier = earlier.filter(|id| strategy.awards.iter().all(|award| award.id != *id));
        let award = |id: AwardId| {
            let given = self.awards.get(&id);
            let now = strategy.awards.iter().find(|award| award.id == id);
            let title = now.map(|award| award.title.to_string());
            let total = totals.get(&StockItem::award(activity.id, id));
            let stocked = given.map_or(0, |given| given.stocked);
            AwardLine {
                award: id.get(),
                title: title
                    .or_else(|| given.map(|given| given.title.clone()))
                    .unwrap_or_default(),
                given: given.map_or(0, |given| given.sum.draws),
                cost_minor: given.map_or(0, |given| given.sum.cost_minor),
                total: total.copied(),
                left: total.map(|total| total.saturating_sub(stocked)),
            }
        };
        let rule = |rule| self.rules.get(&rule).copied().unwrap_or_default();
        Report {
            activity: activity.id.get(),
            name: activity.name.clone(),
            time_zone: activity.time_zone_name.clone(),
            draws: self.all.draws,
            users: self.users,
            cost_minor: self.all.cost_minor,
            awards: current.chain(earlier).map(award).collect(),
            skus: sku_lines(activity.id, totals, last_left),
            rules: RuleCounts {
                pool: rule(Rule::Default),
                weight: rule(Rule::Weight),
                blacklist: rule(Rule::Blacklist),
                luck: rule(Rule::Luck),
            },
            hours: self
                .hours
                .iter()
                .map(|(at, sum)| HourLine {
                    hour: rfc_3339(*at, &self.zone),
                    draws: sum.draws,
                    cost_minor: sum.cost_minor,
                })
                .collect(),
            versions: self
                .versions
                .iter()
                .map(|(version, sum)| VersionLine {
                    version: *version,
                    draws: sum.draws,
                    cost_minor: sum.cost_minor,
                })
                .collect(),
        }
    }
}

/// The skus of an activity, also those that its current version has no more.
fn sku_lines(
    activity: ActivityId,
    totals: &BTreeMap<StockItem, u64>,
    last_left: &BTreeMap<StockItem, u64>,
) -> Vec<SkuLine> {
    let of_activity = totals.iter().filter(|(item, _)| item.activity == activity);
    let line = |(item, &total): (&StockItem, &u64)| {
        Some(SkuLine {
            sku: item.good.sku()?.get(),
            total,
            left: last_left.get(item).copied(),
        })
    };
    of_activity.filter_map(line).collect()
}

/// The beginning of the local hour of a moment.
fn hour_of(at: Timestamp, zone: &TimeZone) -> Timestamp {
    let offset_s = i64::from(zone.to_offset(at).seconds());
    let local_s = at.as_second() + offset_s;
    let hour_s = local_s - local_s.rem_euclid(HOUR_S) - offset_s;
    Timestamp::from_second(hour_s).unwrap_or(at)
}

/// What was drawn in an activity. Costs are in hundredths of the currency.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    activity: u64,
    name: String,
    time_zone: String,
    draws: u64,
    users: u64,
    cost_minor: u64,
    awards: Vec<AwardLine>,
    skus: Vec<SkuLine>,
    rules: RuleCounts,
    hours: Vec<HourLine>,
    versions: Vec<VersionLine>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AwardLine {
    award: u64,
    title: String,
    given: u64,
    cost_minor: u64,
    /// Null for a prize without limit.
    total: Option<u64>,
    left: Option<u64>,
}

/// A sku. It has no title.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SkuLine {
    sku: u64,
    total: u64,
    /// Null where no server has said it yet.
    left: Option<u64>,
}

/// Draws by the rule that decided. The last one is the consolation of those whose prize was locked,
/// gone or not to be had.
#[derive(Debug, Serialize)]
struct RuleCounts {
    #[serde(rename = "rule_default")]
    pool: u64,
    #[serde(rename = "rule_weight")]
    weight: u64,
    #[serde(rename = "rule_blacklist")]
    blacklist: u64,
    #[serde(rename = "rule_luck_award")]
    luck: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HourLine {
    hour: String,
    draws: u64,
    cost_minor: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionLine {
    version: u32,
    draws: u64,
    cost_minor: u64,
}

impl Report {
    /// The report for people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "activity {} {}\ndraws {}, users {}, cost {}\n\n",
            self.activity,
            printable(&self.name),
            self.draws,
            self.users,
            money(self.cost_minor)
        );
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        let _ = writeln!(
            text,
            "{:>10} {:>12} {:>12} {:>12} {:>14}  title",
            "award", "given", "total", "left", "cost"
        );
        for line in &self.awards {
            let _ = writeln!(
                text,
                "{:>10} {:>12} {:>12} {:>12} {:>14}  {}",
                line.award,
                line.given,
                number(line.total),
                number(line.left),
                money(line.cost_minor),
                printable(&line.title)
            );
        }
        if !self.skus.is_empty() {
            let _ = writeln!(text, "\n{:>10} {:>25} {:>12}", "sku", "total", "left");
        }
        for line in &self.skus {
            let left = number(line.left);
            let _ = writeln!(text, "{:>10} {:>25} {left:>12}", line.sku, line.total);
        }
        let _ = writeln!(text, "\n{:<32} {:>12}", "decided by", "draws");
        let rules = &self.rules;
        for (name, draws) in [
            (Rule::Default, rules.pool),
            (Rule::Weight, rules.weight),
            (Rule::Blacklist, rules.blacklist),
            (Rule::Luck, rules.luck),
        ] {
            let _ = writeln!(text, "{:<32} {draws:>12}", name.name());
        }
        let of_hours = self.hours.iter();
        let of_hours = of_hours.map(|line| (line.hour.clone(), line.draws, line.cost_minor));
        add_sums(&mut text, "hour", of_hours);
        let of_versions = self.versions.iter();
        let of_versions =
            of_versions.map(|line| (line.version.to_string(), line.draws, line.cost_minor));
        add_sums(&mut text, "version", of_versions);
        text
    }
}

fn add_sums(text: &mut String, name: &str, lines: impl Iterator<Item = (String, u64, u64)>) {
    let _ = writeln!(text, "\n{name:<32} {:>12} {:>14}", "draws", "cost");
    for (key, draws, cost) in lines {
        let _ = writeln!(text, "{key:<32} {draws:>12} {:>14}", money(cost));
    }
}

/// Hundredths of the currency with their point.
fn money(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_the_zone() {
        let at: Timestamp = "2026-11-30T13:59:59.999Z".parse().expect("a time");
        for (zone, expected) in [
            ("UTC", "2026-11-30T13:00:00+00:00"),
            ("Asia/Kolkata", "2026-11-30T19:00:00+05:30"),
            ("America/St_Johns", "2026-11-30T10:00:00-03:30"),
        ] {
            let zone = TimeZone::get(zone).expect("a zone");
            assert_eq!(rfc_3339(hour_of(at, &zone), &zone), expected);
        }
    }

    #[test]
    fn money_has_two_places() {
        assert_eq!([0, 7, 123_456].map(money), ["0.00", "0.07", "1234.56"]);
    }
}
