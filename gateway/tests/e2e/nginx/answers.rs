//! What nginx says itself, to whatever comes: always the envelope, never a page of its own.
use tokio::net::TcpListener as Listener;

use super::*;

/// Checks that an answer is an envelope with these, and has the headers of all answers.
#[track_caller]
fn is_envelope(answer: &Response, status: u16, code: &str) {
    answer.envelope_of_any_status().expect(status, code);
    assert_eq!(
        answer.header("X-Content-Type-Options"),
        Some("nosniff"),
        "{answer:?}"
    );
    assert!(
        answer
            .header("Access-Control-Expose-Headers")
            .is_some_and(|names| names.contains("X-Request-Id"))
    );
    assert!(answer.header("X-Request-Id").is_some());
}

#[tokio::test]
async fn what_is_no_request_gets_an_envelope() {
    let (place, server) = started("").await;
    let nginx = Nginx::start(&place, "plain", &Form::shaped(Shape::Plain, server.listen)).await;
    let long = "x".repeat(13_000);
    for (bytes, status, code) in [
        ("GARBAGE\r\n\r\n", 400, "0002"),
        ("GET / HTTP/2.0\r\n\r\n", 400, "0002"),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "0002"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "0002"),
        ("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "0002"),
        ("GET /../.. HTTP/1.1\r\nHost: x\r\n\r\n", 400, "0002"),
        (" \r\n\r\n", 400, "0002"),
        (
            &format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
            400,
            "0002",
        ),
        (
            &format!("GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n"),
            400,
            "0002",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
            400,
            "0002",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
            400,
            "0002",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            "0002",
        ),
        ("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, "ERR_REQ_005"),
        ("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 405, "ERR_REQ_005"),
        (
            "GET /drawbridge/malformed HTTP/1.1\r\nHost: x\r\n\r\n",
            404,
            "ERR_REQ_004",
        ),
    ] {
        let answer = nginx
            .send_bytes(bytes.as_bytes())
            .await
            .unwrap_or_else(|| panic!("no answer to {bytes}"));
        is_envelope(&answer, status, code);
        if status == 405 {
            assert!(answer.header("Allow").is_some());
        }
    }
    // With TLS: what comes in clear, too.
    let tls = Nginx::start(&place, "tls", &Form::of(server.listen)).await;
    let answer = tls
        .send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("an answer");
    is_envelope(&answer, 400, "0002");
    let body = place.file("large", " ".repeat(5_000));
    tls.ask("activity/draw", &["--data-binary", &format!("@{body}")])
        .await
        .expect(413, "ERR_REQ_006");
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_nginx_lets_through_is_one_that_a_gateway_reads() {
    const LINE: usize = 500;
    let (place, server) = started("").await;
    let nginx = Nginx::start(&place, "plain", &Form::shaped(Shape::Plain, server.listen)).await;
    let (mut through, mut refused) = (0, 0);
    for kib in 7..34 {
        let mut request = Request::get("activity/armory?activityId=200001");
        for _ in 0..(kib * 1024 / LINE) {
            request = request.header("A", "x".repeat(LINE - "A: \r\n".len()));
        }
        let answer = nginx.send_bytes(&request.bytes()).await.expect("an answer");
        if answer.status == 200 {
            assert_eq!(refused, 0, "{kib} KiB");
            through += 1;
        } else {
            is_envelope(&answer, 400, "0002");
            refused += 1;
        }
    }
    // The longest token has 8 KiB.
    assert!(through >= 4 && refused > 0, "{through}");
    let token = Request::draw("u", LOAD_ACTIVITY, "k")
        .header("Authorization", format!("Bearer {}", "t".repeat(8192)));
    nginx
        .send_bytes(&token.bytes())
        .await
        .expect("an answer")
        .envelope()
        .expect(200, "0000");
    server.stop().await;
}

#[tokio::test]
async fn half_a_head_is_waited_for_only_so_long() {
    let (place, server) = started("").await;
    let short = [(
        "server.conf",
        "client_header_timeout 5s;",
        "client_header_timeout 1s;",
    )];
    let form = Form {
        changes: &short,
        ..Form::shaped(Shape::Plain, server.listen)
    };
    let nginx = Nginx::start(&place, "impatient", &form).await;
    let mut connection = Connection::open(nginx.listen).await.expect("a connection");
    connection
        .send(b"POST /api/v1/raffle/activity/draw HT")
        .await
        .expect("open");
    assert_eq!(
        connection.closed().await.expect("closed"),
        b"",
        "nothing is said to what is no request yet"
    );
    server.stop().await;
}

/// A gateway that takes connections and says nothing: how many have come.
async fn silent() -> (SocketAddr, tokio::sync::watch::Receiver<usize>) {
    let listener = Listener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (count, counted) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            count.send_replace(held.len());
        }
    });
    (address, counted)
}

#[tokio::test]
async fn however_many_gateways_stand_still_two_are_waited_for() {
    let place = Place::new();
    let (mut gateways, mut counts) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (address, count) = silent().await;
        gateways.push(address);
        counts.push(count);
    }
    let asked = |counts: &[tokio::sync::watch::Receiver<usize>]| {
        counts.iter().map(|count| *count.borrow()).sum::<usize>()
    };
    let scaled = [
        (
            "server.conf",
            "proxy_read_timeout 6s;",
            "proxy_read_timeout 600ms;",
        ),
        (
            "server.conf",
            "proxy_next_upstream_timeout 12s;",
            "proxy_next_upstream_timeout 1200ms;",
        ),
    ];
    let form = Form {
        gateways,
        changes: &scaled,
        ..Form::shaped(Shape::Plain, servers::free_address())
    };
    let nginx = Nginx::start(&place, "patient", &form).await;
    let draw = nginx
        .send_bytes(&Request::draw("u", LOAD_ACTIVITY, "k").bytes())
        .await
        .expect("an answer");
    is_envelope(&draw, 504, "ERR_GW_006");
    assert_eq!(asked(&counts), 2, "a draw may go to a second gateway");
    let account = nginx
        .send_bytes(&Request::account("u", LOAD_ACTIVITY).bytes())
        .await
        .expect("an answer");
    is_envelope(&account, 503, "ERR_GW_009");
    assert_eq!(asked(&counts), 4, "and so may what only reads");
    let unknown = Request::json("activity/credit", &json!({"userId": "u"}));
    let unknown = nginx.send_bytes(&unknown.bytes()).await.expect("an answer");
    is_envelope(&unknown, 504, "ERR_GW_006");
    assert_eq!(
        asked(&counts),
        5,
        "a draw with an unknown outcome is sent once"
    );
}
