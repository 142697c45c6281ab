//! Describes a campaign, as `drawbridge campaign check` prints it.
//!
//! All figures are computed with integers, like the odds themselves. Only the percentages and the
//! average cost are rounded; the exact fractions are printed beside them.
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    ActivityState, Award, Campaign, ChainRule, Gives, Reward, Strategy, UserLimit, WeightGroup,
};
use crate::ids::{AwardId, AwardIndex};
use crate::odds::{Likelihood, Pool, Rate};
use crate::tree::{Locks, Tree};

/// Lines that belong together.
type Part = Vec<String>;

/// Describes a campaign: its odds, locks, fallbacks and cost.
pub fn report(campaign: &Campaign) -> String {
    let strategy = &campaign.strategy;
    let mut parts = vec![head(campaign), whole_pool(strategy), rules(strategy)];
    parts.extend(
        strategy
            .weight_groups()
            .iter()
            .map(|group| weight_pool(strategy, group)),
    );
    parts.extend([
        locks(strategy),
        user_limits(strategy),
        fallbacks(strategy),
        cost(strategy),
    ]);
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts
        .map(|part| part.join("\n") + "\n")
        .collect::<Vec<_>>()
        .join("\n")
}

fn titled(title: String, lines: impl IntoIterator<Item = String>) -> Part {
    let lines = lines.into_iter().map(|line| format!("  {line}"));
    std::iter::once(title).chain(lines).collect()
}

fn head(campaign: &Campaign) -> Part {
    let Campaign {
        activity,
        chances,
        stages,
        skus,
        rewards,
        ..
    } = campaign;
    let local = |moment: Timestamp| {
        moment
            .to_zoned(activity.time_zone.clone())
            .strftime("%F %T %:z")
            .to_string()
    };
    let stages: Part = stages
        .iter()
        .map(|stage| format!("channel {}, source {}", stage.channel, stage.source))
        .collect();
    let (most_a_day, most_a_month) = (
        counted(chances.day_limit.into(), "draw"),
        chances.month_limit,
    );
    let mut entries = vec![
        ("about", activity.description.clone()),
        ("state", state_name(activity.state).to_owned()),
        ("begins", local(activity.begins_at)),
        ("ends", local(activity.ends_at)),
        ("time zone", activity.time_zone_name.clone()),
        ("shown at", stages.join("; ")),
        (
            "chances",
            format!(
                "{} to begin with; at most {most_a_day} a day, {most_a_month} a month",
                chances.welcome
            ),
        ),
    ];
    entries.extend(skus.iter().map(|sku| {
        let (chances, price) = (
            counted(sku.chances.into(), "chance"),
            fixed(sku.price_minor.into(), 2),
        );
        (
            "on sale",
            format!(
                "sku {}: {chances} for {price} points, {} in stock",
                sku.id, sku.stock
            ),
        )
    }));
    let given = |reward: &Reward| reward_text(campaign, reward);
    entries.extend(rewards.iter().map(|reward| ("rewards", given(reward))));
    let entries = entries.into_iter().filter(|(_, value)| !value.is_empty());
    let lines = entries.map(|(label, value)| format!("{label:<9}  {value}"));
    titled(
        format!("Activity {}: {}", activity.id, activity.name),
        lines,
    )
}

/// What a reward of the campaign is for and what it gives, in a few words.
pub fn reward_text(campaign: &Campaign, reward: &Reward) -> String {
    let gives = match reward.gives {
        Gives::Points(points) => format!("{points} points"),
        Gives::Chances(id) => {
            let chances = campaign.sku(id).map_or(0, |sku| sku.chances);
            format!("{} by sku {id}", counted(chances.into(), "chance"))
        }
    };
    let streak = reward.streak.map_or(String::new(), |days| {
        format!(" more after each {days} days in a row")
    });
    format!("{}: {gives}{streak}", reward.behaviour.as_str())
}

fn state_name(state: ActivityState) -> &'static str {
    match state {
        ActivityState::Draft => "draft (no draws yet)",
        ActivityState::Open => "open",
        ActivityState::Closed => "close (no draws)",
    }
}

fn whole_pool(strategy: &Strategy) -> Part {
    let everything: Vec<_> = (0..strategy.awards.len()).map(AwardIndex).collect();
    let mut part = titled(
        format!("Odds of a draw (strategy {})", strategy.id),
        odds(strategy, &everything, &strategy.pool),
    );
    let one = u128::from(Rate::ONE.millionths());
    part.push(match sum_of_rates(strategy) {
        None => "The odds are the weights in proportion to each other.".into(),
        Some(sum) if sum == one => "The rates sum to 1: the odds are the rates.".into(),
        Some(sum) => {
            let (sum, missing) = (decimal(sum, 6), decimal(one.saturating_sub(sum), 6));
            format!("The rates sum to {sum}. The missing {missing} is spread over the prizes in proportion to their rates.")
        }
    });
    part
}

/// The sum of the rates of the wheel, in millionths; `None` where awards have weights.
pub(super) fn sum_of_rates(strategy: &Strategy) -> Option<u128> {
    let on_wheel = strategy.awards.iter().filter(|award| award.is_on_wheel());
    let rates = on_wheel.map(|award| match award.rate {
        Likelihood::Rate(rate) => Some(u128::from(rate.millionths())),
        Likelihood::Weight(_) => None,
    });
    rates.sum()
}

fn weight_pool(strategy: &Strategy, group: &WeightGroup) -> Part {
    let title = format!(
        "Odds of a user's draw number {} (locks do not apply)",
        group.ordinal
    );
    titled(title, odds(strategy, &group.awards, &group.pool))
}

fn odds(strategy: &Strategy, awards: &[AwardIndex], pool: &Pool) -> Vec<String> {
    let heads = [
        "award",
        "count",
        "cost",
        "rate",
        "exact odds",
        "percent",
        "title",
    ]
    .map(str::to_owned);
    let row = |(outcome, &index): (usize, &AwardIndex)| {
        let award = strategy.award(index);
        let (weight, total) = pool.odds(outcome);
        [
            award.id.to_string(),
            award
                .count
                .map_or("no limit".into(), |count| count.to_string()),
            award.cost_minor.to_string(),
            award.rate.to_string(),
            format!("{weight}/{total}"),
            percent((weight, total)),
            award.title.to_string(),
        ]
    };
    let rows = awards.iter().enumerate().map(row);
    table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>())
}

/// Aligns the columns to the right, except the last one: a title may have characters of any width.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS - 1).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let mut cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:>width$}"))
            .collect();
        cells.push(row[COLUMNS - 1].clone());
        cells.join("  ")
    };
    rows.iter().map(line).collect()
}

fn rules(strategy: &Strategy) -> Part {
    let rule = |rule: &ChainRule| match rule {
        ChainRule::Blacklist { award, users } => {
            let users = counted(users.len() as u64, "user");
            format!(
                "rule_blacklist: award {} for each draw of {users}",
                strategy.award(*award).id
            )
        }
        ChainRule::Weight(groups) => {
            let ordinals: Vec<_> = groups
                .iter()
                .map(|group| group.ordinal.to_string())
                .collect();
            format!(
                "rule_weight: a pool of its own for a user's draw number {}",
                listed(&ordinals)
            )
        }
    };
    if strategy.chain.is_empty() {
        return Part::new();
    }
    titled(
        "Rules before the draw (the first that applies decides)".into(),
        strategy.chain.iter().map(rule),
    )
}

fn locks(strategy: &Strategy) -> Part {
    let line = |award: &Award| {
        let lock = lock(&strategy.trees[award.tree?])?;
        Some(format!("award {}: {lock}", award.id))
    };
    let lines: Vec<_> = strategy.awards.iter().filter_map(line).collect();
    if lines.is_empty() {
        vec!["No prize is locked.".into()]
    } else {
        titled("Locks".into(), lines)
    }
}

fn lock(tree: &Tree) -> Option<String> {
    match tree.unlocked_at(0) {
        Some(0) => None,
        Some(draws) => Some(format!(
            "opens after {} on a day",
            counted(draws.into(), "draw")
        )),
        None if tree.wins(Locks::Skipped) => {
            Some("opens only for rules that pass the locks".into())
        }
        None => Some("never opens".into()),
    }
}

fn user_limits(strategy: &Strategy) -> Part {
    let line = |limit: &UserLimit| {
        let (award, most) = (strategy.award(limit.award).id, limit.most);
        format!("award {award}: at most {most}, then what its tree gives when it is gone")
    };
    if strategy.user_limits().is_empty() {
        return Part::new();
    }
    titled(
        "For each user".into(),
        strategy.user_limits().iter().map(line),
    )
}

fn fallbacks(strategy: &Strategy) -> Part {
    let mut replaced: BTreeMap<_, BTreeSet<AwardId>> = BTreeMap::new();
    for award in &strategy.awards {
        let tree = award.tree.map(|tree| &strategy.trees[tree]);
        for fallback in tree.into_iter().flat_map(Tree::luck_awards) {
            replaced.entry(fallback).or_default().insert(award.id);
        }
    }
    let line = |((index, config), awards): ((AwardIndex, &str), BTreeSet<AwardId>)| {
        let awards: Vec<_> = awards.iter().map(AwardId::to_string).collect();
        let config = if config.is_empty() {
            String::new()
        } else {
            format!(" with config {config:?}")
        };
        format!(
            "award {}{config} in place of {}",
            strategy.award(index).id,
            listed(&awards)
        )
    };
    if replaced.is_empty() {
        return Part::new();
    }
    titled(
        "Given when a prize is locked or gone (takes no stock)".into(),
        replaced.into_iter().map(line),
    )
}

fn cost(strategy: &Strategy) -> Part {
    let mut lines = vec![
        format!(
            "a draw on average, with everything in stock and unlocked: {}",
            cost_of_a_draw(strategy)
        ),
        format!(
            "all units of the limited prizes: {}",
            cost_of_all_units(strategy)
        ),
    ];
    let endless = endless(strategy);
    if !endless.is_empty() {
        lines.push(format!(
            "given without limit beyond that: award {}",
            listed(&endless)
        ));
    }
    titled("Cost in minor units".into(), lines)
}

/// What a draw costs on average, rounded and exactly.
pub(super) fn cost_of_a_draw(strategy: &Strategy) -> String {
    let (sum, total) = average_cost(strategy);
    let divisor = greatest_common_divisor(sum, total);
    let average = decimal(rounded(sum * 10_000, total), 4);
    format!("{average} (exactly {}/{})", sum / divisor, total / divisor)
}

/// The same as a fraction.
pub(super) fn average_cost(strategy: &Strategy) -> (u128, u128) {
    let costs = strategy.awards.iter().enumerate().map(|(outcome, award)| {
        let (weight, _) = strategy.pool.odds(outcome);
        u128::from(weight) * u128::from(award.cost_minor)
    });
    (costs.sum(), u128::from(strategy.pool.odds(0).1))
}

/// What all units of the limited prizes cost, as many as the file counts.
pub(super) fn cost_of_all_units(strategy: &Strategy) -> u128 {
    let limited = strategy
        .awards
        .iter()
        .filter_map(|award| Some((award.count?, award.cost_minor)));
    limited
        .map(|(count, cost)| u128::from(count) * u128::from(cost))
        .sum()
}

/// The chance of an outcome of a pool in per cent, with four places.
pub(super) fn percent((weight, total): (u64, u64)) -> String {
    let millionths = rounded(u128::from(weight) * 1_000_000, total.into());
    format!("{} %", fixed(millionths, 4))
}

/// The awards that cost something and have no limit.
fn endless(strategy: &Strategy) -> Vec<String> {
    let consoles = |index: usize| {
        strategy
            .trees
            .iter()
            .flat_map(Tree::luck_awards)
            .any(|(award, _)| award == AwardIndex(index))
    };
    let awards = strategy.awards.iter().enumerate();
    let costly = awards.filter(|(index, award)| {
        award.cost_minor > 0 && (award.count.is_none() || consoles(*index))
    });
    costly.map(|(_, award)| award.id.to_string()).collect()
}

pub(super) fn counted(number: u64, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn rounded(dividend: u128, divisor: u128) -> u128 {
    (dividend + divisor / 2) / divisor
}

/// `number` as a decimal whose last `places` digits come after the point.
pub(super) fn fixed(number: u128, places: usize) -> String {
    let digits = format!("{number:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{whole}.{fraction}")
}

/// The same without zeros at the end.
pub(super) fn decimal(number: u128, places: usize) -> String {
    fixed(number, places)
        .trim_end_matches('0')
        .trim_end_matches('.')
        .into()
}

fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use testkit::campaign::{Award, CampaignFile, Tree};

    use super::*;

    /// A campaign with every section.
    fn small() -> CampaignFile {
        let with_cost = |award: Award, minor: u32| award.setting("cost_minor", &minor.to_string());
        let stage = "[[stage]]\nchannel = \"c01\"\nsource = \"s01\"";
        let sku = "[[sku]]\nid = 70\nstock = 1000\nprice_minor = 1050\nchances = 1";
        CampaignFile::new(7)
            .named("Spring")
            .setting("description", "\"A small wheel\"")
            .between("2026-03-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00")
            .time_zone("Asia/Shanghai")
            .chances(3, 5, 50)
            .section(stage)
            .section(sku)
            .section("[[reward]]\nbehavior = \"sign\"\nkind = \"chances\"\nsku = 70")
            .section("[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = 5\nstreak = 7")
            .strategy(17)
            .blacklist(1, &["mallory"])
            .weight(10, &[2, 3])
            .award(with_cost(Award::new(1, "积分", "0.7"), 10))
            .award(with_cost(
                Award::new(2, "Lamp", "0.15").count(1000, "plain"),
                12_000,
            ))
            .award(with_cost(
                Award::new(3, "Chair", "0.05")
                    .count(20, "locked")
                    .setting("per_user", "1"),
                80_000,
            ))
            .award(Award::new(4, "Thanks", "0"))
            .tree(Tree::stock("plain", 4, None))
            .tree(Tree::locked("locked", 2, 1, Some("1,100")))
    }

    const EXPECTED: &str = "\
Activity 7: Spring
  about      A small wheel
  state      open
  begins     2026-03-01 00:00:00 +08:00
  ends       2026-04-01 00:00:00 +08:00
  time zone  Asia/Shanghai
  shown at   channel c01, source s01
  chances    3 to begin with; at most 5 draws a day, 50 a month
  on sale    sku 70: 1 chance for 10.50 points, 1000 in stock
  rewards    sign: 1 chance by sku 70
  rewards    sign: 5.00 points more after each 7 days in a row

Odds of a draw (strategy 17)
  award     count   cost  rate  exact odds    percent  title
      1  no limit     10   0.7       14/18  77.7778 %  积分
      2      1000  12000  0.15        3/18  16.6667 %  Lamp
      3        20  80000  0.05        1/18   5.5556 %  Chair
      4  no limit      0     0        0/18   0.0000 %  Thanks
The rates sum to 0.9. The missing 0.1 is spread over the prizes in proportion to their rates.

Rules before the draw (the first that applies decides)
  rule_blacklist: award 1 for each draw of 1 user
  rule_weight: a pool of its own for a user's draw number 10

Odds of a user's draw number 10 (locks do not apply)
  award  count   cost  rate  exact odds    percent  title
      2   1000  12000  0.15         3/4  75.0000 %  Lamp
      3     20  80000  0.05         1/4  25.0000 %  Chair

Locks
  award 3: opens after 2 draws on a day

For each user
  award 3: at most 1, then what its tree gives when it is gone

Given when a prize is locked or gone (takes no stock)
  award 1 with config \"1,100\" in place of 3
  award 4 in place of 2

Cost in minor units
  a draw on average, with everything in stock and unlocked: 6452.2222 (exactly 58070/9)
  all units of the limited prizes: 13600000
  given without limit beyond that: award 1
";

    #[test]
    fn a_report_describes_the_whole_campaign() {
        let campaign = Campaign::parse(&small().text()).expect("a valid campaign");
        assert_eq!(report(&campaign), EXPECTED);
    }

    #[test]
    fn decimals_are_exact() {
        let texts = [
            (0, "0.00"),
            (5, "0.05"),
            (123, "1.23"),
            (100_000, "1000.00"),
        ];
        assert!(texts.iter().all(|&(number, text)| fixed(number, 2) == text));
        assert_eq!(
            [decimal(970_300, 6), decimal(1_000_000, 6), decimal(0, 6)],
            ["0.9703", "1", "0"]
        );
    }
}
