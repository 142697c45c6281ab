//! Stock: exactly what is there is won, and changes take hold while the server runs.
use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::campaign::{FALLBACK_AWARD, LOAD, SCARCE_AWARD, scarce};
use crate::support::{
    Envelope, FOLLOWED, Place, Ran, Request, Server, ask_all, eventually, run, text_of,
};

const ACTIVITY: u64 = 200_003;

async fn started(units: u64) -> (Place, Server) {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, units)]).await;
    let server = Server::start(&place).await;
    (place, server)
}

/// New draws, each with a user and key of its own.
fn draws(round: &str, count: usize) -> Vec<Request> {
    (0..count)
        .map(|number| {
            Request::draw(
                &format!("u{}", number % 500),
                ACTIVITY,
                &format!("{round}-{number}"),
            )
        })
        .collect()
}

/// How many of these won the scarce prize; all others must have the fallback.
fn wins(answers: &[Envelope]) -> u64 {
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

async fn wins_of(server: &Server, round: &str, count: usize) -> u64 {
    wins(&ask_all(server.listen, draws(round, count), 16).await)
}

/// Wins the next unit, which must come within the time that a server follows in.
async fn wins_within_two_seconds(server: &Server, round: &str) {
    let begun = Instant::now();
    for number in 0.. {
        let draw = Request::draw("waiting", ACTIVITY, &format!("{round}-{number}"));
        let won = server.ask(&draw).await.award() == SCARCE_AWARD;
        assert!(begun.elapsed() < FOLLOWED, "no added unit is won");
        if won {
            return;
        }
    }
}

async fn change(place: &Place, verb: &str, units: u64) -> String {
    try_change(place, verb, units).await.ok()
}

async fn try_change(place: &Place, verb: &str, units: u64) -> Ran {
    let (activity, award, units) = (
        ACTIVITY.to_string(),
        SCARCE_AWARD.to_string(),
        units.to_string(),
    );
    place
        .run_here(&[
            "stock",
            verb,
            &activity,
            &award,
            &units,
            "--reason",
            "the test wants it",
            "--who",
            "alice",
        ])
        .await
}

#[tokio::test]
async fn ten_thousand_parallel_draws_win_exactly_what_is_in_stock() {
    let (place, server) = started(100).await;
    let answers = ask_all(server.listen, draws("rush", 10_000), 96).await;
    assert_eq!(wins(&answers), 100);
    let orders: HashSet<&str> = answers.iter().map(Envelope::order).collect();
    assert_eq!(orders.len(), 10_000, "each draw has an order id of its own");
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (100, 100, 0));
    place.audited().await;
    server.stop().await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (100, 100, 0));
    assert_eq!(place.audited_at_rest().await, 10_000);
}

#[tokio::test]
async fn added_units_are_won_within_two_seconds_and_no_others() {
    let (place, server) = started(5).await;
    assert_eq!(wins_of(&server, "first", 60).await, 5);
    change(&place, "add", 7).await;
    wins_within_two_seconds(&server, "added").await;
    assert_eq!(wins_of(&server, "second", 60).await, 6);
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (12, 12, 0));

    server.stop().await;
    change(&place, "add", 3).await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (15, 12, 3));
    let server = Server::start(&place).await;
    assert_eq!(wins_of(&server, "third", 60).await, 3);
    server.stop().await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn withdrawn_units_are_never_won() {
    let (place, server) = started(100).await;
    assert_eq!(wins_of(&server, "first", 20).await, 20);
    let reported = change(&place, "withdraw", 50).await;
    assert!(reported.contains("withdrew 50"), "{reported}");
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (50, 20, 30));
    assert_eq!(wins_of(&server, "second", 100).await, 30);
    // What was issued cannot be taken back.
    let reported = try_change(&place, "withdraw", 10).await.failed(1);
    assert!(reported.contains("0 of 50 units are left"), "{reported}");
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (50, 50, 0));

    server.stop().await;
    change(&place, "add", 10).await;
    let reported = change(&place, "withdraw", 4).await;
    assert!(reported.contains("withdrew 4"), "{reported}");
    // A digit too many empties no prize.
    let reported = try_change(&place, "withdraw", 1_000).await.failed(1);
    assert!(
        reported.contains("6 of 56 units are left, not 1000; withdraw 6 or fewer"),
        "{reported}"
    );
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (56, 50, 6));
    change(&place, "withdraw", 6).await;
    change(&place, "add", 2).await;
    let server = Server::start(&place).await;
    assert_eq!(wins_of(&server, "third", 60).await, 2);
    server.stop().await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (52, 52, 0));
    place.audited_at_rest().await;
}

#[tokio::test]
async fn changes_amid_a_rush_leave_every_unit_either_won_or_withdrawn() {
    let (place, server) = started(400).await;
    let listen = server.listen;
    let mut rush = JoinSet::new();
    rush.spawn(async move { wins(&ask_all(listen, draws("rush", 3_000), 48).await) });
    for (verb, units) in [("withdraw", 30), ("add", 20), ("withdraw", 100), ("add", 5)] {
        let ran = try_change(&place, verb, units).await;
        // Fewer may be left by then, before the withdrawal or amid it.
        if verb == "add" || ran.code != Some(1) {
            ran.ok();
        }
    }
    let won_in_the_rush = rush.join_all().await[0];
    // Units that were added at the rush's very end may be left; a second one has them all.
    tokio::time::timeout(FOLLOWED, wait_until_loaded(&place, &server))
        .await
        .expect("the changes are followed");
    let won = won_in_the_rush + wins_of(&server, "after", 500).await;
    server.stop().await;
    let (total, issued, left) = place.stock(ACTIVITY, SCARCE_AWARD).await;
    assert_eq!((issued, left), (total, 0));
    assert_eq!(won, issued);
    place.audited_at_rest().await;
}

/// Waits until the server's own view of its stock agrees with the recorded total.
async fn wait_until_loaded(place: &Place, server: &Server) {
    let (total, issued, _) = place.stock(ACTIVITY, SCARCE_AWARD).await;
    let line = format!(
        "drawbridge_stock_left_units{{activity=\"{ACTIVITY}\",good=\"award\",id=\"{SCARCE_AWARD}\"}} {}",
        total - issued
    );
    let reported = async || {
        server
            .ask_admin("GET", "/metrics")
            .await
            .text()
            .lines()
            .any(|found| found == line)
    };
    while !reported().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_withdrawal_that_the_server_did_not_get_to_is_done_by_the_next() {
    let (place, mut server) = started(10).await;
    assert_eq!(wins_of(&server, "first", 3).await, 3);
    let (activity, award) = (ACTIVITY.to_string(), SCARCE_AWARD.to_string());
    let ran = eventually(
        "the server stands still and holds no lock",
        Duration::from_secs(20),
        async || {
            server.signal("STOP").await;
            let ran = place
                .run_here(&[
                    "stock", "withdraw", &activity, &award, "4", "--reason", "a recall",
                ])
                .await;
            if ran.stderr.contains("database is locked") {
                // Stopped amid a write of its own, which keeps all others out.
                server.signal("CONT").await;
                return None;
            }
            Some(ran)
        },
    );
    let message = ran.await.failed(1);
    assert!(message.contains("stays recorded"), "{message}");
    server.kill();
    let server = Server::start(&place).await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (6, 3, 3));
    assert_eq!(wins_of(&server, "second", 30).await, 3);
    server.stop().await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn changes_at_once_all_count() {
    let (place, server) = started(5).await;
    let (activity, award, data) = (
        ACTIVITY.to_string(),
        SCARCE_AWARD.to_string(),
        text_of(&place.data()),
    );
    let mut changing = JoinSet::new();
    for verb in ["add", "withdraw", "add", "add", "withdraw", "add"] {
        let arguments = [
            "stock", verb, &activity, &award, "2", "--reason", "at once", "--data", &data,
        ];
        changing.spawn(run(place.command(&arguments)));
    }
    changing
        .join_all()
        .await
        .into_iter()
        .for_each(|ran| drop(ran.ok()));
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (9, 0, 9));
    tokio::time::timeout(FOLLOWED, wait_until_loaded(&place, &server))
        .await
        .expect("the changes are followed");
    assert_eq!(wins_of(&server, "all", 30).await, 9);
}

#[tokio::test]
async fn changes_of_what_has_no_stock_are_refused() {
    let (place, server) = started(5).await;
    let known = ACTIVITY.to_string();
    for verb in ["add", "withdraw"] {
        let change = async |activity: &str, award: &str, units: &str| {
            place
                .run_here(&["stock", verb, activity, award, units, "--reason", "a slip"])
                .await
        };
        for (activity, award) in [("7", "1"), (&*known, "7"), (&*known, "101")] {
            let message = change(activity, award, "1").await.failed(1);
            assert!(
                message.contains(&format!("activity {activity} ")),
                "{award}: {message}"
            );
        }
        for units in ["0", "-1", "1.5", "x", "1000000000001"] {
            change(&known, "1", units).await.failed(2);
        }
        place
            .run_here(&["stock", verb, &known, "1", "1"])
            .await
            .failed(2);
        let nowhere = place
            .run(&[
                "stock", verb, &known, "1", "1", "--reason", "a slip", "--data", "nowhere",
            ])
            .await;
        nowhere.failed(2);
        assert!(!place.path("nowhere").exists());
    }
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (5, 0, 5));
    assert_eq!(wins_of(&server, "all", 30).await, 5);
}

#[tokio::test]
async fn every_change_is_recorded_with_who_and_why() {
    let (place, server) = started(5).await;
    change(&place, "add", 7).await;
    change(&place, "withdraw", 2).await;
    server.stop().await;
    let (activity, award) = (ACTIVITY.to_string(), SCARCE_AWARD.to_string());
    place
        .run_here(&[
            "stock",
            "add",
            &activity,
            &award,
            "1",
            "--reason",
            "without a name",
        ])
        .await
        .ok();
    let history = place.run_here(&["stock", "show", "--history"]).await.ok();
    let line = |parts: &[&str]| {
        let found = history
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} is missing in:\n{history}");
    };
    line(&["publish", "5"]);
    line(&["add", "7", "alice", "the test wants it"]);
    line(&["withdraw", "2", "alice", "the test wants it"]);
    line(&["add", "1", "e2e-operator", "without a name"]);
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (11, 0, 11));
}

#[tokio::test]
async fn a_withdrawal_before_the_first_start_is_done_by_the_command() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 5)]).await;
    change(&place, "withdraw", 2).await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (3, 0, 3));
}

#[tokio::test]
async fn the_stock_of_one_activity_can_be_shown_alone() {
    let place = Place::with_campaigns(&[LOAD, &scarce(ACTIVITY, 5)]).await;
    let all = place.run_here(&["stock", "show"]).await.ok();
    let one = place
        .run_here(&["stock", "show", "--activity", &ACTIVITY.to_string()])
        .await
        .ok();
    assert_eq!(
        (all.lines().count(), one.lines().count()),
        (11, 2),
        "a title line, and one for each limited prize"
    );
}
