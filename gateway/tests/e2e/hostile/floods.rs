//! Too much of something: huge heads, huge bodies, user ids and addresses without end.
use std::time::Duration;

use tokio::task::JoinSet;

use super::honest::HonestUsers;
use super::{KIB, LARGE_BODIES, MIB};
use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Request, Server, eventually};

/// Gauges of keys are counted each second, but the machine may be busy.
const WAIT_MAX: Duration = Duration::from_secs(30);

const DRAW: &str = "POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\n";

/// Sends one piece again and again until the other side closes, or `bytes_max` are sent. Returns
/// the answer.
async fn flood(server: &Server, head: &str, piece: &[u8], bytes_max: usize) -> String {
    let mut connection = server.connect().await;
    let mut sent = connection.send(head.as_bytes()).await;
    for _ in 0..bytes_max / piece.len() {
        if sent.is_err() {
            break;
        }
        sent = connection.send(piece).await;
    }
    let answer = connection
        .closed()
        .await
        .unwrap_or_else(|error| panic!("{head:?} is not closed: {error}"));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn huge_heads_and_bodies_are_cut_off_and_take_no_memory() {
    const EACH_BYTES: usize = 2 * 1024 * 1024;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[http]\nbody_timeout_ms = 2000\n").await;
    let honest = HonestUsers::arrive(&server, LOAD_ACTIVITY);
    honest.draw_on().await;
    let before = server.peak_memory_bytes();
    let line = format!("X-Padding: {}\r\n", "x".repeat(1_000));
    let (many, chunk) = (
        "X: y\r\n".repeat(1_000),
        format!("400\r\n{}\r\n", "x".repeat(1024)),
    );
    let (long, digits) = ("x".repeat(16_384), "0".repeat(16_384));
    let extended = format!("1;{}\r\nx\r\n", "x".repeat(1_000));
    // What begins the request, what follows without end, and how the answer begins. Who still
    // sends when the connection is closed may lose the answer.
    for (case, head, piece, status) in [
        ("one header", format!("{DRAW}X: "), &long, "431"),
        ("large headers", DRAW.to_owned(), &line, "431"),
        ("many headers", DRAW.to_owned(), &many, "431"),
        ("a header's name", DRAW.to_owned(), &long, "431"),
        ("a target", "GET /".to_owned(), &long, "431"),
        (
            "a query",
            "GET /api/v1/raffle/activity/draw_record?userId=".to_owned(),
            &long,
            "431",
        ),
        ("a method", String::new(), &long, "431"),
        (
            "a body of a length",
            format!("{DRAW}Content-Length: 1000000000000\r\n\r\n"),
            &long,
            "413",
        ),
        (
            "chunks",
            format!("{DRAW}Transfer-Encoding: chunked\r\n\r\n"),
            &chunk,
            "413",
        ),
        // Zeros without end are a small number: they are read, for as long as a body may take.
        (
            "a chunk's size",
            format!("{DRAW}Transfer-Encoding: chunked\r\n\r\n"),
            &digits,
            "408",
        ),
        (
            "chunk extensions",
            format!("{DRAW}Transfer-Encoding: chunked\r\n\r\n"),
            &extended,
            "400",
        ),
        (
            "trailers",
            format!("{DRAW}Transfer-Encoding: chunked\r\n\r\n0\r\n"),
            &line,
            "400",
        ),
    ] {
        let answer = flood(&server, &head, piece.as_bytes(), EACH_BYTES).await;
        assert!(
            answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{case}: {answer}"
        );
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{case}: {answer}");
    }
    honest.draw_on().await;
    let grown = server.peak_memory_bytes().saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes");
    let made = honest.leave().await;
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn bodies_in_tiny_chunks_take_no_more_memory_than_their_bytes() {
    const BODIES: usize = 60;
    const BYTES: usize = 60_000;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, LARGE_BODIES).await;
    let before = server.peak_memory_bytes();
    let draw = Request::draw("u", LOAD_ACTIVITY, "k")
        .with_body(vec![b' '; BYTES])
        .chunked_bytes(1);
    let (body, end) = draw.split_at(draw.len() - b"0\r\n\r\n".len());
    let (mut connections, mut bodies) = (Vec::new(), JoinSet::new());
    for _ in 0..BODIES {
        let (mut connection, body) = (server.connect().await, body.to_vec());
        bodies.spawn(async move {
            connection.send(&body).await.expect("it is read");
            connection
        });
    }
    while let Some(connection) = bodies.join_next().await {
        connections.push(connection.expect("sent"));
    }
    for mut connection in connections {
        connection.send(end).await.expect("the end is read");
        connection
            .receive()
            .await
            .expect("an answer")
            .envelope()
            .expect(400, "0002");
    }
    let each = server.peak_memory_bytes().saturating_sub(before) / BODIES as u64;
    assert!(each < 256 * KIB, "{each} bytes for each body of {BYTES}");
    server.stop().await;
}

#[tokio::test]
async fn users_and_addresses_without_end_leave_a_bounded_number_behind() {
    const USERS: usize = 40_000;
    const CALLERS: usize = 4;
    const AT_ONCE: usize = 100;
    const KEYS_MAX: u64 = 500;
    /// Documented as twice that many; in whole sets of 16.
    const KEPT_MAX: u64 = 2 * KEYS_MAX + 8;
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = format!(
        "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\nkeys_max = {KEYS_MAX}\n\
         [limits.user]\nper_second = 0.001\nburst = 1\n[limits.address]\nper_second = 0.001\nburst = 1\n\
         [limits.cooldown]\nafter_refusals = 1\n"
    );
    let server = Server::start_with(&place, &config).await;
    let before = server.memory_bytes();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let mut connection = server.connect().await;
        callers.spawn(async move {
            let numbers: Vec<usize> = (caller..USERS).step_by(CALLERS).collect();
            for numbers in numbers.chunks(AT_ONCE) {
                // Which draw is not said: refused, but only after the user was counted.
                let ask = |number: &usize| {
                    let address =
                        format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
                    Request::get(&format!("activity/draw_record?userId=u{number}"))
                        .header("X-Forwarded-For", address)
                        .bytes()
                };
                connection
                    .send(&numbers.iter().flat_map(ask).collect::<Vec<u8>>())
                    .await
                    .expect("sent");
                for _ in numbers {
                    connection
                        .receive()
                        .await
                        .expect("an answer")
                        .envelope()
                        .expect(400, "0002");
                }
            }
        });
    }
    let keys =
        ["user", "address"].map(|limit| format!("drawbridge_limit_keys{{limit=\"{limit}\"}}"));
    while !callers.is_empty() {
        for gauge in &keys {
            let held = server.metric(gauge).await;
            assert!(held <= KEPT_MAX, "{gauge} {held}");
        }
        while let Some(ended) = callers.try_join_next() {
            ended.expect("every user has a bucket");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for gauge in &keys {
        // Counted in the background, each second.
        let there = async || {
            (KEYS_MAX..=KEPT_MAX)
                .contains(&server.metric(gauge).await)
                .then_some(())
        };
        eventually(
            &format!("{gauge}: there is room for so many"),
            WAIT_MAX,
            there,
        )
        .await;
    }
    let grown = server.memory_bytes().saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes for {USERS} users");
    // Users who come now are limited as ever.
    let from = |client: &str, request: Request| request.header("X-Forwarded-For", client);
    server
        .ask(&from("192.0.2.1", Request::account("late", LOAD_ACTIVITY)))
        .await
        .expect(200, "0000");
    server
        .ask(&from(
            "192.0.2.2",
            Request::draw("late", LOAD_ACTIVITY, "k"),
        ))
        .await
        .expect(429, "0005");
    server
        .ask(&from(
            "192.0.2.1",
            Request::draw("other", LOAD_ACTIVITY, "k"),
        ))
        .await
        .expect(429, "ERR_GW_012");
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 0);
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_holds_nothing_of_them() {
    const REQUESTS: usize = 20_000;
    const AT_ONCE: usize = 200;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let mut connection: Connection = server.connect().await;
    let unknown = Request::get(&format!("no/such/path/{}", "x".repeat(500))).bytes();
    let mut round = async |rounds: usize| {
        for _ in 0..rounds {
            connection
                .send(&unknown.repeat(AT_ONCE))
                .await
                .expect("sent");
            for _ in 0..AT_ONCE {
                connection
                    .receive()
                    .await
                    .expect("an answer")
                    .envelope()
                    .expect(404, "ERR_REQ_004");
            }
        }
    };
    round(5).await;
    let before = server.memory_bytes();
    round(REQUESTS / AT_ONCE).await;
    let grown = server.memory_bytes().saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes after {REQUESTS} requests");
    server.stop().await;
}
