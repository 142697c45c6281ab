//! Many connections that say little: half a head, nothing at all, a byte of a body now and then,
//! or that do not read what they are answered.
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::honest::HonestUsers;
use super::{KIB, MIB};
use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Request, Server, eventually};

/// For what a timeout of a second or two brings about, on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What a connection may cost the server that only waits: its buffer of 8 KiB, a task, a timer.
const IDLE_BYTES_MAX: u64 = 24 * KIB;

/// The gauge of open connections.
const CONNECTIONS: &str = "drawbridge_http_connections";

/// Times without end: whatever is closed is closed for another reason.
const ENDLESS: &str = "[http]\nfirst_header_timeout_ms = 600000\nheader_timeout_ms = 600000\nbody_timeout_ms = 600000\n";

/// Counts connections that were closed unanswered.
fn closed(why: &str) -> String {
    format!("drawbridge_http_connections_closed_total{{why=\"{why}\"}}")
}

/// Opens `count` connections from one address, and sends some first bytes over each.
async fn open_from(server: &Server, source: &str, count: usize, bytes: &[u8]) -> Vec<Connection> {
    let mut opened = Vec::new();
    for _ in 0..count {
        let mut connection = Connection::open_from(source, server.listen)
            .await
            .expect("a connection");
        // It may be closed already.
        let _ = connection.send(bytes).await;
        opened.push(connection);
    }
    opened
}

/// Opens `count` connections, and returns when all are open.
async fn open(server: &Server, count: usize) -> Vec<Connection> {
    const OPENERS: usize = 20;
    let address = server.listen;
    let mut openers = JoinSet::new();
    for opener in 0..OPENERS {
        openers.spawn(async move {
            let mut opened = Vec::new();
            for _ in (opener..count).step_by(OPENERS) {
                let connection = Connection::open(address).await.expect("a connection");
                // Thousands of them: they are to leave nothing behind on this machine.
                connection.reset_when_dropped();
                opened.push(connection);
            }
            opened
        });
    }
    openers.join_all().await.into_iter().flatten().collect()
}

#[tokio::test]
async fn half_open_connections_are_closed_in_time_and_keep_no_caller_out() {
    const HALF_OPEN: usize = 1_000;
    const CONNECTIONS_MAX: u64 = 300;
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = format!("[http]\nconnections_max = {CONNECTIONS_MAX}\nheader_timeout_ms = 1500\n");
    let server = Server::start_with(&place, &config).await;
    let honest = HonestUsers::arrive(&server, LOAD_ACTIVITY);
    honest.draw_on().await;

    let mut slow = JoinSet::new();
    for (number, mut connection) in open(&server, HALF_OPEN).await.into_iter().enumerate() {
        slow.spawn(async move {
            let head = Request::draw(&format!("slow-{number}"), LOAD_ACTIVITY, "k")
                .header("X", "x".repeat(2_000));
            for byte in head.bytes() {
                if connection.send(&[byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(250)).await;
            }
            let answer = connection.closed().await.expect("it is closed");
            assert!(answer.is_empty(), "half a request was answered");
        });
    }
    eventually("the house is full", WAIT_MAX, async || {
        (server.metric(CONNECTIONS).await >= CONNECTIONS_MAX).then_some(())
    })
    .await;
    // They come in turns of 300: while some are held, and those behind them wait, draws go on.
    honest.draw_on().await;
    while !slow.is_empty() {
        let held = server.metric(CONNECTIONS).await;
        assert!(held <= CONNECTIONS_MAX, "{held} connections");
        while let Some(ended) = slow.try_join_next() {
            ended.expect("closed without an answer");
        }
        sleep(Duration::from_millis(50)).await;
    }
    let made = honest.leave().await;
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn at_the_bound_connections_without_a_request_give_way() {
    const CONNECTIONS_MAX: u64 = 100;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(
        &place,
        &format!("{ENDLESS}connections_max = {CONNECTIONS_MAX}\n"),
    )
    .await;
    let mut served = server.connect().await;
    served
        .exchange(&Request::draw("u", LOAD_ACTIVITY, "1"))
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    let silent = open(&server, 300).await;
    let honest = HonestUsers::arrive(&server, LOAD_ACTIVITY);
    honest.draw_on().await;
    assert_eq!(
        server.metric("drawbridge_http_connections_max").await,
        CONNECTIONS_MAX
    );
    assert!(server.metric(CONNECTIONS).await <= CONNECTIONS_MAX);
    assert!(server.metric(&closed("gave_way")).await >= 2 * CONNECTIONS_MAX);
    // Those that never had a request go first, though this one was there before them.
    served
        .exchange(&Request::draw("u", LOAD_ACTIVITY, "2"))
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    drop(silent);
    let made = honest.leave().await + 2;
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn one_address_takes_no_more_than_its_places_and_proxies_what_they_need() {
    const EACH: usize = 20;
    const PROXY: &str = "127.0.0.9";
    let place = Place::with_campaigns(&[LOAD]).await;
    let config =
        format!("{ENDLESS}connections_per_address_max = {EACH}\ntrusted_proxies = [\"{PROXY}\"]\n");
    let server = Server::start_with(&place, &config).await;
    let head =
        b"POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";

    let silent = open_from(&server, "127.0.0.2", 3 * EACH, b"P").await;
    eventually(
        "the address has its places and no more",
        WAIT_MAX,
        async || (server.metric(CONNECTIONS).await == EACH as u64).then_some(()),
    )
    .await;
    assert_eq!(server.metric(&closed("gave_way")).await, 2 * EACH as u64);
    // With requests under way none of them gives way.
    let mut busy = open_from(&server, "127.0.0.3", EACH, head).await;
    server.answers_at_once(EACH).await;
    let mut more = Connection::open_from("127.0.0.3", server.listen)
        .await
        .unwrap();
    assert!(more.closed().await.unwrap().is_empty());
    assert_eq!(server.metric(&closed("address_full")).await, 1);
    let proxied = open_from(&server, PROXY, 3 * EACH, head).await;
    server.answers_at_once(4 * EACH).await;
    // Another address has places of its own.
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    busy[0].send(b"{\"x\": 1} ").await.unwrap();
    busy[0]
        .receive()
        .await
        .unwrap()
        .envelope()
        .expect(400, "0002");
    assert_eq!(server.metric(&closed("address_full")).await, 1);
    drop((silent, busy, proxied));
}

#[tokio::test]
async fn the_first_head_has_less_time_than_later_ones() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(
        &place,
        "[http]\nfirst_header_timeout_ms = 300\nheader_timeout_ms = 600000\n",
    )
    .await;
    let mut kept = server.connect().await;
    kept.exchange(&Request::draw("u", LOAD_ACTIVITY, "1"))
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    let (mut silent, mut half) = (server.connect().await, server.connect().await);
    half.send(b"POST /api/v1/raffle/activity/draw HTTP/1.1\r\n")
        .await
        .unwrap();
    assert!(silent.closed().await.unwrap().is_empty() && half.closed().await.unwrap().is_empty());
    assert_eq!(server.metric(&closed("silent")).await, 2);
    kept.exchange(&Request::draw("u", LOAD_ACTIVITY, "2"))
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 2);
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little_and_keep_no_caller_out() {
    const WANTED: usize = 10_000;
    const WANTED_MIN: usize = 2_000;
    /// For the other tests of this process.
    const RESERVED: usize = 1_500;
    let lent = rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let idle = WANTED.min(
        usize::try_from(lent)
            .unwrap_or(usize::MAX)
            .saturating_sub(RESERVED),
    );
    assert!(
        idle >= WANTED_MIN,
        "this machine lends {lent} files, room for {idle} connections: raise ulimit -n"
    );
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = "[http]\nconnections_max = 12000\nconnections_per_address_max = 12000\n\
                  first_header_timeout_ms = 600000\nheader_timeout_ms = 600000\n";
    let server = Server::start_with(&place, config).await;
    let honest = HonestUsers::arrive(&server, LOAD_ACTIVITY);
    honest.draw_on().await;

    let before = server.memory_bytes();
    let connections = open(&server, idle).await;
    eventually("all are held", WAIT_MAX, async || {
        (server.metric(CONNECTIONS).await >= idle as u64).then_some(())
    })
    .await;
    honest.draw_on().await;
    let each = server.memory_bytes().saturating_sub(before) / idle as u64;
    assert!(
        each < IDLE_BYTES_MAX,
        "{each} bytes for each of {idle} connections (files lent: {lent})"
    );
    server
        .ask(&Request::account("newcomer", LOAD_ACTIVITY))
        .await
        .expect(200, "0000");

    drop(connections);
    eventually("all have gone", WAIT_MAX, async || {
        (server.metric(CONNECTIONS).await < idle as u64 / 10).then_some(())
    })
    .await;
    let made = honest.leave().await;
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn bodies_that_trickle_in_are_refused_in_time_and_keep_no_caller_out() {
    const TRICKLES: usize = 400;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[http]\nbody_timeout_ms = 1500\n").await;
    let honest = HonestUsers::arrive(&server, LOAD_ACTIVITY);
    honest.draw_on().await;
    let before = server.memory_bytes();

    let mut trickles = JoinSet::new();
    for (number, mut connection) in open(&server, TRICKLES).await.into_iter().enumerate() {
        trickles.spawn(async move {
            let draw = Request::draw(&format!("slow-{number}"), LOAD_ACTIVITY, "k");
            // Half of them announce the length, half do not.
            let bytes = if number % 2 == 0 {
                draw.bytes()
            } else {
                draw.chunked_bytes(1)
            };
            let body = bytes
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
                .expect("a head")
                + 4;
            connection
                .send(&bytes[..body])
                .await
                .expect("the head is read");
            // The last bytes stay here.
            for byte in &bytes[body..bytes.len() - 6] {
                if connection.send(&[*byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(250)).await;
            }
            let answer = connection.closed().await.expect("it is closed");
            let answer = String::from_utf8(answer).expect("text");
            // A caller that still sends when it is refused may lose the answer.
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
                "{answer}"
            );
            !answer.is_empty()
        });
    }
    eventually("all are being read", WAIT_MAX, async || {
        (server.metric("drawbridge_http_in_flight_requests").await >= TRICKLES as u64).then_some(())
    })
    .await;
    honest.draw_on().await;
    let each = server.memory_bytes().saturating_sub(before) / TRICKLES as u64;
    assert!(each < 2 * IDLE_BYTES_MAX, "{each} bytes for each of them");
    let reported = trickles
        .join_all()
        .await
        .into_iter()
        .filter(|&reported| reported)
        .count();
    assert!(reported > 0, "no answer gave the reason");
    let made = honest.leave().await;
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, made);
}

#[tokio::test]
async fn a_connection_that_does_not_read_its_answers_is_closed_in_time() {
    const DEAF: usize = 20;
    /// The page has 17 KB: this number fills all buffers between the two ends.
    const PAGES: usize = 2_000;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[http]\nwrite_timeout_ms = 1000\n").await;
    let before = server.memory_bytes();
    let connections = open(&server, DEAF).await;
    let mut senders = JoinSet::new();
    for mut connection in connections {
        senders.spawn(async move {
            // It has been let in when it is answered.
            let page = Request::raw("GET", "/");
            assert_eq!(
                connection.exchange(&page).await.expect("an answer").status,
                200
            );
            // The server stops reading where it cannot answer, so this may fail, or not.
            let _ = connection.send(&page.bytes().repeat(PAGES)).await;
            connection
        });
    }
    let deaf = senders.join_all().await;
    eventually("the deaf are closed", WAIT_MAX, async || {
        (server.metric(CONNECTIONS).await == 0).then_some(())
    })
    .await;
    let grown = server.memory_bytes().saturating_sub(before);
    assert!(
        grown < 16 * MIB,
        "{grown} bytes for answers that are not read"
    );
    // Not by this end, which is still here.
    drop(deaf);
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    server.stop().await;
}
