//! The configs of points prizes.
use super::*;
use crate::points::PointsRange;

/// `SMALL` whose award 101 has this key and config.
fn with(key: &str, config: &str) -> String {
    let own = format!("key = {key:?}\nconfig = {config:?}");
    edited("key = \"points\"\nconfig = \"1,100\"", &own)
}

/// The bounds, in hundredths.
fn bounds(range: Option<PointsRange>) -> Option<(u64, u64)> {
    range.map(|range| (range.least().hundredths(), range.most().hundredths()))
}

const RANDOM: &str = "user_credit_random";
const FIXED: &str = "user_credit_blacklist";

#[test]
fn configs_of_points_prizes_are_read_once() {
    for (key, config, expected) in [
        (RANDOM, "1,100", Some((100, 10_000))),
        (RANDOM, "0,0.01", Some((0, 1))),
        (RANDOM, "0.5,1000000", Some((50, 100_000_000))),
        (RANDOM, "5,5", Some((500, 500))),
        (RANDOM, "5", Some((500, 500))),
        (FIXED, "1.5", Some((150, 150))),
        ("points", "whatever", None),
        ("", "", None),
    ] {
        let text = with(key, config).replacen("config = \"1,50\"", "", 1);
        let strategy = parse(&text).strategy;
        let award = &strategy.awards[0];
        assert_eq!(bounds(award.points), expected, "{key} {config}");
        assert_eq!(award.config, config);
        assert_eq!(strategy.pays_points(), expected.is_some());
    }
}

#[test]
fn a_config_that_cannot_be_read_is_a_fault() {
    let random = "line 46, award[2].config: expected the least and the most points that the prize pays, such as \"1,100\": \
                  decimals with at most two places, the most at least 0.01 and at most 1000000, found ";
    let fixed = "line 46, award[2].config: expected the points that the prize pays, such as \"1\": a decimal from 0.01 to \
                 1000000 with at most two places, found ";
    for config in [
        "",
        "100,1",
        "1,",
        ",1",
        "1,2,3",
        "1, 2",
        "-1,1",
        "1,1000000.01",
        "0.001,1",
        "0,0",
        "a,b",
    ] {
        let text = with(RANDOM, config).replacen("config = \"1,50\"", "", 1);
        assert_eq!(faults(&text), [format!("{random}{config:?}")]);
    }
    for config in ["", "0", "1,2", "-1", "1.001"] {
        let text = with(FIXED, config).replacen("config = \"1,50\"", "", 1);
        assert_eq!(faults(&text), [format!("{fixed}{config:?}")]);
    }
    let absent = with(RANDOM, "1,100").replacen("config = \"1,100\"\n", "", 1);
    assert!(faults(&absent)[0].starts_with("line 40, award[2].config: expected the least"));
    let node = with(RANDOM, "1,100").replacen("config = \"1,50\"", "config = \"50,1\"", 1);
    assert!(faults(&node)[0].starts_with("line 77, tree[2].nodes[3].config: expected the least"));
}

#[test]
fn a_published_file_with_such_a_config_is_read_and_pays_nothing() {
    let text = with(RANDOM, "many");
    assert!(Campaign::parse(&text).is_err());
    let read = |text: &str| Campaign::parse_published(text).expect("as before").strategy;
    let strategy = read(&text);
    let award = AwardIndex(0);
    assert_eq!(strategy.points_of(award, None), None);
    assert_eq!(strategy.config_of(award, None), "many");
    let (by, given) = strategy.luck_node(AwardIndex(2)).expect("a node");
    assert_eq!(given, award);
    let of_node = strategy.points_of(award, Some(by));
    assert_eq!(
        bounds(of_node),
        Some((100, 5_000)),
        "its node says how much"
    );
    assert!(strategy.pays_points());
    let strategy = read(&text.replacen("config = \"1,50\"", "config = \"few\"", 1));
    assert_eq!(strategy.points_of(award, Some(by)), None);
    assert!(!strategy.pays_points());
    let broken = text.replacen("rate = 0.7", "rate = 7", 1);
    assert!(Campaign::parse_published(&broken).is_err());
}

#[test]
fn a_luck_node_says_how_much_its_award_pays() {
    let text = with(RANDOM, "2,3");
    let strategy = parse(&text).strategy;
    let by = |drawn| strategy.luck_node(AwardIndex(drawn)).expect("a node").0;
    // The first tree's node has no config, the second one's has.
    let given = [None, Some(by(1)), Some(by(2))];
    let award = AwardIndex(0);
    let paid = given.map(|by| bounds(strategy.points_of(award, by)));
    assert_eq!(
        paid,
        [Some((200, 300)), Some((200, 300)), Some((100, 5_000))]
    );
    let configs = given.map(|by| strategy.config_of(award, by));
    assert_eq!(configs, ["2,3", "2,3", "1,50"]);
}

#[test]
fn a_trial_pays_nothing() {
    let text = with(RANDOM, "1,100").replacen("id = 7\n", "id = 7\ntrial_of = 8\n", 1);
    let strategy = parse(&text).strategy;
    assert!(!strategy.pays_points());
    assert_eq!(strategy.awards[0].points, None);
    let broken = text.replacen("config = \"1,100\"", "config = \"x\"", 1);
    assert_eq!(faults(&broken).len(), 1, "its file is checked all the same");
}
