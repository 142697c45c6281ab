//! Faults with their locations, and what is read when there are none.
mod activity;
mod award;
mod forecast;
mod panics;
mod points;
mod reward;
mod rules;
mod tree;

use super::*;
use crate::campaign::ActivityState;
use crate::chances::Chances;
use crate::ids::AwardIndex;

const SHIPPED: [&str; 4] = [
    include_str!("../../../../../deploy/campaigns/100301.toml"),
    include_str!("../../../../../deploy/campaigns/100401.toml"),
    include_str!("../../../../../deploy/campaigns/load.toml"),
    include_str!("../../../../../deploy/campaigns/scarce.toml"),
];
const DOCUMENTATION: &str = include_str!("../../../../../docs/campaigns.md");

/// Line 1 is `format = 1`.
const SMALL: &str = include_str!("small.toml");

fn parse(text: &str) -> Campaign {
    Campaign::parse(text).expect("a valid campaign")
}

fn faults(text: &str) -> Vec<String> {
    let invalid = Campaign::parse(text).expect_err("an invalid campaign");
    invalid.faults.iter().map(Fault::to_string).collect()
}

/// `SMALL` with the first `from` replaced.
fn edited(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from:?}");
    SMALL.replacen(from, to, 1)
}

#[test]
fn the_shipped_files_are_valid() {
    let ids = SHIPPED.map(|text| (parse(text).activity.id.get(), parse(text).strategy.id.get()));
    assert_eq!(
        ids,
        [
            (100_301, 100_006),
            (100_401, 10_007),
            (200_001, 200_001),
            (200_002, 200_002)
        ]
    );
}

#[test]
fn the_documented_example_is_valid() {
    let example = DOCUMENTATION
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    parse(example.expect("an example"));
}

#[test]
fn a_campaign_has_what_its_file_has() {
    let Campaign {
        activity,
        chances,
        stages,
        skus,
        rewards,
        strategy,
        forecast: _,
    } = parse(SMALL);
    assert_eq!(activity.begins_at.to_string(), "2026-02-28T16:00:00Z");
    assert_eq!(
        (activity.state, activity.time_zone_name.as_str()),
        (ActivityState::Open, "Asia/Shanghai")
    );
    assert_eq!(
        chances,
        Chances {
            welcome: 3,
            month_limit: 50,
            day_limit: 5
        }
    );
    assert_eq!(
        (stages[0].channel.as_str(), stages[0].source.as_str()),
        ("c01", "s01")
    );
    assert_eq!(
        (skus[0].stock, skus[0].price_minor, skus[0].chances),
        (1000, 1050, 1)
    );
    assert_eq!(rewards, []);
    let ids: Vec<_> = strategy.awards.iter().map(|award| award.id.get()).collect();
    assert_eq!(ids, [101, 102, 103], "awards are in the order of the wheel");
    assert_eq!(
        [0, 1, 2].map(|index| strategy.pool.odds(index)),
        [(14, 18), (3, 18), (1, 18)]
    );
    assert_eq!(strategy.awards[2].tree, Some(1));
    assert_eq!(strategy.trees[1].unlocked_at(0), Some(2));
    assert_eq!(
        strategy.trees[1].luck_awards().collect::<Vec<_>>(),
        [(AwardIndex(0), "1,50")]
    );
}

/// What of `SMALL` is replaced by what, and the faults that follow.
type Broken = (&'static str, &'static str, &'static [&'static str]);

fn check(broken: &[Broken]) {
    for (from, to, expected) in broken {
        assert_eq!(faults(&edited(from, to)), *expected, "{from:?} -> {to:?}");
    }
}

const BROKEN: &[Broken] = &[
    (
        "format = 1\n",
        "",
        &["format: missing: expected an integer from 0 to 4294967295"],
    ),
    (
        "format = 1\n",
        "format = 2\n",
        &["line 1, format: this program reads campaign files of format 1"],
    ),
    (
        "[[stage]]",
        "[[stage]",
        &["line 13: unclosed array table, expected `]`"],
    ),
];

#[test]
fn each_fault_of_the_whole_has_its_message_and_its_line() {
    check(BROKEN);
}

#[test]
fn all_faults_are_reported_at_once_and_in_order() {
    let all_at_once = SMALL
        .replacen("id = 7\n", "id = \"7\"\n", 1)
        .replacen("welcome = 3\n", "welcom = 3\n", 1)
        .replacen("stock = 1000", "stock = -1", 1)
        .replacen("award = 101", "award = 999", 1)
        .replacen("rate = 0.15", "rate = 1.15", 1)
        .replacen("draws = 2", "draws = 2.5", 1)
        .replacen("config = \"1,50\"", "confug = \"1,50\"", 1);
    let lines: Vec<_> = faults(&all_at_once)
        .iter()
        .map(|fault| fault.split(':').next().map(str::to_owned))
        .collect();
    let expected = [
        "line 3, activity.id",
        "line 9, chances.welcome",
        "line 10, chances.welcom",
        "line 18, sku[1].stock",
        "line 25, strategy.rule_blacklist.award",
        "line 37, award[1].rate",
        "line 68, tree[2].nodes[1].draws",
        "line 77, tree[2].nodes[3].confug",
    ];
    assert_eq!(lines, expected.map(|location| Some(location.to_owned())));
}

#[test]
fn an_empty_file_lacks_everything() {
    let expected = [
        "format",
        "activity.id",
        "activity.name",
        "activity.begins_at",
        "activity.ends_at",
        "activity.state",
        "activity.time_zone",
        "chances.welcome",
        "chances.month_limit",
        "chances.day_limit",
        "award",
        "strategy.id",
    ];
    let mut locations: Vec<_> = faults("")
        .iter()
        .filter_map(|fault| fault.split(':').next().map(str::to_owned))
        .collect();
    locations.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(locations, expected);
}

#[test]
fn sizes_are_bounded() {
    let huge = format!("{SMALL}# {}", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(
        faults(&huge),
        [format!(
            "the file: has {} bytes; a campaign file has at most 1048576",
            huge.len()
        )]
    );
    let node = |index| {
        format!("[[tree.nodes]]\nkey = \"n{index}\"\nrule = \"rule_luck_award\"\naward = 101\n")
    };
    let nodes: Vec<_> = (0..98).map(node).collect();
    let faults = faults(&(SMALL.to_owned() + &nodes.concat()));
    assert_eq!(
        faults[0],
        "line 65, tree[2].nodes: expected 1 to 100 tables, found 101"
    );
}
