//! Stock that is added, withdrawn and counted again while both gateways draw.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sqlx::{Executor as _, Row as _};

use super::client::{Client, Load};
use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce};
use crate::support::cluster::{SETTLED, ask};
use crate::support::{Cluster, FOLLOWED, Request, ask_all};

const ACTIVITY: u64 = 200_003;

async fn started(units: u64) -> Cluster {
    Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, scarce(ACTIVITY, units))])
        .await
}

/// How many of these new draws, made at both gateways, win; all others must get the fallback.
async fn wins(cluster: &Cluster, round: &str, count: usize) -> u64 {
    let draws = |gateway: usize| {
        let draw = |number| {
            Request::draw(
                &format!("u{number}"),
                ACTIVITY,
                &format!("{round}-{gateway}"),
            )
        };
        (0..count / 2).map(draw).collect()
    };
    let [first, second] = cluster.gateways();
    let (mut answers, more) =
        tokio::join!(ask_all(first, draws(0), 16), ask_all(second, draws(1), 16));
    answers.extend(more);
    let of = |award: u64| {
        answers
            .iter()
            .filter(|answer| answer.code == "0000" && answer.award() == award)
            .count()
    };
    assert_eq!(
        of(SCARCE_AWARD) + of(FALLBACK_AWARD),
        answers.len(),
        "{answers:?}"
    );
    of(SCARCE_AWARD) as u64
}

/// Draws until these units are won, within the time in which all has settled; answers
/// how many draws it took. One round may be too few: a batch that has to begin again, as when both
/// gateways draw for a user at once, holds units for a moment while others find nothing left.
async fn win_all(cluster: &Cluster, units: u64, count: usize) -> u64 {
    let since = Instant::now();
    let mut won = 0;
    for round in 1.. {
        won += wins(cluster, &format!("all-{round}"), count).await;
        if won >= units {
            assert_eq!(won, units);
            return round * count as u64;
        }
        assert!(since.elapsed() < SETTLED, "{won} of {units} units are won");
    }
    unreachable!("the units are won or the time is over")
}

/// Draws until a unit is won, which must be within the time that a gateway follows in.
async fn wins_within_two_seconds(gateway: SocketAddr, round: &str, since: Instant) {
    for number in 0.. {
        let draw = Request::draw("waiting", ACTIVITY, &format!("{round}-{number}"));
        let won = ask(gateway, &draw).await.expect(200, "0000").award() == SCARCE_AWARD;
        assert!(since.elapsed() < FOLLOWED, "no added unit is won");
        if won {
            return;
        }
    }
}

async fn change(cluster: &Cluster, verb: &str, units: u64) -> String {
    let (activity, award, units) = (
        ACTIVITY.to_string(),
        SCARCE_AWARD.to_string(),
        units.to_string(),
    );
    let arguments = [
        "stock",
        verb,
        &activity,
        &award,
        &units,
        "--reason",
        "the test wants it",
        "--who",
        "alice",
    ];
    cluster.run(&arguments).await.ok()
}

#[tokio::test]
async fn added_units_are_won_at_both_gateways_and_withdrawn_ones_at_none() {
    let cluster = started(5).await;
    win_all(&cluster, 5, 60).await;
    let [first, second] = cluster.gateways();
    for round in ["a", "b", "c"] {
        // Both know for sure that it is sold out.
        assert_eq!(wins(&cluster, &format!("none-{round}"), 20).await, 0);
        assert!(change(&cluster, "add", 40).await.contains("added 40"));
        let since = Instant::now();
        let (at_one, at_other) = (format!("{round}-1"), format!("{round}-2"));
        tokio::join!(
            wins_within_two_seconds(first, &at_one, since),
            wins_within_two_seconds(second, &at_other, since)
        );
        let reported = change(&cluster, "withdraw", 30).await;
        assert!(reported.contains("withdrew 30"), "{reported}");
        let too_many = [
            "stock",
            "withdraw",
            &ACTIVITY.to_string(),
            &SCARCE_AWARD.to_string(),
            "100",
            "--reason",
            "all",
        ];
        let reported = cluster.run(&too_many).await.failed(1);
        assert!(
            reported.contains("8 of ") && reported.contains("withdraw 8 or fewer"),
            "{reported}"
        );
        assert!(change(&cluster, "withdraw", 8).await.contains("withdrew 8"));
    }
    assert_eq!(cluster.stock(ACTIVITY, SCARCE_AWARD).await, (11, 11, 0));
    assert_eq!(wins(&cluster, "last", 60).await, 0);
}

#[tokio::test]
async fn every_change_is_recorded_with_who_and_why() {
    let cluster = started(5).await;
    change(&cluster, "add", 7).await;
    change(&cluster, "withdraw", 2).await;
    let reported = cluster
        .run(&[
            "stock",
            "rebuild",
            "--reason",
            "a fire drill",
            "--who",
            "bob",
        ])
        .await
        .ok();
    assert!(reported.contains("rebuilt under epoch"), "{reported}");
    let history = cluster.run(&["stock", "show", "--history"]).await.ok();
    for parts in [
        &["publish", "5", "e2e-operator"][..],
        &["add", "7", "alice", "the test wants it"],
        &["withdraw", "2", "alice", "the test wants it"],
    ] {
        let found = history
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} is missing in:\n{history}");
    }
    let log = "SELECT CAST(CONCAT_WS(' ', who, what, detail, why) AS CHAR) FROM audit_trail";
    let log = cluster.sql("meta").await.fetch_all(log).await.unwrap();
    let log: Vec<String> = log.iter().map(|row| row.get(0)).collect();
    for step in ["begun on all servers", "done on all servers"] {
        assert!(
            log.contains(&format!("bob stock rebuild {step} a fire drill")),
            "{step}: {log:?}"
        );
    }
    win_all(&cluster, 10, 40).await;
    assert_eq!(
        cluster.settled_units(ACTIVITY, SCARCE_AWARD).await.issued,
        10
    );
    cluster.audited().await;
}

#[tokio::test]
async fn rebuilds_amid_draws_lose_nothing_and_sell_nothing_twice() {
    const UNITS: u64 = 1_500;
    let cluster = started(UNITS).await;
    let load = Load {
        seed: 1,
        doors: cluster.doors(),
        users: (0..200).map(|number| format!("u{number}")).collect(),
        mix: vec![(ACTIVITY, 1)],
        per_second: 300,
        timeouts: Duration::from_secs(8),
    };
    let drawing = Client::new(load).start();
    for _ in 0..5 {
        cluster
            .run(&["stock", "rebuild", "--reason", "a fire drill"])
            .await
            .ok();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let client = drawing.stop().await;
    client.answer_all().await;
    let tally = client.tally(client.begun);
    println!("{tally:?}");
    assert!(
        tally
            .keys()
            .all(|code| ["0000", "ERR_GW_004"].contains(&&**code)),
        "{tally:?}"
    );

    let drawn = cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    assert_eq!(drawn.issued, client.wins(ACTIVITY, SCARCE_AWARD));
    let more = win_all(&cluster, UNITS - drawn.issued, 2_000).await;
    assert_eq!(wins(&cluster, "none", 20).await, 0);
    assert_eq!(cluster.audited().await, client.answered() + more + 20);
    client.verify(cluster.listen("nginx")).await;
}
