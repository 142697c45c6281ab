//! Bad input: refused by name, and nothing changes.
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::campaign::{DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Request, Server};

const JSON: &str = "application/json";

fn draw(body: impl Into<Vec<u8>>) -> Request {
    Request::post("activity/draw", JSON, body)
}

/// A draw whose body is good but for one field.
fn draw_with(field: &str, value: &Value) -> Request {
    let mut body = json!({"userId": "u", "activityId": DEMO_ACTIVITY});
    body[field] = value.clone();
    draw(body.to_string())
}

/// Bodies that are no JSON object at all.
fn no_objects() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "not JSON",
        "[]",
        "[\"u\",100301]",
        "\"u\"",
        "7",
        "null",
        "{",
        "{} {}",
        "{\"userId\":}",
        "userId=u&activityId=100301",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.push(b"{\"userId\":\"\xff\",\"activityId\":100301}".to_vec());
    bodies.push(b"{\"userId\":\"\xed\xa0\x80\",\"activityId\":100301}".to_vec());
    bodies.push(b"{\"userId\":\"a\nb\",\"activityId\":100301}".to_vec());
    // So deep that a reader without a bound would run out of stack.
    bodies.push(vec![b'['; 60_000]);
    bodies.push(b"{\"a\":".repeat(12_000));
    bodies.push(
        [
            b"{\"x\":".to_vec(),
            vec![b'['; 30_000],
            vec![b']'; 30_000],
            b"}".to_vec(),
        ]
        .concat(),
    );
    bodies
}

/// Draws with one bad field, and its name.
fn bad_fields() -> Vec<(Request, &'static str)> {
    let users = [
        json!(true),
        json!([]),
        json!(["u"]),
        json!({}),
        json!(null),
        json!(""),
        json!(" "),
        json!(" u"),
        json!("u "),
        json!("\u{3000}u"),
        json!("u\u{a0}"),
        json!("u\u{2003}"),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!("a\tb"),
        json!("a\u{7f}b"),
        json!("a\u{85}b"),
        json!("x".repeat(129)),
        json!("\u{1f3b0}".repeat(129)),
        json!("\u{200b}"),
        json!("\u{202e}\u{2066}"),
        json!("\u{3164}"),
        json!("x".repeat(50_000)),
    ];
    let activities = [
        json!(true),
        json!([100_301]),
        json!({}),
        json!(null),
        json!(""),
        json!("x"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!("1e3"),
        json!("0x10"),
        json!("+1"),
        json!("100 301"),
        json!(u64::MAX),
        json!("9223372036854775808"),
        json!("9".repeat(400)),
    ];
    let keys = [
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!("a b"),
        json!(" a"),
        json!("\u{fa}"),
        json!("a\tb"),
        json!("k".repeat(65)),
    ];
    let users = users
        .iter()
        .map(|value| (draw_with("userId", value), "userId"));
    let activities = activities
        .iter()
        .map(|value| (draw_with("activityId", value), "activityId"));
    let keys = keys
        .iter()
        .map(|value| (draw_with("requestId", value), "requestId"));
    let raw = [
        (draw("{\"activityId\":100301}"), "userId"),
        (draw("{\"userId\":\"u\"}"), "activityId"),
        (
            draw("{\"userId\":\"\\ud800\",\"activityId\":100301}"),
            "userId",
        ),
        (
            draw("{\"userId\":\"\\udc00x\",\"activityId\":100301}"),
            "userId",
        ),
        (
            draw("{\"userId\":\"u\",\"activityId\":1003015e-1}"),
            "activityId",
        ),
        (
            draw("{\"userId\":\"u\",\"userId\":\"v\",\"activityId\":100301}"),
            "userId",
        ),
    ];
    users.chain(activities).chain(keys).chain(raw).collect()
}

/// Values that the header `Idempotency-Key` must not have.
fn bad_header_keys() -> Vec<Vec<u8>> {
    let texts = ["a b", "a\tb", "\u{fa}"];
    let mut keys: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    keys.extend([b"\xff".to_vec(), vec![b'k'; 65], vec![b'k'; 5_000]]);
    keys
}

#[tokio::test]
async fn bad_draws_are_refused_by_name_and_change_nothing() {
    let place = Place::new();
    let server = Server::start_with(&place, "[http]\nbody_max_bytes = 65536\n").await;
    for body in no_objects() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = server.ask(&draw(body).header("Idempotency-Key", "k")).await;
        assert_eq!(answer.key(), "k", "{shown}");
        answer.expect(400, "0002");
    }
    for (request, field) in bad_fields() {
        let answer = server.ask(&request).await.expect(400, "0002");
        assert!(
            answer.info.contains(field),
            "{field} is not named in {:?}",
            answer.info
        );
        assert!(!answer.key().is_empty());
    }
    let good = Request::keyless_draw("u", DEMO_ACTIVITY);
    for key in bad_header_keys() {
        let answer = server
            .ask(&good.clone().header("Idempotency-Key", key))
            .await
            .expect(400, "0002");
        assert!(answer.info.contains("Idempotency-Key"), "{}", answer.info);
        assert!(!answer.key().is_empty());
    }
    let twice = good
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    server.ask(&twice).await.expect(400, "0002");
    server
        .ask(&Request::draw("u", 7, "k"))
        .await
        .expect(404, "ERR_REQ_001");

    let account = server.data(&Request::account("u", DEMO_ACTIVITY)).await;
    for name in ["total", "day", "month"] {
        assert_eq!(account[format!("{name}CountSurplus")], 100, "{account}");
    }
    server
        .ask(&Request::record("u", "requestId", "k"))
        .await
        .expect(404, "ERR_REQ_002");
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 0, "nothing was drawn");
}

#[tokio::test]
async fn the_other_endpoints_name_a_bad_field_too() {
    let place = Place::new();
    let server = Server::start(&place).await;
    let by_user = [
        "activity/query_user_activity_account",
        "strategy/query_raffle_award_list",
        "strategy/query_raffle_strategy_rule_weight",
    ];
    let mut cases = Vec::new();
    for path in by_user {
        cases.push((
            Request::json(path, &json!({"activityId": DEMO_ACTIVITY})),
            "userId",
        ));
        cases.push((Request::json(path, &json!({"userId": "u"})), "activityId"));
        cases.push((
            Request::json(path, &json!({"userId": "u", "activityId": "x"})),
            "activityId",
        ));
        cases.push((
            Request::json(path, &json!({"userId": " u", "activityId": DEMO_ACTIVITY})),
            "userId",
        ));
        cases.push((Request::json(path, &json!([])), "body"));
        let unknown = Request::json(path, &json!({"userId": "u", "activityId": 7}));
        server.ask(&unknown).await.expect(404, "ERR_REQ_001");
    }
    for path in [
        "strategy/random_raffle",
        "random_raffle",
        "query_raffle_award_list",
    ] {
        cases.push((Request::json(path, &json!({})), "strategyId"));
        cases.push((
            Request::json(path, &json!({"strategyId": [1]})),
            "strategyId",
        ));
        server
            .ask(&Request::json(path, &json!({"strategyId": 7})))
            .await
            .expect(404, "ERR_REQ_001");
    }
    for (path, field) in [
        ("activity/armory", "activityId"),
        ("strategy/strategy_armory", "strategyId"),
        ("strategy_armory", "strategyId"),
    ] {
        for value in ["", "x", "-1", "0", "%FF", "1.0"] {
            cases.push((Request::get(&format!("{path}?{field}={value}")), field));
        }
        cases.push((Request::get(path), field));
        server
            .ask(&Request::get(&format!("{path}?{field}=7")))
            .await
            .expect(404, "ERR_REQ_001");
    }
    cases.push((
        Request::get("activity/query_stage_activity_id?channel=c01"),
        "source",
    ));
    cases.push((
        Request::get("activity/query_stage_activity_id?source=s01"),
        "channel",
    ));
    cases.push((
        Request::get("activity/draw_record?userId=%ED%A0%80&requestId=k"),
        "userId",
    ));
    for (request, field) in cases {
        let answer = server.ask(&request).await.expect(400, "0002");
        assert!(answer.info.contains(field), "{request:?}: {}", answer.info);
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_refused_in_an_envelope() {
    let place = Place::new();
    let server = Server::start(&place).await;
    for path in [
        "nowhere",
        "",
        "activity",
        "activity/Draw",
        "activity/draw/x",
        "strategy/draw",
    ] {
        server
            .ask(&Request::get(path))
            .await
            .expect(404, "ERR_REQ_004");
        server
            .ask(&Request::json(path, &json!({})))
            .await
            .expect(404, "ERR_REQ_004");
    }
    server
        .ask(&Request::raw("GET", "/favicon.ico"))
        .await
        .expect(404, "ERR_REQ_004");
    server
        .ask(&Request::raw("POST", "/api/v2/raffle/activity/draw"))
        .await
        .expect(404, "ERR_REQ_004");
    for (method, path, allowed) in [
        ("GET", "activity/draw", "POST"),
        ("HEAD", "activity/draw", "POST"),
        ("PUT", "activity/draw", "POST"),
        ("DELETE", "activity/draw_record", "GET"),
        ("PUT", "activity/armory", "GET"),
        ("DELETE", "strategy/query_raffle_award_list", "GET"),
        ("PATCH", "random_raffle", "HEAD"),
    ] {
        let response = server.send(&Request::new(method, path)).await;
        let methods: Vec<&str> = response
            .header("Allow")
            .unwrap()
            .split(',')
            .map(str::trim)
            .collect();
        assert!(
            methods.contains(&allowed) && !methods.contains(&method),
            "{method} {path}: {methods:?}"
        );
        assert_eq!(response.status, 405);
        if method != "HEAD" {
            response.envelope().expect(405, "ERR_REQ_005");
        }
    }
    server
        .ask(&Request::raw("POST", "/"))
        .await
        .expect(405, "ERR_REQ_005");
    let refused = server
        .ask(&Request::get("activity/draw").header("Idempotency-Key", "k"))
        .await;
    assert_eq!(refused.key(), "k");
}

/// A draw whose body has exactly this number of bytes.
fn draw_of_bytes(bytes: usize, key: &str) -> Request {
    let bare = json!({"userId": "u", "activityId": LOAD_ACTIVITY, "padding": ""}).to_string();
    let padding = "x".repeat(bytes - bare.len());
    let body = json!({"userId": "u", "activityId": LOAD_ACTIVITY, "padding": padding}).to_string();
    assert_eq!(body.len(), bytes);
    draw(body).header("Idempotency-Key", key)
}

#[tokio::test]
async fn bodies_may_be_as_large_as_configured_and_no_larger() {
    const LIMIT: usize = 4096;
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let mut connection = server.connect().await;
    connection
        .send(&draw_of_bytes(LIMIT, "plain").bytes())
        .await
        .unwrap();
    connection
        .receive()
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    connection
        .send(&draw_of_bytes(LIMIT, "chunked").chunked_bytes(1_000))
        .await
        .unwrap();
    connection
        .receive()
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");

    let (over, huge) = (
        draw_of_bytes(LIMIT + 1, "over"),
        draw_of_bytes(5_000_000, "huge"),
    );
    for bytes in [
        over.bytes(),
        over.chunked_bytes(1_000),
        huge.bytes(),
        huge.chunked_bytes(100_000),
    ] {
        let mut connection = server.connect().await;
        // The server need not read on once it knows, so the rest may find a closed connection.
        let _ = connection.send(&bytes).await;
        let answer = connection
            .receive()
            .await
            .unwrap()
            .envelope()
            .expect(413, "ERR_REQ_006");
        assert!(["over", "huge"].contains(&answer.key()));
        // It goes on, for others and for this caller.
        server
            .ask(&Request::draw("u", LOAD_ACTIVITY, "small"))
            .await
            .expect(200, "0000");
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 3);
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_draw() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    for bytes in [
        Request::draw("u", LOAD_ACTIVITY, "k").bytes(),
        Request::draw("u", LOAD_ACTIVITY, "k").chunked_bytes(7),
    ] {
        let mut connection = server.connect().await;
        connection.send(&bytes[..bytes.len() - 8]).await.unwrap();
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 0);
}

/// Sends one byte after the other until the other side closes.
async fn drip(connection: &mut Connection, bytes: &[u8]) {
    for byte in bytes {
        if connection.send(&[*byte]).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(40)).await;
    }
    panic!("{} bytes, one at a time, were accepted", bytes.len());
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_are_cut_off() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    /// A busy machine may take longer than the timeout, but not for ever.
    const SLACK: Duration = Duration::from_secs(5);
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(
        &place,
        "[http]\nheader_timeout_ms = 300\nbody_timeout_ms = 300\n",
    )
    .await;
    let request = Request::draw("u", LOAD_ACTIVITY, "k").header("X-Padding", "x".repeat(500));
    let bytes = request.bytes();
    let begun = Instant::now();

    let (mut silent, mut half_head, mut dripped) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    half_head.send(&bytes[..40]).await.unwrap();
    drip(&mut dripped, &bytes[..bytes.len() / 2]).await;
    silent.closed().await.unwrap();
    half_head.closed().await.unwrap();
    assert!(
        (TIMEOUT..SLACK).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );

    let begun = Instant::now();
    let mut half_body = server.connect().await;
    half_body.send(&bytes[..bytes.len() - 5]).await.unwrap();
    let answer = half_body
        .receive()
        .await
        .unwrap()
        .envelope()
        .expect(408, "ERR_REQ_007");
    assert_eq!(answer.key(), "k");
    half_body.closed().await.unwrap();
    assert!(
        (TIMEOUT..SLACK).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );

    // None of them holds up a fast caller, and an idle connection ends like a slow one.
    let mut fast = server.connect().await;
    fast.exchange(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .unwrap()
        .envelope()
        .expect(200, "0000");
    fast.closed().await.unwrap();
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn what_is_not_http_does_not_end_the_server() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let long_header = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2_000_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(200_000));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no TLS here"[..],
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
        long_target.as_bytes(),
    ] {
        let mut connection = server.connect().await;
        // It may have closed before all is sent.
        let _ = connection.send(bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        connection.closed().await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        server.ask(&Request::draw("u", LOAD_ACTIVITY, "k")).await.expect(200, "0000");
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn malformed_http_is_refused_as_such() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    for (bytes, status) in [
        ("GET /\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("GET /a b HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(),
            "HTTP/1.1 400 ",
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5_000)),
            "HTTP/1.1 431 ",
        ),
    ] {
        let mut connection = server.connect().await;
        // It may have closed before all is sent.
        let _ = connection.send(bytes.as_bytes()).await;
        let answer = connection.closed().await.unwrap();
        assert!(
            answer.starts_with(status.as_bytes()),
            "{:?} for {:?}",
            String::from_utf8_lossy(&answer),
            &bytes[..20.min(bytes.len())]
        );
    }
}

#[tokio::test]
async fn callers_that_speak_an_older_http_or_close_are_answered() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let body = json!({"userId": "u", "activityId": LOAD_ACTIVITY}).to_string();
    let length = body.len();
    for head in [
        format!(
            "POST /api/v1/raffle/activity/draw HTTP/1.0\r\nContent-Length: {length}\r\nidempotency-key: k\r\n\r\n"
        ),
        format!(
            "POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
             IDEMPOTENCY-KEY: k\r\n\r\n"
        ),
    ] {
        let mut connection = server.connect().await;
        connection
            .send(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        let answer = connection
            .receive()
            .await
            .unwrap()
            .envelope()
            .expect(200, "0000");
        assert_eq!(answer.key(), "k");
        assert!(connection.closed().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_what_comes_after_its_request() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    // An empty line, which some clients send after a body, and the beginning of another request.
    let second = Request::draw("u", LOAD_ACTIVITY, "second").bytes();
    for (key, rest) in [("line", &b"\r\n"[..]), ("head", &second[..30])] {
        let mut connection = server.connect().await;
        let first = Request::draw("u", LOAD_ACTIVITY, key).bytes();
        connection.send(&[&first, rest].concat()).await.unwrap();
        let answer = timeout(Duration::from_secs(5), connection.receive()).await;
        let answer = answer
            .unwrap_or_else(|_| panic!("the answer is held back by {rest:?}"))
            .unwrap();
        assert_eq!(answer.envelope().expect(200, "0000").key(), key);
    }
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_their_order() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
    let bytes: Vec<u8> = keys
        .iter()
        .flat_map(|key| Request::draw("u", LOAD_ACTIVITY, key).bytes())
        .collect();
    let mut connection = server.connect().await;
    connection.send(&bytes).await.unwrap();
    for key in keys {
        let answer = connection
            .receive()
            .await
            .unwrap()
            .envelope()
            .expect(200, "0000");
        assert_eq!(answer.key(), key);
    }
}
