//! Faults with their places, and what is read when there are none.
use proptest::prelude::*;

use super::*;

const SHIPPED: [&str; 4] = [
    include_str!("../../../../deploy/campaigns/100301.toml"),
    include_str!("../../../../deploy/campaigns/100401.toml"),
    include_str!("../../../../deploy/campaigns/load.toml"),
    include_str!("../../../../deploy/campaigns/scarce.toml"),
];
const DOCUMENTATION: &str = include_str!("../../../../docs/campaigns.md");

/// Line 1 is `format = 1`.
const SMALL: &str = r#"format = 1
[activity]
id = 7
name = "Spring"
begins_at = 2026-03-01T00:00:00+08:00
ends_at = 2026-04-01T00:00:00+08:00
state = "open"
time_zone = "Asia/Shanghai"
[chances]
welcome = 3
month_limit = 50
day_limit = 5
[[stage]]
channel = "c01"
source = "s01"
[[sku]]
id = 70
stock = 1000
price_minor = 1050
chances = 1
[strategy]
id = 17
rule_models = ["rule_blacklist", "rule_weight"]
[strategy.rule_blacklist]
award = 101
users = ["mallory", "eve"]
[[strategy.rule_weight]]
draw = 10
awards = [102, 103]
[[strategy.rule_weight]]
draw = 3
awards = [102]
[[award]]
id = 102
title = "Lamp"
sort = 2
rate = 0.15
count = 1000
tree = "plain"
[[award]]
id = 101
title = "Points"
sort = 1
rate = 0.7
key = "points"
config = "1,100"
cost_minor = 10
[[award]]
id = 103
title = "Chair"
sort = 3
rate = 0.05
count = 20
tree = "locked"
[[tree]]
id = "plain"
root = "rule_stock"
nodes = [
    { key = "rule_stock", allow = "rule_luck_award" },
    { key = "rule_luck_award", award = 101 },
]
[[tree]]
id = "locked"
root = "first"
[[tree.nodes]]
key = "first"
rule = "rule_lock"
draws = 2
allow = "rule_stock"
take_over = "rule_luck_award"
[[tree.nodes]]
key = "rule_stock"
allow = "rule_luck_award"
[[tree.nodes]]
key = "rule_luck_award"
award = 101
config = "1,50"
"#;

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
fn a_campaign_is_what_its_file_says() {
    let Campaign {
        activity,
        chances,
        stages,
        skus,
        strategy,
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
    let ids: Vec<_> = strategy.awards.iter().map(|award| award.id.get()).collect();
    assert_eq!(
        ids,
        [101, 102, 103],
        "awards are ordered by their place on the wheel"
    );
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

#[test]
fn the_chain_follows_rule_models_and_groups_follow_their_thresholds() {
    let blacklist_first = parse(SMALL).strategy;
    assert!(
        matches!(&blacklist_first.chain[0], ChainRule::Blacklist { award: AwardIndex(0), users } if users.len() == 2)
    );
    let weight_first = parse(&edited(
        r#""rule_blacklist", "rule_weight""#,
        r#""rule_weight", "rule_blacklist""#,
    ));
    assert!(matches!(
        weight_first.strategy.chain[0],
        ChainRule::Weight(_)
    ));
    let groups = blacklist_first.weight_groups();
    assert_eq!(
        groups.iter().map(|group| group.ordinal).collect::<Vec<_>>(),
        [3, 10]
    );
    assert_eq!(
        (groups[1].pool.odds(0), groups[1].pool.odds(1)),
        ((3, 4), (1, 4))
    );
}

#[test]
fn rates_may_be_spelled_as_any_decimal() {
    for (spelling, millionths) in [
        ("1", 1_000_000),
        ("1.0", 1_000_000),
        ("\"0.000001\"", 1),
        ("0.5", 500_000),
    ] {
        let text = SHIPPED[3].replacen("rate = 1\n", &format!("rate = {spelling}\n"), 1);
        assert_eq!(
            parse(&text).strategy.awards[0].rate.millionths(),
            millionths,
            "{spelling}"
        );
    }
}

/// Each entry: what of `SMALL` is replaced by what, and the faults that follow.
const BROKEN: &[(&str, &str, &[&str])] = &[
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
        "id = 7\n",
        "",
        &["line 2, activity.id: missing: expected an integer from 1 to 9223372036854775807"],
    ),
    (
        "id = 7\n",
        "id = 0\n",
        &["line 3, activity.id: expected an integer from 1 to 9223372036854775807, found 0"],
    ),
    (
        "name = \"Spring\"",
        "nmae = \"Spring\"",
        &[
            "line 2, activity.name: missing: expected a string of 1 to 64 characters",
            "line 4, activity.nmae: unknown key; did you mean \"name\"?",
        ],
    ),
    (
        "name = \"Spring\"",
        "name = \"Spring\"\nwhen_stock_away = \"refuse\"",
        &["line 5, activity.when_stock_away: is called \"when_stock_unavailable\" now"],
    ),
    (
        "\"Spring\"",
        "\"Spring\\n\"",
        &["line 4, activity.name: must not contain control characters"],
    ),
    (
        "2026-03-01T00:00:00+08:00",
        "2026-03-01T00:00:00",
        &[
            "line 5, activity.begins_at: expected a date and time with its offset, such as 2026-11-20T20:00:00+08:00, \
             found 2026-03-01T00:00:00 without an offset",
        ],
    ),
    (
        "2026-04-01",
        "2026-03-01",
        &["line 6, activity.ends_at: must be later than begins_at"],
    ),
    (
        "\"open\"",
        "\"opened\"",
        &[
            "line 7, activity.state: expected \"create\" or \"open\" or \"close\", found the string \"opened\"",
        ],
    ),
    (
        "Asia/Shanghai",
        "Asia/Shangai",
        &[
            "line 8, activity.time_zone: \"Asia/Shangai\" is no time zone of the IANA database; \
             expected a name such as \"Asia/Shanghai\"",
        ],
    ),
    (
        "welcome = 3",
        "welcome = -1",
        &["line 10, chances.welcome: expected an integer from 0 to 2147483647, found -1"],
    ),
    (
        "[[sku]]",
        "[[stage]]\nchannel = \"c01\"\nsource = \"s01\"\n[[sku]]",
        &["line 17, stage[2].channel: this channel and source are listed already"],
    ),
    (
        "[strategy]",
        "[[sku]]\nid = 70\nstock = 1\nprice_minor = 1\nchances = 0\n[strategy]",
        &[
            "line 22, sku[2].id: must be unique, but 70 was there before",
            "line 25, sku[2].chances: expected an integer from 1 to 2147483647, found 0",
        ],
    ),
    (
        "\"rule_blacklist\", ",
        "",
        &[
            "line 24, strategy.rule_blacklist: rule_models does not list this rule, so it would never be asked",
        ],
    ),
    (
        "\"rule_blacklist\", ",
        "\"rule_weight\", ",
        &[
            "line 23, strategy.rule_models[2]: this rule is listed already",
            "line 24, strategy.rule_blacklist: rule_models does not list this rule, so it would never be asked",
        ],
    ),
    (
        "\"rule_weight\"]",
        "\"rule_heavy\"]",
        &[
            "line 23, strategy.rule_models[2]: expected \"rule_blacklist\" or \"rule_weight\", found the string \"rule_heavy\"",
            "line 27, strategy.rule_weight: rule_models does not list this rule, so it would never be asked",
        ],
    ),
    (
        "[strategy.rule_blacklist]\naward = 101\nusers = [\"mallory\", \"eve\"]\n",
        "",
        &["line 23, strategy.rule_models[1]: this rule is listed, but its table is missing"],
    ),
    (
        "\"eve\"",
        "\"mallory\", \" eve\"",
        &[
            "line 26, strategy.rule_blacklist.users[2]: this user is listed already",
            "line 26, strategy.rule_blacklist.users[3]: must not begin or end with white space",
        ],
    ),
    (
        "award = 101",
        "award = 104",
        &["line 25, strategy.rule_blacklist.award: no award has the id 104"],
    ),
    (
        "draw = 3",
        "draw = 10",
        &["line 31, strategy.rule_weight[2].draw: must be unique, but 10 was there before"],
    ),
    (
        "[102, 103]",
        "[102, 102]",
        &["line 29, strategy.rule_weight[1].awards[2]: this award is listed already"],
    ),
    (
        "rate = 0.15",
        "rate = 0.0",
        &["line 32, strategy.rule_weight[2].awards: no award of this group has a rate above 0"],
    ),
    (
        "id = 103\n",
        "id = 102\n",
        &[
            "line 29, strategy.rule_weight[1].awards[2]: no award has the id 103",
            "line 49, award[3].id: must be unique, but 102 was there before",
        ],
    ),
    (
        "sort = 3\n",
        "sort = 4\n",
        &["line 51, award[3].sort: expected an integer from 1 to 3, found 4"],
    ),
    (
        "sort = 3\n",
        "sort = 1\n",
        &["line 51, award[3].sort: must be unique, but 1 was there before"],
    ),
    (
        "rate = 0.7",
        "rate = 7e-1",
        &[
            "line 44, award[2].rate: expected a decimal from 0 to 1 with at most 6 places, such as 0.0003",
        ],
    ),
    (
        "rate = 0.7",
        "rate = true",
        &["line 44, award[2].rate: expected a decimal number, found true"],
    ),
    (
        "rate = 0.7",
        "rate = 0.81",
        &["line 33, award: the rates of all awards sum to 1.01, which is more than 1"],
    ),
    (
        "count = 1000",
        "count = 0",
        &["line 38, award[1].count: expected an integer from 1 to 1000000000000, found 0"],
    ),
    (
        "tree = \"plain\"\n",
        "",
        &[
            "line 38, award[1].count: a prize with a count needs a tree: its luck award is given when the prize is gone",
            "line 55, tree[1].id: no award uses this tree",
        ],
    ),
    (
        "tree = \"plain\"",
        "tree = \"plane\"",
        &[
            "line 39, award[1].tree: no tree has the id \"plane\"",
            "line 56, tree[1].id: no award uses this tree",
        ],
    ),
    (
        "id = \"locked\"",
        "id = \"plain\"",
        &[
            "line 54, award[3].tree: no tree has the id \"locked\"",
            "line 63, tree[2].id: must be unique, but plain was there before",
            "line 63, tree[2].id: no award uses this tree",
        ],
    ),
    (
        "root = \"rule_stock\"",
        "root = \"rule_stick\"",
        &["line 57, tree[1].root: no node of this tree has the key \"rule_stick\""],
    ),
    (
        "root = \"rule_stock\"",
        "root = \"rule_luck_award\"",
        &["line 59, tree[1].nodes[1].key: nothing leads from the root to this node"],
    ),
    (
        "allow = \"rule_luck_award\"",
        "allow = \"rule_stock\"",
        &[
            "line 59, tree[1].nodes[1].key: a walk from here comes back to here: trees must not have cycles",
            "line 60, tree[1].nodes[2].key: nothing leads from the root to this node",
        ],
    ),
    (
        "allow = \"rule_luck_award\"",
        "take_over = \"rule_luck_award\"",
        &[
            "line 59, tree[1].nodes[1].allow: missing: expected a string of 1 to 64 characters",
            "line 59, tree[1].nodes[1].take_over: unknown key",
        ],
    ),
    (
        "draws = 2",
        "draws = 5",
        &[
            "line 54, award[3].tree: this prize can never be won: it unlocks after 5 draws of a day, \
             and the limits allow 5 draws on a day",
        ],
    ),
    (
        "rule = \"rule_lock\"\n",
        "",
        &[
            "line 65, tree[2].nodes[1].rule: missing: the key is not the name of a rule, so this says which it is",
        ],
    ),
    (
        "key = \"rule_stock\"\nallow",
        "key = \"first\"\nallow",
        &[
            "line 69, tree[2].nodes[1].allow: no node of this tree has the key \"rule_stock\"",
            "line 72, tree[2].nodes[2].key: must be unique, but first was there before",
        ],
    ),
    (
        "award = 101\nconfig = \"1,50\"",
        "award = 109\nconfig = \"1,50\"",
        &["line 76, tree[2].nodes[3].award: no award has the id 109"],
    ),
    (
        "[[stage]]",
        "[[stage]",
        &["line 13: unclosed array table, expected `]`"],
    ),
];

#[test]
fn each_fault_has_its_message_and_its_line() {
    for (from, to, expected) in BROKEN {
        assert_eq!(faults(&edited(from, to)), *expected, "{from:?} -> {to:?}");
    }
}

/// The reference's demo ships this: its lock leads to the luck award both ways, so that a
/// prize with 3 % can never be won.
#[test]
fn a_prize_that_no_walk_reaches_is_refused() {
    let locked_for_good = edited(
        "allow = \"rule_stock\"\ntake_over",
        "allow = \"rule_luck_award\"\ntake_over",
    )
    .replacen(
        "[[tree.nodes]]\nkey = \"rule_stock\"\nallow = \"rule_luck_award\"\n",
        "",
        1,
    );
    assert_eq!(
        faults(&locked_for_good),
        ["line 54, award[3].tree: no walk reaches rule_stock: this prize can never be won"]
    );
    // Out of the pool it does not matter, but then the rule that forces it is in vain.
    let forced = locked_for_good.replacen("rate = 0.05", "rate = 0", 1);
    assert_eq!(
        faults(&forced),
        [
            "line 29, strategy.rule_weight[1].awards[2]: with all locks open no walk through its tree \
              reaches rule_stock: this rule could never give the prize"
        ]
    );
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
    assert_eq!(lines, expected.map(|place| Some(place.to_owned())));
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
    let mut places: Vec<_> = faults("")
        .iter()
        .filter_map(|fault| fault.split(':').next().map(str::to_owned))
        .collect();
    places.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(places, expected);
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

#[test]
fn what_a_published_campaign_keeps() {
    let published = parse(SMALL);
    let text = SMALL
        .replacen("Asia/Shanghai", "Asia/Tokyo", 1)
        .replacen("id = 17", "id = 18", 1)
        .replacen("count = 20", "count = 30", 1)
        .replacen("count = 1000\n", "", 1)
        .replacen("key = \"points\"", "count = 5\ntree = \"plain\"", 1);
    let faults: Vec<_> = parse(&text)
        .incompatible_with(&published)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "the time zone of a published activity cannot change: it is Asia/Shanghai, the file says Asia/Tokyo",
        "the strategy of a published activity cannot change: it is 17, the file says 18",
        "award 101 was published without a limit and cannot become limited: give the limited prize a new id",
        "award 102 was published with a limited count and cannot become unlimited",
        "award 103 was published with 20 units, the file says 30: use `drawbridge stock add` to change its stock, \
             and leave the count as it was",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn everything_else_may_change() {
    let published = parse(SMALL);
    let text = SMALL
        .replacen("Asia/Shanghai", "asia/shanghai", 1)
        .replacen("rate = 0.7", "rate = 0.1", 1)
        .replacen("\"open\"", "\"close\"", 1);
    assert_eq!(parse(&text).incompatible_with(&published), []);
}

proptest! {
    /// A hand that slips, a disk that is full: any text has an answer, never a panic.
    #[test]
    fn no_text_makes_the_reader_panic(
        file in 0..SHIPPED.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30, "[\\]\\[{}=\",.#0-9a-z_\n -]{0,6}"), 0..6),
        end in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut text: Vec<char> = SHIPPED[file].chars().collect();
        for (start, length, instead) in edits {
            let start = start.index(text.len());
            let range = start..(start + length).min(text.len());
            text.splice(range, instead.chars());
        }
        if is_cut {
            text.truncate(end.index(text.len() + 1));
        }
        let text: String = text.into_iter().collect();
        if let Err(invalid) = Campaign::parse(&text) {
            prop_assert!(!invalid.faults.is_empty());
            prop_assert!(!invalid.to_string().is_empty());
        }
    }

    /// Whole keys that are gone or doubled reach the checks behind the syntax.
    #[test]
    fn no_lost_or_doubled_line_makes_the_reader_panic(
        file in 0..SHIPPED.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..4),
    ) {
        let mut lines: Vec<&str> = SHIPPED[file].lines().collect();
        for (line, is_doubled) in edits {
            let index = line.index(lines.len());
            if is_doubled {
                lines.insert(index, lines[index]);
            } else {
                lines.remove(index);
            }
        }
        let _ = Campaign::parse(&lines.join("\n"));
    }
}
