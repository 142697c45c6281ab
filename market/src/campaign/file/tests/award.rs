//! `[[award]]`.
use super::*;

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
        "draws = 2",
        "draws = 5",
        &[
            "line 54, award[3].tree: this prize can never be won: it unlocks after 5 draws of a day, \
             and the limits allow 5 draws on a day",
        ],
    ),
];

#[test]
fn each_fault_has_its_message_and_its_line() {
    check(BROKEN);
}
