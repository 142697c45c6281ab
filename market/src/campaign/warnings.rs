//! What is allowed in a campaign and is hardly meant: warnings of `drawbridge campaign check`.
//!
//! Each warning is a function of its own in [`WARNINGS`]. It returns one text for each thing that
//! it finds. None of them looks at anything but the campaign and the time.
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::report::{average_cost, decimal, listed, percent, sum_of_rates};
use super::{Award, Campaign, Gives, WeightGroup};
use crate::ids::AwardIndex;
use crate::odds::{Likelihood, Rate};
use crate::tree::Tree;

/// A check for one kind of mistake.
type Warning = fn(&Campaign, Timestamp) -> Vec<String>;

/// All of them, in the order in which they are shown.
const WARNINGS: [Warning; 14] = [
    window_in_the_past,
    contradicting_limits,
    unreachable_guarantees,
    guarantees_of_what_users_have,
    guarantees_that_stock_cannot_keep,
    blacklists_that_run_out,
    idle_user_limits,
    prizes_without_units,
    rates_below_one,
    dear_fallbacks,
    awards_that_nothing_gives,
    odd_skus,
    rewards_without_stock,
    streaks_beyond_the_end,
];

/// How many awards one warning names.
const NAMED_MAX: usize = 20;

/// What is hardly meant, one text each, without line breaks.
pub fn warnings(campaign: &Campaign, now: Timestamp) -> Vec<String> {
    let all = WARNINGS.iter();
    all.flat_map(|warning| warning(campaign, now)).collect()
}

fn window_in_the_past(campaign: &Campaign, now: Timestamp) -> Vec<String> {
    let activity = &campaign.activity;
    if activity.ends_at > now {
        return Vec::new();
    }
    let ended = activity.ends_at.to_zoned(activity.time_zone.clone());
    let ended = ended.strftime("%F %T %:z");
    vec![format!("the activity is over: it ended at {ended}")]
}

fn contradicting_limits(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    const DAYS_OF_A_MONTH_MAX: u64 = 31;
    let (chances, mut found) = (campaign.chances, Vec::new());
    let (day, month) = (chances.day_limit, chances.month_limit);
    if day > month {
        found.push(format!(
            "day_limit is {day} and month_limit is {month}: no user makes more than {month} draws on a day"
        ));
    }
    if u64::from(month) > u64::from(day) * DAYS_OF_A_MONTH_MAX {
        let most = u64::from(day) * DAYS_OF_A_MONTH_MAX;
        found.push(format!(
            "month_limit is {month}, and with a day_limit of {day} no user makes more than {most} draws in a month"
        ));
    }
    if chances.welcome == 0 && campaign.skus.is_empty() {
        found.push(
            "welcome is 0 and nothing is on sale: users have no chances until an operator gives them some"
                .to_owned(),
        );
    }
    let most = draws_within_the_limits(campaign);
    if u64::from(chances.welcome) > most {
        found.push(format!(
            "welcome is {}, and the limits allow a user {most} draws in the whole time of the activity",
            chances.welcome
        ));
    }
    found
}

/// The most draws of a user that the limits of days and months allow, from beginning to end.
fn draws_within_the_limits(campaign: &Campaign) -> u64 {
    let month_number =
        |date: jiff::civil::Date| i64::from(date.year()) * 12 + i64::from(date.month());
    let months = from_first_to_last(campaign, month_number);
    let of_days = local_days(campaign).saturating_mul(campaign.chances.day_limit.into());
    let of_months = months.saturating_mul(campaign.chances.month_limit.into());
    of_days.min(of_months)
}

/// How many local days the activity has, whole or in part.
fn local_days(campaign: &Campaign) -> u64 {
    from_first_to_last(campaign, |date| {
        let since = date.since(jiff::civil::date(1970, 1, 1));
        since.map_or(0, |since| i64::from(since.get_days()))
    })
}

/// How many numbers the dates of the activity have.
fn from_first_to_last(campaign: &Campaign, number: impl Fn(jiff::civil::Date) -> i64) -> u64 {
    let activity = &campaign.activity;
    // The end does not belong to the activity.
    let last = activity.ends_at - SignedDuration::from_nanos(1);
    let date = |moment: Timestamp| activity.time_zone.to_datetime(moment).date();
    let (first, last) = (date(activity.begins_at), date(last));
    u64::try_from(number(last) - number(first) + 1).unwrap_or(u64::MAX)
}

/// The most draws that a user makes, and why there are no more.
fn draws_of_a_user(campaign: &Campaign) -> (u64, &'static str) {
    let within_limits = draws_within_the_limits(campaign);
    // What is on sale has no bound for one user.
    let sold = campaign.skus.iter().any(|sku| sku.stock > 0);
    if !sold && u64::from(campaign.chances.welcome) < within_limits {
        let why = "a user has the welcome chances only, unless an operator gives some";
        (campaign.chances.welcome.into(), why)
    } else {
        let why = "the limits of day and month allow no more in the whole time";
        (within_limits, why)
    }
}

fn unreachable_guarantees(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let (most, why) = draws_of_a_user(campaign);
    let groups = campaign.strategy.weight_groups().iter();
    let beyond: Vec<String> = groups
        .filter(|group| u64::from(group.ordinal) > most)
        .map(|group| group.ordinal.to_string())
        .collect();
    if beyond.is_empty() {
        return Vec::new();
    }
    let draws = named(&beyond);
    vec![format!(
        "rule_weight guarantees something on draw {draws}, and no user makes more than {most} draws: {why}"
    )]
}

/// The awards that a group can give.
fn given_by(group: &WeightGroup) -> impl Iterator<Item = AwardIndex> {
    let awards = group.awards.iter().enumerate();
    let has_odds = |(outcome, _): &(usize, _)| group.pool.odds(*outcome).0 > 0;
    awards.filter(has_odds).map(|(_, index)| *index)
}

/// Who has had all that a user may have of a group's prize before, and draws it there, gets a
/// fallback.
fn guarantees_of_what_users_have(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let strategy = &campaign.strategy;
    let groups = strategy.weight_groups();
    let of_group = |(nth, group): (usize, &WeightGroup)| -> Vec<String> {
        let earlier = || groups[..nth].iter().flat_map(given_by);
        let comes_before =
            |index| strategy.award(index).is_drawn() || earlier().any(|given| given == index);
        let limited = given_by(group).filter(|&index| comes_before(index));
        let limited = limited.filter_map(|index| {
            let award = strategy.award(index);
            let most = award.per_user.filter(|most| most.get() < group.ordinal)?;
            Some(format!(
                "draw {} of each user is guaranteed award {}, of which a user gets {most} at most: \
                 who has as many by then gets a fallback in its place",
                group.ordinal, award.id
            ))
        });
        limited.collect()
    };
    groups.iter().enumerate().flat_map(of_group).collect()
}

/// Users of the blacklist get its award whatever they draw, so its limit ends that.
fn blacklists_that_run_out(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let strategy = &campaign.strategy;
    let of_rule = |rule: &super::ChainRule| match rule {
        super::ChainRule::Blacklist { award, .. } => {
            let award = strategy.award(*award);
            let most = award.per_user?;
            Some(format!(
                "users of the blacklist get award {}, of which a user gets {most} at most: then they \
                 get a fallback",
                award.id
            ))
        }
        super::ChainRule::Weight(_) => None,
    };
    strategy.chain.iter().filter_map(of_rule).collect()
}

fn idle_user_limits(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let (most, why) = draws_of_a_user(campaign);
    let strategy = &campaign.strategy;
    let idle = strategy.user_limits().iter();
    let idle = idle.filter(|limit| u64::from(limit.most.get()) >= most);
    let warn = |limit: &super::UserLimit| {
        format!(
            "award {} has per_user = {}, which restricts nobody: nobody makes more than {most} draws: \
             {why}",
            strategy.award(limit.award).id,
            limit.most
        )
    };
    idle.map(warn).collect()
}

fn guarantees_that_stock_cannot_keep(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let strategy = &campaign.strategy;
    let of_group = |group: &WeightGroup| {
        let given = given_by(group).map(|index| strategy.award(index));
        let given: Vec<&Award> = given.collect();
        let units: u64 = given.iter().map(|award| award.count).sum::<Option<u64>>()?;
        let ids: Vec<_> = given.iter().map(|award| award.id.to_string()).collect();
        Some(format!(
            "draw {} of each user is guaranteed award {}, of which there are {units} units: \
             who comes to it later gets a fallback",
            group.ordinal,
            named(&ids)
        ))
    };
    strategy
        .weight_groups()
        .iter()
        .filter_map(of_group)
        .collect()
}

/// Units can be given to them later. Until then no user gets them.
fn prizes_without_units(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let awards = campaign.strategy.awards.iter();
    let without: Vec<_> = awards
        .filter(|award| award.count == Some(0) && award.is_drawn())
        .map(|award| award.id.to_string())
        .collect();
    if without.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "award {} is drawn and has no units: who draws it gets a fallback until `drawbridge stock add` gives it some",
        named(&without)
    )]
}

fn rates_below_one(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let strategy = &campaign.strategy;
    let one = u128::from(Rate::ONE.millionths());
    let Some(sum) = sum_of_rates(strategy).filter(|&sum| sum < one) else {
        return Vec::new();
    };
    let gain = |(outcome, award): (usize, &Award)| {
        let Likelihood::Rate(rate) = award.rate else {
            return None;
        };
        let (weight, total) = strategy.pool.odds(outcome);
        let (weight, total) = (u128::from(weight), u128::from(total));
        // In millionths of the whole, like rates.
        let odds = (weight * one + total / 2) / total;
        let gain = odds.saturating_sub(rate.millionths().into());
        let now = percent(strategy.pool.odds(outcome));
        (weight > 0).then(|| {
            let gain = decimal(gain, 4);
            format!("award {} gains {gain} % and has {now}", award.id)
        })
    };
    let gains: Vec<_> = strategy
        .awards
        .iter()
        .enumerate()
        .filter_map(gain)
        .collect();
    vec![format!(
        "the rates sum to {}, and the missing {} is spread over the prizes: {}",
        decimal(sum, 6),
        decimal(one - sum, 6),
        named(&gains)
    )]
}

fn dear_fallbacks(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let strategy = &campaign.strategy;
    let mut replaces: BTreeMap<AwardIndex, Vec<String>> = BTreeMap::new();
    for award in &strategy.awards {
        let tree = award.tree.map(|tree| &strategy.trees[tree]);
        for (index, _) in tree.into_iter().flat_map(Tree::luck_awards) {
            let ids = replaces.entry(index).or_default();
            if ids.last() != Some(&award.id.to_string()) {
                ids.push(award.id.to_string());
            }
        }
    }
    let (sum, total) = average_cost(strategy);
    let warn = |(index, ids): (AwardIndex, Vec<String>)| {
        let award = strategy.award(index);
        let cost = u128::from(award.cost_minor);
        let named = named(&ids);
        if let Some(count) = award.count {
            return Some(format!(
                "award {} has {count} units, and is given without limit in place of award {named} when that is locked \
                 or gone",
                award.id
            ));
        }
        let is_dear = cost * total > sum;
        is_dear.then(|| {
            format!(
                "award {} costs {cost}, more than a draw on average, and is given without limit in place of award \
                 {named} when that is locked or gone",
                award.id
            )
        })
    };
    replaces.into_iter().filter_map(warn).collect()
}

fn awards_that_nothing_gives(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let strategy = &campaign.strategy;
    let mut given: Vec<AwardIndex> = strategy
        .trees
        .iter()
        .flat_map(|tree| tree.luck_awards().map(|(award, _)| award))
        .collect();
    for rule in &strategy.chain {
        match rule {
            super::ChainRule::Blacklist { award, .. } => given.push(*award),
            super::ChainRule::Weight(groups) => {
                given.extend(groups.iter().flat_map(|group| &group.awards));
            }
        }
    }
    let idle = |(index, award): (usize, &Award)| {
        let gives = award.is_drawn() || given.contains(&AwardIndex(index));
        (!gives).then(|| award.id.to_string())
    };
    let idle: Vec<_> = strategy
        .awards
        .iter()
        .enumerate()
        .filter_map(idle)
        .collect();
    if idle.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "nothing gives award {}: it is never drawn, and no rule and no tree names it",
        named(&idle)
    )]
}

fn odd_skus(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let mut found = Vec::new();
    for sku in &campaign.skus {
        if sku.stock == 0 {
            found.push(format!("sku {} is on sale without stock", sku.id));
        }
        if sku.price_minor == 0 {
            found.push(format!("sku {} costs nothing", sku.id));
        }
    }
    found
}

fn rewards_without_stock(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let warn = |reward: &super::Reward| {
        let Gives::Chances(id) = reward.gives else {
            return None;
        };
        let is_empty = campaign.sku(id).is_some_and(|sku| sku.stock == 0);
        is_empty.then(|| {
            let behaviour = reward.behaviour.as_str();
            format!("the reward for {behaviour} gives the chances of sku {id}, which has no stock")
        })
    };
    campaign.rewards.iter().filter_map(warn).collect()
}

fn streaks_beyond_the_end(campaign: &Campaign, _: Timestamp) -> Vec<String> {
    let days = local_days(campaign);
    let beyond = campaign.rewards.iter().filter_map(|reward| {
        let streak = reward.streak?.get();
        (u64::from(streak) > days).then(|| streak.to_string())
    });
    let beyond: Vec<_> = beyond.collect();
    if beyond.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "no user gets the reward after {} days in a row: the activity has {days}",
        named(&beyond)
    )]
}

/// A list of words, of which the first are named.
fn named(words: &[String]) -> String {
    match words.len().checked_sub(NAMED_MAX) {
        None | Some(0) => listed(words),
        Some(more) => format!("{} and {more} more", words[..NAMED_MAX].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use testkit::campaign::{Award, CampaignFile, Tree};

    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().expect("a time")
    }

    /// A campaign without anything to warn of.
    fn sound() -> CampaignFile {
        CampaignFile::new(1)
            .chances(100, 10, 100)
            .weight(10, &[1, 2])
            .award(Award::new(1, "points", "0.9").setting("cost_minor", "50"))
            .award(
                Award::new(2, "lamp", "0.1")
                    .count(20, "stock")
                    .setting("cost_minor", "16900"),
            )
            .tree(Tree::stock("stock", 1, None))
    }

    fn of(file: &CampaignFile) -> Vec<String> {
        let campaign = Campaign::parse(&file.text()).expect("a campaign");
        warnings(&campaign, now())
    }

    #[test]
    fn a_sound_campaign_has_no_warnings() {
        assert_eq!(of(&sound()), [""; 0]);
    }

    #[test]
    fn each_mistake_has_its_warning() {
        let past = sound().between("2026-01-01T00:00:00+08:00", "2026-06-01T20:00:00+08:00");
        let short = sound().between("2026-05-30T00:00:00Z", "2026-06-02T00:00:00Z");
        let in_three_days = short.clone();
        let reward = |rest: &str| format!("[[reward]]\nbehavior = \"sign\"\n{rest}");
        let limited = CampaignFile::new(1)
            .chances(100, 10, 100)
            .weight(7, &[2])
            .award(Award::new(1, "points", "0.9"))
            .award(Award::new(2, "lamp", "0.1").count(20, "stock"))
            .tree(Tree::stock("stock", 1, None));
        let sku = "[[sku]]\nid = 7\nstock = 0\nprice_minor = 0\nchances = 1";
        let idle = sound().award(Award::new(3, "idle", "0"));
        let few = |most: &str| {
            let lamp = Award::new(2, "lamp", "0.1").count(20, "stock");
            CampaignFile::new(1)
                .chances(100, 10, 100)
                .weight(7, &[2])
                .blacklist(2, &["mallory"])
                .award(Award::new(1, "points", "0.9"))
                .award(lamp.setting("per_user", most))
                .tree(Tree::stock("stock", 1, None))
        };
        for (file, expected) in [
            (
                past,
                "the activity is over: it ended at 2026-06-01 12:00:00 +00:00",
            ),
            (
                sound().chances(50, 20, 10),
                "day_limit is 20 and month_limit is 10: no user makes more than 10 draws on a day",
            ),
            (
                sound().chances(50, 10, 311),
                "month_limit is 311, and with a day_limit of 10 no user makes more than 310 draws in a month",
            ),
            (
                sound().chances(0, 10, 100),
                "welcome is 0 and nothing is on sale: users have no chances until an operator gives them some",
            ),
            (
                short.clone(),
                "welcome is 100, and the limits allow a user 30 draws in the whole time of the activity",
            ),
            (
                short.chances(9, 10, 100),
                "rule_weight guarantees something on draw 10, and no user makes more than 9 draws: a user has the \
                 welcome chances only, unless an operator gives some",
            ),
            (
                limited,
                "draw 7 of each user is guaranteed award 2, of which there are 20 units: who comes to it later gets \
                 a fallback",
            ),
            (
                few("1"),
                "draw 7 of each user is guaranteed award 2, of which a user gets 1 at most: who has as many by \
                 then gets a fallback in its place",
            ),
            (
                few("1"),
                "users of the blacklist get award 2, of which a user gets 1 at most: then they get a fallback",
            ),
            (
                few("100"),
                "award 2 has per_user = 100, which restricts nobody: nobody makes more than 100 draws: a user has the \
                 welcome chances only, unless an operator gives some",
            ),
            (
                idle,
                "nothing gives award 3: it is never drawn, and no rule and no tree names it",
            ),
            (sound().section(sku), "sku 7 is on sale without stock"),
            (sound().section(sku), "sku 7 costs nothing"),
            (
                sound()
                    .section(sku)
                    .section(&reward("kind = \"chances\"\nsku = 7")),
                "the reward for sign gives the chances of sku 7, which has no stock",
            ),
            (
                in_three_days
                    .section(&reward("kind = \"points\"\npoints = 1"))
                    .section(&reward("kind = \"points\"\npoints = 1\nstreak = 4")),
                "no user gets the reward after 4 days in a row: the activity has 3",
            ),
        ] {
            let found = of(&file);
            assert!(
                found.contains(&expected.to_owned()),
                "{expected}\n{found:#?}"
            );
        }
    }

    #[test]
    fn rates_that_miss_one_say_what_each_prize_gains() {
        let file = CampaignFile::new(1)
            .chances(100, 10, 100)
            .award(Award::new(1, "points", "0.6"))
            .award(Award::new(2, "more", "0.2"));
        let expected = "the rates sum to 0.8, and the missing 0.2 is spread over the prizes: award 1 gains 15 % and has \
                        75.0000 % and award 2 gains 5 % and has 25.0000 %";
        assert_eq!(of(&file), [expected]);
    }

    #[test]
    fn dear_prizes_are_no_fallbacks() {
        let file = |fallback: Award| {
            CampaignFile::new(1)
                .chances(100, 10, 100)
                .award(Award::new(1, "points", "0.9"))
                .award(Award::new(2, "lamp", "0.1").count(20, "stock"))
                .award(fallback)
                .tree(Tree::stock("stock", 3, None))
                .tree(Tree::stock("other", 1, None))
        };
        let dear = Award::new(3, "chair", "0").setting("cost_minor", "5");
        let found = of(&file(dear.clone()).award(Award::new(4, "x", "0").count(1, "other")));
        let expected = "award 3 costs 5, more than a draw on average, and is given without limit in place of award 2 \
                        when that is locked or gone";
        assert!(found.contains(&expected.to_owned()), "{found:#?}");
        let limited = Award::new(3, "chair", "0").count(9, "other");
        let found = of(&file(limited));
        let expected = "award 3 has 9 units, and is given without limit in place of award 2 when that is locked or gone";
        assert!(found.contains(&expected.to_owned()), "{found:#?}");
    }
}
