//! Campaign files: checked as a whole, published at any time, followed within two seconds.
use std::path::Path;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::campaign::{DEMO, LOAD, LOAD_ACTIVITY, SCARCE, in_state, scarce, with};
use crate::support::{FOLLOWED, Place, Ran, Request, Server, eventually, run, text_of};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/campaigns");

async fn check(place: &Place, name: &str) -> String {
    place
        .run(&["campaign", "check", &format!("{SHIPPED}/{name}.toml")])
        .await
        .ok()
}

#[tokio::test]
async fn every_shipped_campaign_is_sound() {
    let place = Place::new();
    let mut files: Vec<_> = std::fs::read_dir(Path::new(SHIPPED))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    for file in &files {
        let file = file.to_str().unwrap();
        let reported = check(&place, file.strip_suffix(".toml").unwrap()).await;
        assert!(reported.contains("exact odds"), "{file}:\n{reported}");
        place
            .run_here(&["campaign", "publish", &format!("{SHIPPED}/{file}")])
            .await
            .ok();
    }
    assert_eq!(
        place
            .run_here(&["campaign", "list"])
            .await
            .ok()
            .lines()
            .count(),
        files.len()
    );
}

/// The line that shows an award's odds.
fn shows(reported: &str, award: u64, odds: &str) {
    let shown = reported
        .lines()
        .filter(|line| line.split_whitespace().next() == Some(&award.to_string()));
    let shown: Vec<&str> = shown.collect();
    assert!(
        shown
            .iter()
            .any(|line| line.split_whitespace().any(|word| word == odds)),
        "award {award}, {odds}:\n{reported}"
    );
}

#[tokio::test]
async fn the_odds_are_shown_as_exact_fractions() {
    let place = Place::new();
    let demo = check(&place, "100301").await;
    // The rates sum to 0.9703 and what is missing is spread.
    for (award, odds) in [
        (101, "7900/9703"),
        (104, "300/9703"),
        (108, "3/9703"),
        (102, "1/2"),
        (106, "1/2"),
    ] {
        shows(&demo, award, odds);
    }
    assert!(demo.contains("0.9703"), "{demo}");
    for lock in [
        "award 105: opens after 3 draws",
        "award 106: opens after 2 draws",
        "award 107: opens after 1 draw",
    ] {
        assert!(demo.contains(lock), "{lock}:\n{demo}");
    }
    let ai = check(&place, "100401").await;
    for (award, odds) in [(110, "4000/5000"), (113, "1/5000")] {
        shows(&ai, award, odds);
    }
    let scarce = check(&place, "scarce").await;
    shows(&scarce, 1, "1/1");
    shows(&scarce, 101, "0/1");
}

#[tokio::test]
async fn a_broken_file_is_refused_with_the_line_of_each_fault() {
    let place = Place::new();
    let text = with(
        DEMO,
        "begins_at = 2024-03-09T10:15:10+08:00",
        "begins_at = 2024-03-09T10:15:10",
    );
    let text = with(&text, "welcome = 100 ", "welcome = -1 ");
    let text = with(&text, "draw = 70", "darw = 70");
    let text = with(&text, "rate = 0.0003", "rate = 0.00000031");
    let text = with(&text, "rate = 0.79", "rate = 0.79\ncuont = 3");
    let file = place.file("broken.toml", &text);
    for arguments in [
        &["campaign", "check", &file][..],
        &["campaign", "publish", &file, "--data", "published"],
    ] {
        let message = place.run(arguments).await.failed(1);
        for (part, place) in [
            ("begins_at = 2024", "activity.begins_at"),
            ("welcome = -1", "chances.welcome"),
            ("darw = 70", "strategy.rule_weight[2].darw"),
            ("rate = 0.00000031", "award[8].rate"),
            ("cuont = 3", "award[1].cuont"),
        ] {
            let line = 1 + text.lines().position(|line| line.contains(part)).unwrap();
            let expected = format!("line {line}, {place}");
            assert!(
                message.contains(&expected),
                "{expected} is missing in:\n{message}"
            );
        }
    }
    let list = place
        .run(&["campaign", "list", "--data", "published"])
        .await;
    assert!(
        list.code != Some(0) || list.stdout.is_empty(),
        "a refused file must not be there: {list:?}"
    );
}

#[tokio::test]
async fn files_that_cannot_be_read_are_no_verdict() {
    let place = Place::new();
    place
        .run(&["campaign", "check", "nowhere.toml"])
        .await
        .failed(2);
    place
        .run_here(&["campaign", "publish", "nowhere.toml"])
        .await
        .failed(2);
    let message = {
        let file = place.file("no.toml", "format = 1\n[activity\n");
        place.run(&["campaign", "check", &file]).await.failed(1)
    };
    assert!(message.contains("line 2"), "{message}");
}

#[tokio::test]
async fn a_publication_is_followed_within_two_seconds() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    // Something new.
    place.publish(DEMO).await.ok();
    let armory = Request::get("activity/armory?activityId=100301");
    eventually("a new campaign", FOLLOWED, async || {
        (server.ask(&armory).await.code == "0000").then_some(())
    })
    .await;
    server
        .ask(&Request::draw("u", 100_301, "k"))
        .await
        .expect(200, "0000");
    // Something changed: titles and a stage.
    let text = with(LOAD, "title = \"Prize 1\"", "title = \"First prize\"");
    place
        .publish(&format!(
            "{text}\n[[stage]]\nchannel = \"c09\"\nsource = \"s09\"\n"
        ))
        .await
        .ok();
    let list = Request::json(
        "query_raffle_award_list",
        &json!({"strategyId": LOAD_ACTIVITY}),
    );
    eventually("a new title", FOLLOWED, async || {
        (server.data(&list).await[0]["awardTitle"] == "First prize").then_some(())
    })
    .await;
    let stage = Request::get("activity/query_stage_activity_id?channel=c09&source=s09");
    assert_eq!(server.data(&stage).await, json!(LOAD_ACTIVITY));
    // Something closed, and opened again.
    for (text, code) in [
        (in_state(LOAD, "close"), "ERR_BIZ_003"),
        (LOAD.to_owned(), "0000"),
    ] {
        place.publish(&text).await.ok();
        let mut key = 0;
        eventually(code, FOLLOWED, async || {
            key += 1;
            let draw = Request::draw("u", LOAD_ACTIVITY, &format!("{code}-{key}"));
            (server.ask(&draw).await.code == code).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn publishing_the_same_file_again_changes_nothing() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let before = (
        place.run_here(&["campaign", "list"]).await.ok(),
        place.run_here(&["stock", "show", "--history"]).await.ok(),
    );
    assert!(before.0.contains("version 1"), "{}", before.0);
    let reported = place.publish(LOAD).await.ok();
    assert!(
        reported.contains("version 1") && reported.contains("nothing to do"),
        "{reported}"
    );
    let server = Server::start(&place).await;
    place.publish(LOAD).await.ok();
    server.stop().await;
    let after = (
        place.run_here(&["campaign", "list"]).await.ok(),
        place.run_here(&["stock", "show", "--history"]).await.ok(),
    );
    assert_eq!(after, before);
    let reported = place.publish(&in_state(LOAD, "close")).await.ok();
    assert!(reported.contains("version 2"), "{reported}");
    let reported = place.publish(LOAD).await.ok();
    assert!(
        reported.contains("version 3"),
        "going back is a change too: {reported}"
    );
}

#[tokio::test]
async fn publications_at_once_become_versions_one_after_the_other() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let files =
        (0..6).map(|number| place.file(&format!("{number}.toml"), format!("{LOAD}# {number}\n")));
    let data = text_of(&place.data());
    let mut publishing = JoinSet::new();
    for file in files {
        publishing.spawn(run(
            place.command(&["campaign", "publish", &file, "--data", &data])
        ));
    }
    let mut reported: Vec<_> = publishing
        .join_all()
        .await
        .into_iter()
        .map(Ran::ok)
        .collect();
    reported.sort();
    for (version, reported) in (2..).zip(&reported) {
        assert!(
            reported.contains(&format!("version {version}")),
            "{reported}"
        );
    }
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn what_a_new_version_must_not_change_is_refused() {
    let place = Place::with_campaigns(&[DEMO, SCARCE]).await;
    let server = Server::start(&place).await;
    let before = place.run_here(&["campaign", "list"]).await.ok();
    let unlimited = with(SCARCE, "count = 1000\n", "");
    let limited = with(
        SCARCE,
        "rate = 0\n",
        "rate = 0\ncount = 5\ntree = \"stock_or_fallback\"\n",
    );
    let cases = [
        (with(SCARCE, "count = 1000", "count = 1001"), "stock add"),
        (with(SCARCE, "count = 1000", "count = 999"), "stock add"),
        (unlimited, "unlimited"),
        (limited, "limited"),
        (with(SCARCE, "Asia/Shanghai", "Europe/Berlin"), "time zone"),
        (
            with(SCARCE, "[strategy]\nid = 200002", "[strategy]\nid = 200009"),
            "strategy",
        ),
        (
            with(SCARCE, "[activity]\nid = 200002", "[activity]\nid = 200009"),
            "strategy 200002 already belongs",
        ),
        (
            with(
                &with(SCARCE, "200002", "200009"),
                "[strategy]\nid = 200009",
                "[strategy]\nid = 100006",
            ),
            "strategy 100006 already belongs",
        ),
    ];
    for (text, reason) in cases {
        let message = place.publish(&text).await.failed(1);
        assert!(
            message.contains(reason),
            "{reason} is missing in:\n{message}"
        );
    }
    let staged = |activity: u64| {
        format!(
            "{}\n[[stage]]\nchannel = \"c1\"\nsource = \"s1\"\n",
            scarce(activity, 1_000)
        )
    };
    place.publish(&staged(200_011)).await.ok();
    let message = place.publish(&staged(200_012)).await.failed(1);
    assert!(
        message.contains("already shows activity 200011"),
        "{message}"
    );
    // All reasons at once.
    let both = with(
        &with(SCARCE, "count = 1000", "count = 7"),
        "Asia/Shanghai",
        "Europe/Berlin",
    );
    let message = place.publish(&both).await.failed(1);
    assert!(
        message.contains("time zone") && message.contains("stock add"),
        "{message}"
    );

    let after = place.run_here(&["campaign", "list"]).await.ok();
    assert_eq!(
        after
            .lines()
            .filter(|line| !line.starts_with("200011"))
            .collect::<Vec<_>>(),
        before.lines().collect::<Vec<_>>()
    );
    assert_eq!(place.stock(200_002, 1).await, (1000, 0, 1000));
    server
        .ask(&Request::draw("u", 200_002, "k"))
        .await
        .expect(200, "0000");
    server.stop().await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn a_prize_that_comes_back_keeps_its_stock() {
    let place = Place::with_campaigns(&[&scarce(200_003, 5)]).await;
    let server = Server::start(&place).await;
    for key in 0..3 {
        let drawn = server
            .data(&Request::draw("u", 200_003, &key.to_string()))
            .await;
        assert_eq!(drawn["awardId"], 1);
    }
    // Another prize takes its place for a while.
    let other = with(&scarce(200_003, 5), "id = 1\n", "id = 2\n");
    place.publish(&other).await.ok();
    place.publish(&scarce(200_003, 5)).await.ok();
    server.stop().await;
    assert_eq!(place.stock(200_003, 1).await, (5, 3, 2));
    assert_eq!(place.stock(200_003, 2).await, (5, 0, 5));
    let message = place.publish(&scarce(200_003, 6)).await.failed(1);
    assert!(message.contains("stock add"), "{message}");
    place.audited_at_rest().await;
}
