//! The rules before the draw.
use super::*;
use crate::campaign::ChainRule;
use crate::ids::AwardIndex;

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

const BROKEN: &[Broken] = &[
    (
        "\"rule_blacklist\", ",
        "",
        &[
            "line 24, strategy.rule_blacklist: rule_models does not list this rule, so it would never apply",
        ],
    ),
    (
        "\"rule_blacklist\", ",
        "\"rule_weight\", ",
        &[
            "line 23, strategy.rule_models[2]: this rule is listed already",
            "line 24, strategy.rule_blacklist: rule_models does not list this rule, so it would never apply",
        ],
    ),
    (
        "\"rule_weight\"]",
        "\"rule_heavy\"]",
        &[
            "line 23, strategy.rule_models[2]: expected \"rule_blacklist\" or \"rule_weight\", found the string \"rule_heavy\"",
            "line 27, strategy.rule_weight: rule_models does not list this rule, so it would never apply",
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
        &[
            "line 32, strategy.rule_weight[2].awards: no award of this group has a rate or weight above 0",
        ],
    ),
    (
        "id = 103\n",
        "id = 102\n",
        &[
            "line 29, strategy.rule_weight[1].awards[2]: no award has the id 103",
            "line 49, award[3].id: must be unique, but 102 was there before",
        ],
    ),
];

#[test]
fn each_fault_has_its_message_and_its_line() {
    check(BROKEN);
}
