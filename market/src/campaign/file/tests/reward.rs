//! `[[reward]]`.
use std::num::NonZeroU32;

use super::*;
use crate::campaign::{Gives, Reward};
use crate::ids::{Behaviour, SkuId};
use crate::points::Points;

/// `SMALL` with rewards, the first at line 13.
fn with(rewards: &str) -> String {
    edited("[[stage]]", &format!("{rewards}\n[[stage]]"))
}

fn read(text: &str) -> Vec<Reward> {
    parse(text).rewards
}

const ALL: &str = "\
[[reward]]
behavior = \"sign\"
kind = \"chances\"
sku = 70
[[reward]]
behavior = \"sign\"
kind = \"points\"
points = \"10.5\"
[[reward]]
behavior = \"sign\"
kind = \"points\"
points = 1000000
streak = 7
[[reward]]
behavior = \"openai_pay\"
kind = \"points\"
points = 0.01
";

#[test]
fn rewards_are_chances_or_points_and_of_a_day_or_of_a_streak() {
    let points = |hundredths| Gives::Points(Points::from_hundredths(hundredths).expect("points"));
    let reward = |word, gives, streak| Reward {
        behaviour: Behaviour::new(word).expect("a word"),
        gives,
        streak: NonZeroU32::new(streak),
    };
    let sku = SkuId::new(70).expect("an id");
    let expected = [
        reward("sign", Gives::Chances(sku), 0),
        reward("sign", points(1_050), 0),
        reward("sign", points(100_000_000), 7),
        reward("openai_pay", points(1), 0),
    ];
    let campaign = parse(&with(ALL));
    assert_eq!(campaign.rewards, expected);
    let given: Vec<_> = campaign.rewards_for(&Behaviour::sign()).collect();
    assert_eq!(given, [&expected[0], &expected[1], &expected[2]]);
    let none = Behaviour::new("other").expect("a word");
    assert_eq!(campaign.rewards_for(&none).count(), 0);
    assert_eq!(campaign.sku(sku).map(|sku| sku.chances), Some(1));
    let trial = with(ALL).replacen("id = 7\n", "id = 7\ntrial_of = 8\n", 1);
    assert_eq!(read(&trial), [], "a trial rewards nothing");
}

#[test]
fn each_fault_has_its_message_and_its_line() {
    for (from, to, expected) in [
        (
            "behavior = \"sign\"",
            "behavior = \"si gn\"",
            "line 14, reward[1].behavior: must be 1 to 16 ASCII letters, digits, '_', '-' or '.'",
        ),
        (
            "behavior = \"sign\"",
            "behaviour = \"sign\"",
            "line 13, reward[1].behavior: missing: expected a string of 1 to 16 characters",
        ),
        (
            "kind = \"chances\"",
            "kind = \"chance\"",
            "line 15, reward[1].kind: expected \"chances\" or \"points\", found the string \"chance\"",
        ),
        (
            "sku = 70",
            "sku = 71",
            "line 16, reward[1].sku: no sku of this file has the id 71",
        ),
        (
            "sku = 70",
            "",
            "line 13, reward[1].sku: missing: expected the id of a sku of this file, whose chances are given",
        ),
        (
            "sku = 70",
            "sku = 70\npoints = 1",
            "line 17, reward[1].points: a reward of kind \"chances\" gives no points: list another reward",
        ),
        (
            "points = \"10.5\"",
            "points = \"10.5\"\nsku = 70",
            "line 21, reward[2].sku: a reward of kind \"points\" gives no sku: list another reward",
        ),
        (
            "points = \"10.5\"",
            "",
            "line 17, reward[2].points: missing: expected how many points are given",
        ),
        (
            "streak = 7",
            "",
            "line 22, reward[3].behavior: this behavior has a reward of this kind and streak already",
        ),
        (
            "streak = 7",
            "streak = 1",
            "line 25, reward[3].streak: expected an integer from 2 to 366, found 1",
        ),
        (
            "streak = 7",
            "streak = 367",
            "line 25, reward[3].streak: expected an integer from 2 to 366, found 367",
        ),
        (
            "points = 0.01",
            "points = 0.01\nstreak = 2",
            "line 30, reward[4].streak: days in a row are counted of \"sign\" only: leave streak out",
        ),
    ] {
        let text = with(&ALL.replacen(from, to, 1));
        let found = faults(&text);
        assert!(
            found.iter().any(|fault| fault == expected),
            "{to}: {found:#?}"
        );
    }
}

#[test]
fn amounts_are_bounded() {
    for bad in ["0", "\"0.00\"", "-1", "1.005", "1e2", "1000000.01", "\"\""] {
        let text = with(&ALL.replacen("\"10.5\"", bad, 1));
        let expected = "line 20, reward[2].points: expected points from 0.01 to 1000000, with at most two decimals, such \
                        as \"1.50\"";
        assert_eq!(faults(&text), [expected], "{bad}");
    }
}

#[test]
fn a_behaviour_has_at_most_8_rewards() {
    let of_row = |streak: u32| {
        format!(
            "[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = 1\nstreak = {streak}\n"
        )
    };
    let rewards = |rows: u32| {
        with(&(2..2 + rows).map(of_row).fold(ALL.to_owned(), |all, row| {
            // One of the three is for the seventh day.
            all + &row.replace("streak = 7", "streak = 70")
        }))
    };
    assert_eq!(read(&rewards(5)).len(), 9, "8 for a sign-in, and another");
    let too_many = rewards(6);
    let expected = "line 56, reward[10].behavior: \"sign\" has 8 rewards already, and no more can be: they are given \
                    in one transaction";
    assert_eq!(faults(&too_many), [expected]);
    let published = Campaign::parse_published(&too_many);
    assert_eq!(published.expect("it stays in force").rewards.len(), 10);
}

#[test]
fn a_file_has_at_most_32_rewards() {
    let reward =
        |index| format!("[[reward]]\nbehavior = \"b{index}\"\nkind = \"points\"\npoints = 1\n");
    let rewards = |count| (0..count).map(reward).collect::<String>();
    assert_eq!(read(&with(&rewards(32))).len(), 32);
    let expected = "line 13, reward: expected 0 to 32 tables, found 33";
    assert_eq!(faults(&with(&rewards(33))), [expected]);
}
