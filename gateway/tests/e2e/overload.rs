//! Too much at once, or a shard that hangs: clear answers, nothing lost, nothing twice.
use std::time::Duration;

use sqlx::{Connection as _, Executor as _};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Envelope, Place, Request, Server, ask_all, eventually, lock};

#[tokio::test]
async fn a_full_gateway_refuses_with_retry_after() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[admission]\nin_flight_max = 1\n").await;
    let bytes = Request::draw("u", LOAD_ACTIVITY, "first").bytes();
    let (head, rest) = bytes.split_at(bytes.len() - 5);
    let mut first = server.connect().await;
    first.send(head).await.unwrap();
    let second = Request::draw("u", LOAD_ACTIVITY, "second");
    server.answers_at_once(1).await;
    let refused = server.ask(&second).await.expect(503, "ERR_GW_001");
    assert_eq!((refused.key(), refused.retry_after_s), ("second", Some(1)));
    first.send(rest).await.unwrap();
    first
        .receive()
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    server.ask(&second).await.expect(200, "0000");
}

#[tokio::test]
async fn a_full_queue_refuses_with_retry_after_and_the_key_stays_free() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[lanes]\nqueue_max = 1\nbatch_max = 1\n").await;
    let mut calls: Vec<Request> = (0..200)
        .map(|number| {
            Request::draw(
                &format!("u{}", number % 7),
                LOAD_ACTIVITY,
                &number.to_string(),
            )
        })
        .collect();
    let (mut refusals, mut made) = (0, 0);
    // Each round at least one draw of each queue is made.
    while !calls.is_empty() {
        let answers = ask_all(server.listen, calls.clone(), 64).await;
        let mut refused = Vec::new();
        for (call, answer) in calls.into_iter().zip(answers) {
            if answer.code == "0000" {
                made += 1;
            } else {
                let answer = answer.expect(503, "ERR_GW_002");
                assert_eq!(answer.retry_after_s, Some(1));
                refused.push(call);
            }
        }
        refusals += refused.len();
        calls = refused;
    }
    assert!(refusals > 0);
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn a_read_that_is_refused_is_not_taken_for_a_draw_that_is_not_there() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[reads]\nconnections_max = 1\nqueue_max = 1\n").await;
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let reads = (0..400).map(|number| match number % 2 {
        0 => Request::record("u", "requestId", "k"),
        _ => Request::account("u", LOAD_ACTIVITY),
    });
    let answers = ask_all(server.listen, reads.collect(), 64).await;
    let (read, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.code == "0000");
    assert!(!read.is_empty() && !refused.is_empty());
    for answer in refused {
        assert_eq!(answer.expect(503, "ERR_GW_002").retry_after_s, Some(1));
    }
    server
        .ask(&Request::record("u", "requestId", "k"))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn idle_connections_keep_no_caller_out_for_long() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(
        &place,
        "[http]\nconnections_max = 2\nheader_timeout_ms = 300\n",
    )
    .await;
    let (mut idle, mut half) = (server.connect().await, server.connect().await);
    half.send(b"POST /api/v1/raffle/activity/draw HTTP/1.1\r\n")
        .await
        .unwrap();
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    idle.closed().await.unwrap();
    half.closed().await.unwrap();
}

#[tokio::test]
async fn a_commit_that_is_not_confirmed_is_no_refusal() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let config =
        "[storage]\nshards = 2\n[lanes]\nqueue_timeout_ms = 200\nanswer_timeout_ms = 600\n";
    let server = Server::start_with(&place, config).await;
    let [here, there] = users_of_two_shards(&place).await;
    let mut locked = lock(&place.data().join("shard-0.sqlite")).await;

    let taken = Request::draw(&here, LOAD_ACTIVITY, "taken");
    let unknown = server.ask(&taken).await.expect(504, "ERR_GW_006");
    assert_eq!((unknown.key(), unknown.retry_after_s), ("taken", Some(1)));
    let waits = Request::draw(&here, LOAD_ACTIVITY, "waits");
    let too_old = server.ask(&waits).await.expect(504, "ERR_GW_005");
    assert_eq!(too_old.retry_after_s, Some(1));
    // Reads of this shard go on, and all of the other shard does.
    for key in ["taken", "waits"] {
        server
            .ask(&Request::record(&here, "requestId", key))
            .await
            .expect(404, "ERR_REQ_002");
    }
    server
        .ask(&Request::draw(&there, LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");

    locked.execute("ROLLBACK").await.unwrap();
    locked.close().await.unwrap();
    let made = eventually("the shard is back", Duration::from_secs(10), async || {
        let answer = server.ask(&taken).await;
        (answer.code == "0000").then_some(answer)
    });
    assert_eq!(server.ask(&taken).await.body, made.await.body);
    // The one that was too old was not made after its refusal.
    server
        .ask(&Request::record(&here, "requestId", "waits"))
        .await
        .expect(404, "ERR_REQ_002");
    server.ask(&waits).await.expect(200, "0000");
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 3);
}

#[tokio::test]
async fn a_meta_file_that_hangs_stops_no_draw() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let draws = |round: &str| {
        (0..50)
            .map(|user| Request::draw(&format!("u{user}"), LOAD_ACTIVITY, round))
            .collect()
    };
    let made = |answers: &[Envelope]| answers.iter().all(|answer| answer.code == "0000");
    assert!(made(&ask_all(server.listen, draws("before"), 8).await));
    let mut locked = lock(&place.data().join("meta.sqlite")).await;
    assert!(made(&ask_all(server.listen, draws("meanwhile"), 8).await));
    locked.execute("ROLLBACK").await.unwrap();
    locked.close().await.unwrap();
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 100);
}

/// A user of shard 0 and one of shard 1.
async fn users_of_two_shards(place: &Place) -> [String; 2] {
    let users: Vec<String> = (0..40).map(|number| format!("u{number}")).collect();
    let mut route = vec!["route"];
    route.extend(users.iter().map(String::as_str));
    let reported = place.run_here(&route).await.ok();
    ["shard 0", "shard 1"].map(|shard| {
        let line = reported
            .lines()
            .find(|line| line.contains(shard))
            .expect("a user of each shard");
        line.split(':').next().expect("a user").to_owned()
    })
}
