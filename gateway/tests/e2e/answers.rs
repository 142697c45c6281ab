//! How answers look: their statuses, languages and headers, and whether the connection goes on.
use serde_json::json;

use crate::support::campaign::{DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY, unlimited};
use crate::support::{Connection, Place, Request, Response, Server};

const ACTIVITY: u64 = 200_005;

async fn started(config: &str) -> (Place, Server) {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let server = Server::start_with(&place, config).await;
    (place, server)
}

fn draw(user: &str, key: &str) -> Request {
    Request::draw(user, ACTIVITY, key)
}

/// One refusal of each class, and its honest status.
async fn refusals(server: &Server) -> Vec<(Request, u16, &'static str)> {
    server
        .send(&draw("u", "used"))
        .await
        .envelope_for_some_origins()
        .expect(200, "0000");
    let of_user = |path: &str| Request::json(path, &json!({"userId": "u", "activityId": ACTIVITY}));
    vec![
        (draw(" ", "k"), 400, "0002"),
        (of_user("activity/draw_by_token"), 401, "ERR_ID_001"),
        (
            draw("u", "k").header("Origin", "https://evil.example"),
            403,
            "ERR_ID_006",
        ),
        (Request::draw("u", 7, "k"), 404, "ERR_REQ_001"),
        (Request::get("activity/draw"), 405, "ERR_REQ_005"),
        (
            Request::post("activity/draw", "text/plain", "{}"),
            415,
            "ERR_REQ_008",
        ),
        (Request::draws("u", ACTIVITY, "used", 2), 422, "ERR_REQ_003"),
    ]
}

const RULES: [u16; 3] = [400, 404, 422];
const ONE_ORIGIN: &str = "allowed_origins = [\"https://wheel.example\"]\n";

#[tokio::test]
async fn rules_are_200_where_the_server_or_the_caller_says_so_and_all_else_is_honest() {
    for always in ["false", "\"rules\"", "true"] {
        let (_place, server) =
            started(&format!("[http]\n{ONE_ORIGIN}always_200 = {always}\n")).await;
        for (request, honest, code) in refusals(&server).await {
            let is_rule = RULES.contains(&honest);
            let status = match always {
                "true" => 200,
                "\"rules\"" if is_rule => 200,
                _ => honest,
            };
            let plain = server.send(&request).await;
            assert_eq!(
                (plain.status, plain.header("Preference-Applied")),
                (status, None),
                "{always} {request:?}"
            );
            let asked = server
                .send(&request.header("Prefer", "wait=1, status=200"))
                .await;
            let applied = always == "false" && is_rule;
            assert_eq!(
                asked.status,
                if applied { 200 } else { status },
                "{always} {code}"
            );
            assert_eq!(
                asked.header("Preference-Applied"),
                applied.then_some("status=200"),
                "{always} {code}"
            );
            assert!(
                asked.text().starts_with(&format!("{{\"code\":\"{code}\"")),
                "{}",
                asked.text()
            );
        }
    }
}

#[tokio::test]
async fn refusals_are_in_the_callers_language_and_draws_in_none() {
    let (_place, server) = started("").await;
    let chinese = "zh-CN,zh;q=0.9,en;q=0.8";
    let ask = async |request: Request| {
        server
            .send(&request.header("Accept-Language", chinese))
            .await
    };
    let closed = ask(Request::draw("u", 7, "k")).await;
    assert_eq!(closed.envelope().info, "活动或策略不存在");
    assert_eq!(
        (closed.header("Content-Language"), closed.header("Vary")),
        (Some("zh"), Some("Accept-Language, Prefer"))
    );
    let faulty = ask(draw("", "k")).await.envelope();
    assert_eq!(faulty.info, "参数错误：userId: must not be empty");
    let english = server.send(&draw("", "k")).await;
    assert_eq!(
        english.envelope().info,
        "illegal parameter: userId: must not be empty"
    );
    assert_eq!(english.header("Content-Language"), Some("en"));
    let made = ask(draw("u", "k")).await;
    let again = server.send(&draw("u", "k")).await;
    assert_eq!(
        (made.text(), made.header("Content-Language")),
        (again.text(), None)
    );

    let (_place, server) = started("[http]\nlanguage = \"zh\"\n").await;
    let refusal = server
        .send(&Request::get("nowhere").header("Accept-Language", "en"))
        .await;
    assert_eq!(
        (refusal.envelope().info.as_str(), refusal.header("Vary")),
        ("请求的路径不存在", Some("Prefer"))
    );
}

#[tokio::test]
async fn pages_read_the_headers_that_they_need() {
    let (_place, server) = started("[limits.user]\nper_second = 0.001\nburst = 1\n").await;
    let of_page = |request: Request| request.header("Origin", "https://wheel.example");
    for (request, status) in [(draw("u", "k"), 200), (draw("u", "k2"), 429)] {
        let answer = server.send(&of_page(request)).await;
        assert_eq!(answer.status, status);
        let exposed = answer
            .header("Access-Control-Expose-Headers")
            .expect("a list");
        for name in [
            "Retry-After",
            "RateLimit-Limit",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "X-Request-Id",
        ] {
            assert!(
                exposed.split(", ").any(|exposed| exposed == name),
                "{name} is missing in {exposed}"
            );
            assert_eq!(
                answer.header(name).is_some(),
                status == 429 || name == "X-Request-Id",
                "{name}"
            );
        }
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    }
    let preflight = server
        .send(&of_page(Request::new("OPTIONS", "activity/draw")))
        .await;
    assert!(
        preflight
            .header("Access-Control-Allow-Headers")
            .expect("a list")
            .contains("Prefer")
    );
    let page = server.send(&Request::raw("GET", "/")).await;
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Content-Security-Policy", "frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn only_pages_of_the_listed_origins_may_call() {
    let (_place, server) = started(&format!("[http]\n{ONE_ORIGIN}")).await;
    let from =
        async |origin: &str, request: Request| server.send(&request.header("Origin", origin)).await;
    for request in [
        draw("u", "k"),
        Request::account("u", ACTIVITY),
        Request::new("OPTIONS", "activity/draw"),
    ] {
        let ours = from("https://wheel.example", request.clone()).await;
        assert!(ours.status < 300, "{request:?}");
        assert_eq!(
            ours.header("Access-Control-Allow-Origin"),
            Some("https://wheel.example")
        );
        assert_eq!(ours.header("Vary"), Some("Origin"));
        for origin in [
            "https://wheel.example.evil",
            "http://wheel.example",
            "null",
            "",
        ] {
            let theirs = from(origin, request.clone()).await;
            assert_eq!(
                (theirs.status, theirs.header("Access-Control-Allow-Origin")),
                (403, None),
                "{origin}"
            );
            assert!(theirs.text().contains("ERR_ID_006"));
        }
        let program = server.send(&request).await;
        assert!(program.status < 300 && program.header("Access-Control-Allow-Origin").is_none());
    }
    let account = server.send(&Request::account("u", ACTIVITY)).await.text();
    assert!(
        account.contains("\"totalCountSurplus\":999999"),
        "one draw of one key was made: {account}"
    );
}

#[tokio::test]
async fn a_page_cannot_draw_by_a_cookie_that_a_proxy_checks() {
    const FORM: &str = "application/x-www-form-urlencoded";
    for (origins, ours) in [("", 403), (ONE_ORIGIN, 200)] {
        let config = format!(
            "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n{origins}[identity]\nkind = \"trusted-header\"\n"
        );
        let (place, server) = started(&config).await;
        let by_form = |key: &str| {
            let body = format!("activityId={ACTIVITY}&requestId={key}");
            Request::post("activity/draw", FORM, body).header("X-User-Id", "u")
        };
        let by_query = |key: &str| {
            let path = format!("activity/draw?activityId={ACTIVITY}&requestId={key}");
            Request::new("POST", &path).header("X-User-Id", "u")
        };
        let untyped = |key: &str| by_query(key).with_body("{}");
        let asks: [&dyn Fn(&str) -> Request; 3] = [&by_form, &by_query, &untyped];
        for (number, ask) in asks.iter().enumerate() {
            let of = async |kind: &str, origin: Option<&'static str>| {
                let request = ask(&format!("{kind}-{number}"));
                let request = match origin {
                    Some(origin) => request.header("Origin", origin),
                    None => request,
                };
                server.send(&request).await.status
            };
            assert_eq!(
                of("theirs", Some("https://evil.example")).await,
                403,
                "{number}"
            );
            assert_eq!(of("sandboxed", Some("null")).await, 403, "{number}");
            assert_eq!(
                of("ours", Some("https://wheel.example")).await,
                ours,
                "{number}"
            );
            assert_eq!(of("program", None).await, 200, "{number}");
        }
        let read = Request::form(
            "activity/query_user_activity_account",
            &format!("activityId={ACTIVITY}"),
        );
        let read = read
            .header("X-User-Id", "u")
            .header("Origin", "https://wheel.example");
        server
            .send(&read)
            .await
            .envelope_for_some_origins()
            .expect(200, "0000");
        server.stop().await;
        assert_eq!(
            place.audited_at_rest().await,
            if ours == 200 { 6 } else { 3 }
        );
    }
}

#[tokio::test]
async fn what_is_no_call_is_counted_logged_and_limited_too() {
    let config = "[limits.gateway]\nper_second = 0.001\nburst = 5\n[limits.route.unknown]\nper_second = 0.001\nburst = 1\n";
    let (_place, server) = started(config).await;
    let (page, nowhere) = (
        Request::raw("GET", "/"),
        Request::raw("GET", "/favicon.ico"),
    );
    let preflight = Request::new("OPTIONS", "activity/draw");
    let statuses = async |requests: &[&Request]| {
        let mut statuses = Vec::new();
        for request in requests {
            statuses.push(server.send(request).await.status);
        }
        statuses
    };
    let calls = [
        &page, &preflight, &nowhere, &nowhere, &page, &preflight, &page, &preflight,
    ];
    assert_eq!(
        statuses(&calls).await,
        [200, 204, 404, 429, 200, 204, 429, 429]
    );
    for (endpoint, code, count) in [
        ("page", "0000", 2),
        ("page", "ERR_GW_010", 1),
        ("preflight", "0000", 2),
        ("preflight", "ERR_GW_010", 1),
        ("unknown", "ERR_REQ_004", 1),
        ("unknown", "ERR_GW_011", 1),
    ] {
        let name =
            format!("drawbridge_http_requests_total{{code=\"{code}\",endpoint=\"{endpoint}\"}}");
        assert_eq!(server.metric(&name).await, count, "{name}");
        let parts = [
            format!("endpoint=\"{endpoint}\""),
            format!("code=\"{code}\""),
        ];
        let find = |log: &str| {
            let tells = |line: &str| parts.iter().all(|part| line.contains(part));
            log.lines().any(tells).then_some(())
        };
        server
            .logged(&format!("{endpoint} {code} is logged"), find)
            .await;
    }
}

#[tokio::test]
async fn what_is_no_call_takes_a_place_among_the_requests_in_flight() {
    let (_place, server) = started("[admission]\nin_flight_max = 1\n").await;
    let mut holder = server.connect().await;
    let bytes = draw("u", "k").bytes();
    holder.send(&bytes[..bytes.len() - 1]).await.expect("sent");
    server.answers_at_once(1).await;
    for request in [
        Request::raw("GET", "/"),
        Request::raw("GET", "/nowhere"),
        Request::new("OPTIONS", "activity/draw"),
    ] {
        server.ask(&request).await.expect(503, "ERR_GW_001");
    }
    holder.send(&bytes[bytes.len() - 1..]).await.expect("sent");
    holder
        .receive()
        .await
        .expect("an answer")
        .envelope()
        .expect(200, "0000");
}

/// Sends the head of a request, waits for the answer, and sends the body after it, as clients do
/// that send both in packets of their own.
async fn late_body(connection: &mut Connection, request: &Request) -> Response {
    let bytes = request.bytes();
    let head_len = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head")
        + 4;
    connection.send(&bytes[..head_len]).await.expect("sent");
    let answer = connection.receive().await.expect("an answer");
    // A client that knows that its body will not be read need not send it.
    if !answer.closes() {
        connection.send(&bytes[head_len..]).await.expect("sent");
    }
    answer
}

#[tokio::test]
async fn a_connection_that_ends_says_so_and_another_goes_on() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = "[http]\nbody_timeout_ms = 200\n[limits.user]\nper_second = 0.001\nburst = 1000\n\
                  [limits.route.draw_record]\nper_second = 0\nburst = 1\n";
    let server = Server::start_with(&place, config).await;
    let json =
        |path: &str| Request::json(path, &json!({"userId": "u", "activityId": LOAD_ACTIVITY}));
    let large = || Request::post("activity/draw", "application/json", vec![b' '; 70_000]);
    let put = Request::new("PUT", "activity/draw").with_body("x".repeat(100));
    // Answered with all of the body at hand: the connection goes on, refused or not.
    let whole = [
        (json("activity/draw"), 200),
        (json("nowhere"), 404),
        (put.clone(), 405),
        (json("activity/draw_by_token"), 401),
        (json("activity/draw_record"), 429),
        (Request::post("activity/draw", "text/plain", "x"), 415),
        (Request::new("OPTIONS", "activity/draw").with_body("x"), 204),
        (Request::raw("GET", "/").with_body("x"), 200),
        (Request::draw("u", 7, "k"), 404),
    ];
    let mut next = json("activity/draw");
    let mut connection = server.connect().await;
    for (request, status) in &whole {
        for bytes in [request.bytes(), request.chunked_bytes(5)] {
            connection.send(&bytes).await.expect("sent");
            let answer = connection.receive().await.expect("an answer");
            assert_eq!(answer.status, *status, "{request:?}");
            if answer.closes() {
                connection = server.connect().await;
            }
            next = next.header("X-Padding", "x");
            let after = connection
                .exchange(&next)
                .await
                .unwrap_or_else(|error| panic!("after {request:?}: {error}"));
            assert_eq!(after.status, 200);
        }
    }
    // Answered before the body has come, or in the middle of it.
    for (request, status) in [
        (json("nowhere"), 404),
        (put, 405),
        (json("activity/draw_record"), 429),
        (large(), 408),
    ] {
        let mut connection = server.connect().await;
        let answer = late_body(&mut connection, &request).await;
        assert_eq!(answer.status, status, "{request:?}");
        assert!(
            answer.closes(),
            "the end of the connection is not announced after {request:?}"
        );
        assert!(connection.closed().await.expect("an end").is_empty());
    }
    let mut connection = server.connect().await;
    let _ = connection.send(&large().bytes()).await;
    let answer = connection.receive().await.expect("an answer");
    assert_eq!((answer.status, answer.closes()), (413, true));
    // What leaves open where its body ends, and what is no HTTP.
    for bytes in [
        "POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
    ] {
        let mut connection = server.connect().await;
        connection.send(bytes.as_bytes()).await.expect("sent");
        let answer = connection.receive().await.expect("an answer");
        assert!(answer.closes(), "{bytes:?}: {answer:?}");
        connection.closed().await.expect("an end");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_permission_sends_no_body_in_vain() {
    let (_place, server) = started("").await;
    let mut connection = server.connect().await;
    let head =
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    connection.send(head.as_bytes()).await.expect("sent");
    let answer = connection.receive().await.expect("an answer");
    assert_eq!(
        (answer.status, answer.closes()),
        (404, true),
        "no word to go on, and an end"
    );
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(404, "ERR_REQ_001");
}
