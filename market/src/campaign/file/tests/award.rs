//! `[[award]]`.
use super::*;

#[test]
fn rates_may_be_spelled_as_any_decimal() {
    for (spelling, millionths) in [
        ("1", 1_000_000),
        ("1.0", 1_000_000),
        ("\"0.000001\"", 1),
        ("\"0.00030000\"", 300),
        ("1e-4", 100),
        ("\"5e-1\"", 500_000),
        ("0.5", 500_000),
    ] {
        let text = SHIPPED[3].replacen("rate = 1\n", &format!("rate = {spelling}\n"), 1);
        assert_eq!(
            parse(&text).strategy.awards[0].rate.share(),
            millionths,
            "{spelling}"
        );
    }
}

/// A wheel whose odds are weights, with a prize beside it.
const WEIGHED: &str = "\
[[award]]
id = 1
title = \"a\"
sort = 1
weight = 3
[[award]]
id = 2
title = \"b\"
sort = 2
weight = 9
[[award]]
id = 3
title = \"beside\"
on_wheel = false
weight = 4
";

/// The head of a campaign, with a guarantee of the prize beside the wheel.
fn weighed(awards: &str) -> String {
    let (head, _) = SMALL
        .split_once("[[strategy.rule_weight]]")
        .expect("a rule");
    let head = head.replace("award = 101", "award = 3");
    format!("{head}[[strategy.rule_weight]]\ndraw = 3\nawards = [1, 3]\n{awards}")
}

#[test]
fn weights_count_in_proportion_and_what_is_beside_the_wheel_is_not_drawn() {
    let strategy = parse(&weighed(WEIGHED)).strategy;
    let odds: Vec<_> = (0..3).map(|index| strategy.pool.odds(index)).collect();
    assert_eq!(odds, [(1, 4), (3, 4), (0, 4)]);
    let places: Vec<_> = strategy.awards.iter().map(|award| award.sort).collect();
    assert_eq!(places, [1, 2, 0]);
    let group = &strategy.weight_groups()[0];
    assert_eq!([group.pool.odds(0), group.pool.odds(1)], [(3, 7), (4, 7)]);
}

#[test]
fn rates_and_weights_are_not_mixed() {
    let faults = |awards: &str| {
        let refused = Campaign::parse(&weighed(awards)).expect_err("it is refused");
        let messages = refused.faults.into_iter().map(|fault| fault.message);
        messages.collect::<Vec<_>>().join("\n")
    };
    for (from, to, expected) in [
        (
            "weight = 9",
            "rate = 0.5",
            "some awards have a rate and some a weight",
        ),
        (
            "weight = 9",
            "weight = 9\nrate = 0.5",
            "a rate or a weight, not both",
        ),
        (
            "weight = 9",
            "weight = -1",
            "expected an integer from 0 to 1000000000, found -1",
        ),
        ("weight = 9", "", "missing: expected a decimal number"),
        (
            "on_wheel = false",
            "on_wheel = false\nsort = 2",
            "has no place there",
        ),
        (
            "sort = 2",
            "on_wheel = false\nsort = 1",
            "has no place there",
        ),
        (
            "sort = 2",
            "sort = 3",
            "expected an integer from 1 to 2, found 3",
        ),
    ] {
        let found = faults(&WEIGHED.replacen(from, to, 1));
        assert!(found.contains(expected), "{to}: {found}");
    }
}

const BROKEN: &[Broken] = &[
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
        "rate = 7e-7",
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
        "count = -1",
        &["line 38, award[1].count: expected an integer from 0 to 1000000000000, found -1"],
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
        "count = 20",
        "count = 20\nper_user = 0",
        &["line 54, award[3].per_user: expected an integer from 1 to 1000000, found 0"],
    ),
    (
        "cost_minor = 10",
        "cost_minor = 10\nper_user = 1",
        &[
            "line 48, award[2].per_user: a prize with per_user needs a tree: its luck award is given to users who have as many",
        ],
    ),
    (
        "cost_minor = 10",
        "cost_minor = 10\nper_user = 1\ntree = \"plain\"",
        &[
            "line 48, award[2].per_user: this prize is the luck award of a tree, which everybody must be able to get: \
             it cannot have per_user",
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
];

#[test]
fn limits_for_one_user_are_listed() {
    let none = parse(SMALL).strategy;
    assert!(none.user_limits().is_empty());
    let strategy = parse(&edited("count = 20\n", "count = 20\nper_user = 3\n")).strategy;
    let limits = strategy.user_limits().iter();
    let limits: Vec<_> = limits
        .map(|limit| (strategy.award(limit.award).id.get(), limit.most.get()))
        .collect();
    assert_eq!(limits, [(103, 3)]);
}

#[test]
fn a_file_limits_a_few_awards_only() {
    use testkit::campaign::{Award, CampaignFile, Tree};
    let with = |count: u64| {
        let limited = |id| {
            Award::new(id, "mug", "0.01")
                .count(1, "tree")
                .setting("per_user", "1")
        };
        let file = (1..=count).map(limited);
        let file = file.fold(CampaignFile::new(1), CampaignFile::award);
        let file = file.award(Award::luck());
        file.tree(Tree::stock("tree", CampaignFile::LUCK, None))
            .text()
    };
    assert_eq!(parse(&with(10)).strategy.user_limits().len(), 10);
    let found = faults(&with(11));
    let expected =
        "award: 11 awards have per_user, and at most 10 may: each draw looks all of them up";
    assert!(
        found.len() == 1 && found[0].ends_with(expected),
        "{found:?}"
    );
}

#[test]
fn each_fault_has_its_message_and_its_line() {
    check(BROKEN);
}
