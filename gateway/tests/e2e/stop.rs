//! Stopping: what was accepted is answered, and what was answered is kept.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection as _, Executor as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Request, Server, ask_all, eventually, lock, text_of};

/// The exit code of a server that has cut something off.
const CUT: i32 = 3;

/// Answers by user and key; `None` for a draw without an answer.
type Outcomes = Arc<Mutex<HashMap<(String, String), Option<String>>>>;

/// Draws until the server is gone.
async fn draw_until_the_end(address: SocketAddr, round: u32, worker: u32, outcomes: Outcomes) {
    let mut connection = Connection::open(address).await.expect("a connection");
    for number in 0.. {
        let (user, key) = (format!("u{worker}"), format!("{round}-{number}"));
        let answer = connection
            .exchange(&Request::draw(&user, LOAD_ACTIVITY, &key))
            .await;
        let body = answer
            .as_ref()
            .ok()
            .map(|answer| answer.envelope().expect(200, "0000").body);
        outcomes.lock().expect("no panic").insert((user, key), body);
        if answer.is_err() || answer.is_ok_and(|answer| answer.closes()) {
            match Connection::open(address).await {
                Ok(opened) => connection = opened,
                Err(_) => return,
            }
        }
    }
}

/// Stops a server while all clients draw.
async fn stop_under_load(place: &Place, round: u32, outcomes: &Outcomes) {
    let mut server = Server::start(place).await;
    let begun_with = outcomes.lock().expect("no panic").len();
    let mut workers = JoinSet::new();
    for worker in 0..32 {
        workers.spawn(draw_until_the_end(
            server.listen,
            round,
            worker,
            outcomes.clone(),
        ));
    }
    eventually("the load is on", Duration::from_secs(20), async || {
        (outcomes.lock().expect("no panic").len() > begun_with + 200).then_some(())
    })
    .await;
    server.signal("TERM").await;
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.stderr());
    workers.join_all().await;
}

#[tokio::test]
async fn a_stop_under_load_answers_every_draw_that_it_makes() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let outcomes = Outcomes::default();
    // A server that lost a request would not do so each time.
    for round in 0..8 {
        stop_under_load(&place, round, &outcomes).await;
    }

    let server = Server::start(&place).await;
    let outcomes: Vec<_> = outcomes.lock().unwrap().drain().collect();
    let records = outcomes
        .iter()
        .map(|((user, key), _)| Request::record(user, "requestId", key))
        .collect();
    let records = ask_all(server.listen, records, 16).await;
    for ((call, body), record) in outcomes.iter().zip(records) {
        let Some(body) = body else {
            // It reached a server that took no more requests, so it must not have been made.
            record.expect(404, "ERR_REQ_002");
            continue;
        };
        let reported: Value = serde_json::from_str(body).unwrap();
        let found = record.expect(200, "0000").data;
        assert_eq!(found["orderId"], reported["data"]["orderId"], "{call:?}");
        assert_eq!(found["awardId"], reported["data"]["awardId"], "{call:?}");
    }
    server.stop().await;
    let made = outcomes.iter().filter(|(_, body)| body.is_some()).count();
    assert_eq!(
        place.audited_at_rest().await,
        made as u64,
        "no draw was made that was not answered"
    );
}

/// A draw whose body is not there yet: its head and first half, and the rest.
fn halves(request: &Request) -> (Vec<u8>, Vec<u8>) {
    let mut head = request.bytes();
    let rest = head.split_off(head.len() - 5);
    (head, rest)
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_ends() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let mut server = Server::start(&place).await;
    let (head, rest) = halves(&Request::draw("u", LOAD_ACTIVITY, "k"));
    let mut under_way = server.connect().await;
    under_way.send(&head).await.unwrap();
    server.answers_at_once(1).await;
    let mut idle = server.connect().await;
    idle.exchange(&Request::draw("u", LOAD_ACTIVITY, "idle"))
        .await
        .unwrap();

    server.signal("TERM").await;
    eventually(
        "the server is not ready any more",
        Duration::from_secs(5),
        async || (server.readiness().await == Some(503)).then_some(()),
    )
    .await;
    assert!(
        idle.closed().await.unwrap().is_empty(),
        "a connection without a request is closed in silence"
    );
    eventually(
        "no connection is accepted any more",
        Duration::from_secs(5),
        async || Connection::open(server.listen).await.is_err().then_some(()),
    )
    .await;
    under_way.send(&rest).await.unwrap();
    let answer = under_way.receive().await.unwrap();
    answer.envelope().expect(200, "0000");
    assert!(answer.closes());
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(place.audited_at_rest().await, 2);
}

#[tokio::test]
async fn a_stop_waits_for_a_stuck_request_no_longer_than_its_deadline() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let mut server = Server::start_with(&place, "[drain]\ndeadline_ms = 300\n").await;
    let (head, _) = halves(&Request::draw("u", LOAD_ACTIVITY, "k"));
    let mut stuck = server.connect().await;
    stuck.send(&head).await.unwrap();
    server.answers_at_once(1).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    assert_eq!(server.ended().await.code(), Some(CUT));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // A third of the time is kept for the shards.
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begun.elapsed()
    );
}

/// A server with the default time between a stop's signal and draining.
async fn started_with_grace(place: &Place, config: &str) -> Server {
    let (data, config) = (text_of(&place.data()), place.file("config.toml", config));
    let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    Server::started(
        place,
        place.command(&[&["serve", "--data", &data, "--config", &config], &free[..]].concat()),
    )
    .await
}

/// Draws on a kept connection, one draw after the other with a pause between them, until no server
/// listens any more. Returns the number of draws that were made.
async fn call_until_refused(address: SocketAddr, user: String, pause: Duration) -> u64 {
    let mut kept = None;
    for made in 0.. {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match Connection::open(address).await {
                Ok(opened) => opened,
                Err(_) => return made,
            },
        };
        let answer = connection
            .exchange(&Request::draw(&user, LOAD_ACTIVITY, &made.to_string()))
            .await;
        let answer =
            answer.unwrap_or_else(|error| panic!("call {made} of {user} was broken: {error}"));
        answer.envelope().expect(200, "0000");
        if !answer.closes() {
            kept = Some(connection);
        }
        sleep(pause).await;
    }
    unreachable!("it ends when no server listens")
}

#[tokio::test]
async fn connections_that_sent_one_byte_hold_up_no_stop_and_kept_ones_break_no_call() {
    const SILENT: usize = 100;
    const CALLERS: u64 = 32;
    /// With its default deadline of 15 s a server that waits for them takes longer.
    const STOPPED: Duration = Duration::from_secs(10);
    let place = Place::with_campaigns(&[LOAD]).await;
    let mut server = started_with_grace(
        &place,
        "[http]\nfirst_header_timeout_ms = 600000\nheader_timeout_ms = 600000\n",
    )
    .await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut connection = server.connect().await;
        connection.send(b"P").await.unwrap();
        silent.push(connection);
    }
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        // From one who hardly pauses to one who is silent for longer than the server needs to
        // drain.
        let pause = Duration::from_millis(20 * caller);
        callers.spawn(call_until_refused(
            server.listen,
            format!("u{caller}"),
            pause,
        ));
    }
    sleep(Duration::from_millis(700)).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.stderr());
    assert!(begun.elapsed() < STOPPED, "{:?}", begun.elapsed());
    let made: u64 = callers.join_all().await.into_iter().sum();
    for mut connection in silent {
        assert!(connection.closed().await.unwrap().is_empty());
    }
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn from_the_signal_on_every_answer_says_that_its_connection_is_closed() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let mut server = started_with_grace(&place, "[drain]\ngrace_ms = 600000\n").await;
    let (mut kept, mut operator) = (
        server.connect().await,
        Connection::open(server.admin).await.unwrap(),
    );
    let (draw, probe) = (
        |key| Request::draw("u", LOAD_ACTIVITY, key),
        Request::raw("GET", "/healthz"),
    );
    assert!(!kept.exchange(&draw("before")).await.unwrap().closes());
    assert!(!operator.exchange(&probe).await.unwrap().closes());
    server.signal("TERM").await;
    eventually(
        "the server is not ready any more",
        Duration::from_secs(5),
        async || (server.readiness().await == Some(503)).then_some(()),
    )
    .await;
    for (connection, request) in [(&mut kept, draw("after")), (&mut operator, probe)] {
        let answer = connection.exchange(&request).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.closes());
        assert!(connection.closed().await.unwrap().is_empty());
    }
    server.signal("TERM").await;
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.stderr());
    assert_eq!(place.audited_at_rest().await, 2);
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_up_no_stop() {
    /// A body may take ten minutes here, and a stop one.
    const STOPPED: Duration = Duration::from_secs(30);
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = "[http]\nbody_timeout_ms = 600000\n[drain]\ndeadline_ms = 60000\n";
    let mut server = Server::start_with(&place, config).await;
    let (head, _) = halves(&Request::draw("u", LOAD_ACTIVITY, "k"));
    let mut stuck = server.connect().await;
    stuck.send(&head).await.unwrap();
    server.answers_at_once(1).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    let answer = stuck.receive().await.unwrap();
    assert!(answer.closes());
    answer.envelope().expect(408, "ERR_REQ_007");
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.stderr());
    assert!(begun.elapsed() < STOPPED, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stop_during_the_start_is_a_clean_one() {
    for _ in 0..5 {
        let place = Place::new();
        let data = text_of(&place.data());
        let arguments = [
            "serve",
            "--data",
            &data,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ];
        let mut server = Server::spawned(&place, place.command(&arguments));
        let lock = place.data().join("LOCK");
        eventually(
            "the start is under way",
            Duration::from_secs(10),
            async || lock.exists().then_some(()),
        )
        .await;
        server.signal("TERM").await;
        let status = server.ended().await;
        assert_eq!(status.code(), Some(0), "{status}: {}", server.stderr());
    }
}

#[tokio::test]
async fn a_stop_waits_for_a_shard_that_hangs_no_longer_than_its_deadline() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = "[storage]\nshards = 1\n[drain]\ndeadline_ms = 500\n";
    let mut server = Server::start_with(&place, config).await;
    let mut locked = lock(&place.data().join("shard-0.sqlite")).await;
    let draw = Request::draw("u", LOAD_ACTIVITY, "k");
    let mut waiting = server.connect().await;
    waiting.send(&draw.bytes()).await.unwrap();
    server.answers_at_once(1).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    assert_eq!(
        server.ended().await.code(),
        Some(CUT),
        "{}",
        server.stderr()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        waiting.closed().await.unwrap().is_empty(),
        "what is not committed is not answered"
    );
    locked.execute("ROLLBACK").await.unwrap();
    locked.close().await.unwrap();
    let server = Server::start_with(&place, config).await;
    server.ask(&draw).await.expect(200, "0000");
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn an_interrupt_stops_a_server_like_a_termination() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let mut server = Server::start(&place).await;
    server.signal("INT").await;
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_server_that_was_stopped_or_killed_starts_again_at_once() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let keys: Vec<String> = (0..6).map(|round| round.to_string()).collect();
    for (round, key) in keys.iter().enumerate() {
        let mut server = Server::start(&place).await;
        let asked: Vec<_> = keys[..=round]
            .iter()
            .map(|key| Request::draw("u", LOAD_ACTIVITY, key))
            .collect();
        let answers = ask_all(server.listen, asked, 1).await;
        assert!(
            answers.iter().all(|answer| answer.code == "0000"),
            "{answers:?}"
        );
        assert_eq!(answers.last().unwrap().key(), key);
        if round % 2 == 0 {
            server.kill();
        } else {
            server.stop().await;
        }
    }
    assert_eq!(place.audited_at_rest().await, keys.len() as u64);
}
