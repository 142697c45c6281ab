//! `route` and `audit`: where users live, and whether all that is stored holds together.
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use sqlx::Row as _;
use tokio::task::JoinSet;

use crate::support::campaign::{LOAD, LOAD_ACTIVITY, SCARCE_AWARD, scarce};
use crate::support::{
    Connection, Place, Request, Server, ask_all, open, plant, run_as_it_is, text_of,
};

const SCARCE_ACTIVITY: u64 = 200_003;

/// A folder in which a server has made draws of both kinds.
async fn played() -> Place {
    let place = Place::with_campaigns(&[LOAD, &scarce(SCARCE_ACTIVITY, 20)]).await;
    let server = Server::start(&place).await;
    let draws = (0..200).map(|number| {
        let activity = if number % 2 == 0 {
            LOAD_ACTIVITY
        } else {
            SCARCE_ACTIVITY
        };
        Request::draw(&format!("u{}", number % 41), activity, &number.to_string())
    });
    let answers = ask_all(server.listen, draws.collect(), 16).await;
    assert!(answers.iter().all(|answer| answer.code == "0000"));
    server.stop().await;
    place
}

/// What `route` says of a user.
fn told_route(reported: &str, user: &str) -> (u16, u16) {
    let line = reported
        .lines()
        .find(|line| line.starts_with(&format!("{user}: ")))
        .expect("the user's line");
    let number = |word: &str| {
        let rest = line.split(word).nth(1).expect("the word");
        rest.trim()
            .split(|letter: char| !letter.is_ascii_digit())
            .next()
            .expect("a number")
            .parse()
            .expect("a number")
    };
    (number("shard "), number("table "))
}

#[tokio::test]
async fn route_shows_where_a_users_rows_are() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = "[storage]\nshards = 3\ntables = 5\n";
    let server = Server::start_with(&place, config).await;
    let users = ["u1", "U1", "\u{fa}", "a b", "\u{1f3b0}"];
    for user in users {
        server
            .ask(&Request::draw(user, LOAD_ACTIVITY, "k"))
            .await
            .expect(200, "0000");
    }
    let reported = place
        .run_here(&[&["route"], &users[..]].concat())
        .await
        .ok();
    server.stop().await;
    assert!(
        reported.contains("3 shards of 5 tables"),
        "the folder's layout, not the default: {reported}"
    );
    for user in users {
        let (shard, table) = told_route(&reported, user);
        let mut connection = open(&place.data().join(format!("shard-{shard}.sqlite"))).await;
        let sql = format!("SELECT COUNT(*) FROM raffle_order_{table} WHERE user_id = ?");
        let row = sqlx::query(&sql)
            .bind(user)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(
            row.get::<i64, _>(0),
            1,
            "{user} is not in table {table} of shard {shard}"
        );
    }
}

#[tokio::test]
async fn route_answers_before_the_first_start_and_refuses_what_is_no_user() {
    let place = Place::new();
    let reported = place.run_here(&["route", "u1"]).await.ok();
    assert_eq!(
        told_route(&reported, "u1").0 / 2,
        0,
        "one of the two shards of the default: {reported}"
    );
    let file = place.file("config.toml", "[storage]\nshards = 1\ntables = 1\n");
    let reported = place.run(&["route", "--config", &file, "u1"]).await.ok();
    assert_eq!(told_route(&reported, "u1"), (0, 0));
    place.run_here(&["route", " u1"]).await.failed(2);
    place.run_here(&["route"]).await.failed(2);
    assert!(!place.data().exists(), "looking makes nothing");
}

/// The checks that find nothing of theirs in a folder in which users only draw from the load
/// campaign.
const NOTHING_TO_CHECK: [&str; 5] = [
    "user_awards_match_orders",
    "skus_not_oversold",
    "purchases_equal_chances",
    "points_equal_entries",
    "one_reward_per_behaviour",
];

#[tokio::test]
async fn the_audit_prints_for_people_and_for_programs() {
    let place = played().await;
    let text = place.run_here(&["audit"]).await.ok();
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
    let report = place.audited().await;
    assert_eq!(report["ok"], true);
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), text.lines().count());
    for check in checks {
        assert_eq!(check["ok"], true, "{check}");
        // Nothing is on sale here, and no user has points.
        let idle = NOTHING_TO_CHECK.contains(&check["name"].as_str().unwrap());
        assert_eq!(check["checked"] == 0, idle, "{check}");
        assert_eq!(check["violations"], serde_json::json!([]));
        assert!(text.contains(check["name"].as_str().unwrap()), "{check}");
    }
    assert_eq!(place.audited_at_rest().await, 200);
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_reason_to_crash() {
    let place = played().await;
    let campaign = place.file("load.toml", LOAD);
    let data = text_of(&place.data());
    for arguments in [
        &["audit", "--data", &data][..],
        &["audit", "--json", "--data", &data],
        &["stock", "show", "--data", &data],
        &["route", "u", "--data", &data],
        &["campaign", "list", "--data", &data],
        &["campaign", "check", &campaign],
        &["check-config"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped());
        let ran = run_as_it_is(command).await;
        assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {ran:?}");
    }
}

#[tokio::test]
async fn an_audit_that_cannot_look_gives_no_verdict() {
    let place = played().await;
    let nowhere = place.run(&["audit", "--json", "--data", "nowhere"]).await;
    assert_eq!(nowhere.stdout, "");
    nowhere.failed(2);
    assert!(!place.path("nowhere").exists(), "looking makes nothing");
    place
        .run(&["audit", "--config", "nowhere.toml"])
        .await
        .failed(2);
    std::fs::write(
        place.data().join("shard-1.sqlite"),
        "no database at all, however long one looks at this text",
    )
    .unwrap();
    let broken = place.run_here(&["audit", "--json"]).await.failed(2);
    assert!(broken.contains("shard-1.sqlite"), "{broken}");
    std::fs::remove_file(place.data().join("shard-1.sqlite")).unwrap();
    let missing = place.run_here(&["audit", "--json"]).await.failed(2);
    assert!(missing.contains("shard-1.sqlite"), "{missing}");
}

/// The checks that are not ok after a fault was planted.
async fn red_checks(place: &Place) -> Vec<String> {
    let ran = place.run_here(&["audit", "--json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    let checks = report["checks"].as_array().expect("a list");
    let red: Vec<_> = checks.iter().filter(|check| check["ok"] == false).collect();
    for check in &red {
        let (listed, total) = (
            check["violations"].as_array().expect("a list").len(),
            check["violations_total"].as_u64().expect("a number"),
        );
        assert!(listed > 0 && listed as u64 == total.min(100), "{check}");
    }
    let text = place.run_here(&["audit"]).await;
    assert_eq!(text.code, Some(1));
    assert!(
        red.iter().all(|check| text
            .stdout
            .contains(check["name"].as_str().expect("a name"))),
        "{}",
        text.stdout
    );
    red.iter()
        .map(|check| check["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn an_audit_finds_planted_faults() {
    let shard_faults = [
        (
            "UPDATE raffle_order_0 SET award_id = award_id + 1",
            "orders_match_their_campaign",
        ),
        (
            "UPDATE raffle_account_1 SET used = used - 1",
            "chances_match_orders",
        ),
        (
            "DELETE FROM raffle_order_2 WHERE stocked = 0",
            "chances_match_orders",
        ),
        (
            "UPDATE stock_issued SET issued = issued + 1",
            "issued_counters_match_orders",
        ),
        (
            "INSERT INTO raffle_order_3 SELECT * FROM raffle_order_0;
             INSERT INTO raffle_call_3 SELECT * FROM raffle_call_0",
            "rows_on_their_shard",
        ),
        ("DELETE FROM raffle_order_1", "calls_are_whole"),
        ("DELETE FROM raffle_call_1", "one_order_per_request"),
        ("UPDATE raffle_call_0 SET made = 2", "calls_are_whole"),
    ];
    for (sql, check) in shard_faults {
        let place = played().await;
        assert!(
            plant(&place.data().join("shard-0.sqlite"), sql).await > 0,
            "nothing was planted: {sql}"
        );
        let red = red_checks(&place).await;
        assert!(red.iter().any(|name| name == check), "{sql}: {red:?}");
    }
    let place = played().await;
    let sql = format!(
        "UPDATE stock_operation SET units = 5, applied = 5 WHERE activity_id = {SCARCE_ACTIVITY}"
    );
    assert_eq!(plant(&place.data().join("meta.sqlite"), &sql).await, 1);
    assert_eq!(place.stock(SCARCE_ACTIVITY, SCARCE_AWARD).await, (5, 20, 0));
    let red = red_checks(&place).await;
    assert!(
        red.iter().any(|name| name == "stock_not_oversold"),
        "{red:?}"
    );
}

#[tokio::test]
async fn accounts_of_a_clock_that_was_ahead_are_set_back_while_no_server_runs() {
    let place = played().await;
    let sql = "UPDATE raffle_order_0 SET day = 20400101;
               UPDATE raffle_call_0 SET created_at_ms = 2208988800000;
               UPDATE raffle_account_0 SET day = 20400101, day_used = used, month_used = used";
    plant(&place.data().join("shard-0.sqlite"), sql).await;
    assert_eq!(red_checks(&place).await, ["orders_not_in_the_future"]);
    let without = place.run_here(&["audit", "--repair"]).await.failed(2);
    assert!(without.contains("--reason"), "{without}");
    let repair = [
        "audit",
        "--json",
        "--repair",
        "--reason",
        "a clock was ahead",
    ];
    let server = Server::start(&place).await;
    let held = place.run_here(&repair).await.failed(2);
    assert!(held.contains("while no server runs"), "{held}");
    server.stop().await;
    let mended = place.run_here(&repair).await;
    assert!(
        mended.stderr.contains("accounts were set back"),
        "{mended:?}"
    );
    mended.green_report();
    assert_eq!(place.audited_at_rest().await, 200);
}

#[tokio::test]
async fn an_audit_beside_a_server_under_load_fails_nothing() {
    let place = Place::with_campaigns(&[LOAD, &scarce(SCARCE_ACTIVITY, 50_000)]).await;
    let server = Server::start(&place).await;
    let go_on = Arc::new(AtomicBool::new(true));
    let mut load = JoinSet::new();
    for worker in 0..16 {
        let (listen, go_on) = (server.listen, go_on.clone());
        load.spawn(async move {
            let mut connection = Connection::open(listen).await.expect("a connection");
            let mut made = 0_u64;
            while go_on.load(Ordering::Relaxed) {
                let activity = if made.is_multiple_of(2) {
                    LOAD_ACTIVITY
                } else {
                    SCARCE_ACTIVITY
                };
                let draw = Request::draw(&format!("u{worker}"), activity, &made.to_string());
                connection
                    .exchange(&draw)
                    .await
                    .expect("an answer")
                    .envelope()
                    .expect(200, "0000");
                made += 1;
            }
            made
        });
    }
    let report = place.audited().await;
    assert!(
        report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["ok"] == true),
        "{report}"
    );
    go_on.store(false, Ordering::Relaxed);
    let made: u64 = load.join_all().await.into_iter().sum();
    place.audited().await;
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}
