//! Prizes of which one user gets a few at most (`per_user`).
use serde_json::json;

use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce, with};
use crate::support::{FOLLOWED, Place, Request, Server, ask_all, eventually};

const ACTIVITY: u64 = 200_003;
const CHECK: &str = "user_awards_match_orders";

/// The scarce campaign, whose prize a user gets so many times at most. All draws draw it.
fn limited(units: u64, most: u32) -> String {
    let count = format!("count = {units}\n");
    let text = scarce(ACTIVITY, units);
    with(&text, &count, &format!("{count}per_user = {most}\n"))
}

/// How many of ten draws in one call win the prize; all others get the fallback.
async fn wins_of_ten(server: &Server, user: &str, key: &str) -> usize {
    let ten = Request::draws(user, ACTIVITY, key, 10);
    let draws = server.ask(&ten).await.expect(200, "0000").draws();
    let won = |award| draws.iter().filter(|(drawn, _)| *drawn == award).count();
    assert_eq!(won(SCARCE_AWARD) + won(FALLBACK_AWARD), 10);
    won(SCARCE_AWARD)
}

/// What an audit has checked of such prizes.
async fn counts_checked(place: &Place) -> u64 {
    let report = place.audited().await;
    let checks = report["checks"].as_array().expect("checks").iter();
    let mut found = checks.filter(|check| check["name"] == CHECK);
    let checked = &found.next().expect("a check")["checked"];
    checked.as_u64().expect("a number")
}

#[tokio::test]
async fn a_user_gets_the_prize_once_however_the_calls_come() {
    let place = Place::with_campaigns(&[&limited(4, 1)]).await;
    let mut server = Server::start(&place).await;
    assert_eq!(wins_of_ten(&server, "a", "k").await, 1);
    assert_eq!(wins_of_ten(&server, "a", "k").await, 1, "the same answer");
    assert_eq!(wins_of_ten(&server, "a", "l").await, 0);
    let singles = (0..20).map(|number| Request::draw("b", ACTIVITY, &number.to_string()));
    let answers = ask_all(server.listen, singles.collect(), 8).await;
    let won = answers
        .iter()
        .filter(|answer| answer.award() == SCARCE_AWARD);
    assert_eq!(won.count(), 1);
    // What a call for ten does not win is there for others, until it is gone.
    let list = Request::json("query_raffle_award_list", &json!({"strategyId": ACTIVITY}));
    assert_eq!(server.data(&list).await[0]["left"], 2);
    for (user, wins) in [("c", 1), ("d", 1), ("e", 0)] {
        assert_eq!(wins_of_ten(&server, user, "k").await, wins, "{user}");
    }
    server.kill();
    let server = Server::start(&place).await;
    let units = ["stock", "add", "200003", "1", "3", "--reason", "a gift"];
    place.run_here(&units).await.ok();
    eventually("the units are there", FOLLOWED, async || {
        (server.data(&list).await[0]["left"] == 3).then_some(())
    })
    .await;
    for (user, wins) in [("a", 0), ("e", 1), ("e", 0), ("f", 1)] {
        let key = format!("later{wins}");
        assert_eq!(wins_of_ten(&server, user, &key).await, wins, "{user}");
    }
    server.stop().await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (7, 6, 1));
    assert_eq!(counts_checked(&place).await, 6);
}

#[tokio::test]
async fn a_limit_that_is_added_later_counts_from_then_on() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 100)]).await;
    let server = Server::start(&place).await;
    assert_eq!(wins_of_ten(&server, "a", "before").await, 10);
    let titled = |text: &str, title: &str| with(text, "Scarce prize", title);
    let list = Request::json("query_raffle_award_list", &json!({"strategyId": ACTIVITY}));
    for (number, (most, wins)) in [(2, 2), (3, 1), (1, 0)].into_iter().enumerate() {
        let title = format!("At most {most}");
        let text = titled(&limited(100, most), &title);
        let file = place.file("next.toml", &text);
        let diff = place.run_here(&["campaign", "diff", &file]).await;
        let diff = diff.stdout;
        assert!(diff.contains("award 1, at most for one user: "), "{diff}");
        place.publish(&text).await.ok();
        eventually("the new version is followed", FOLLOWED, async || {
            (server.data(&list).await[0]["awardTitle"] == title).then_some(())
        })
        .await;
        let key = number.to_string();
        assert_eq!(wins_of_ten(&server, "a", &key).await, wins, "{title}");
    }
    server.stop().await;
    assert_eq!(counts_checked(&place).await, 1);
}

#[tokio::test]
async fn a_file_says_what_such_a_prize_needs() {
    let place = Place::new();
    let check = async |text: &str| {
        let file = place.file("limited.toml", text);
        place.run(&["campaign", "check", &file]).await
    };
    let shown = check(&limited(100, 1)).await.ok();
    let line = "  award 1: at most 1, then what its tree gives when it is gone";
    assert!(shown.contains(line), "{shown}");
    let fallback = with(&limited(100, 1), "rate = 0\n", "rate = 0\nper_user = 1\n");
    let refused = check(&fallback).await.failed(1);
    let needs = "award[2].per_user: a prize with per_user needs a tree";
    assert!(refused.contains(needs), "{refused}");
}
