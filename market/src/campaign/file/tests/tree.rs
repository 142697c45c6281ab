//! `[[tree]]`.
use super::*;

const BROKEN: &[Broken] = &[
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
        "rule = \"rule_lock\"\n",
        "",
        &[
            "line 65, tree[2].nodes[1].rule: missing: expected a rule, because the key does not name one",
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
];

#[test]
fn each_fault_has_its_message_and_its_line() {
    check(BROKEN);
}

/// A fault of the reference's demo: its lock leads to the luck award both ways, so a prize with
/// 3 % can never be won.
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
    // Outside of the pool it does not matter. But a rule that forces the prize never could.
    let forced = locked_for_good.replacen("rate = 0.05", "rate = 0", 1);
    assert_eq!(
        faults(&forced),
        [
            "line 29, strategy.rule_weight[1].awards[2]: with all locks open no walk through its tree \
              reaches rule_stock: this rule could never give the prize"
        ]
    );
}
