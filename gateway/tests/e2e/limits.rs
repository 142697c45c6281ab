//! Limits of a running server: each refuses by its own code, can be watched, overridden, lifted and
//! cleared.
use std::time::Duration;

use serde_json::Value;

use crate::support::campaign::unlimited;
use crate::support::{Connection, Place, Ran, Request, Response, Server, eventually, text_of};

const ACTIVITY: u64 = 200_004;
const VIEWER: &str = "the-viewers-token-123";

/// Buckets of a few tokens that get none while a test runs.
async fn started(config: &str) -> (Place, Server) {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let server = Server::start_with(&place, config).await;
    (place, server)
}

/// `drawbridge ...` on the server, with its own token.
async fn operate(place: &Place, server: &Server, words: &[&str]) -> Ran {
    let (admin, token) = (
        format!("http://{}", server.admin),
        text_of(&place.data().join("admin-token")),
    );
    place
        .run(&[words, &["--admin", &admin, "--token-file", &token]].concat())
        .await
}

async fn switch_limits(place: &Place, server: &Server, words: &[&str]) {
    operate(
        place,
        server,
        &[&["switch", "set", "limits"], words, &["--reason", "a test"]].concat(),
    )
    .await
    .ok();
}

/// A request that a proxy passes on for a client.
fn from(client: &str, request: Request) -> Request {
    request.header("X-Forwarded-For", client)
}

/// Checks a refusal by a limit: its code and how many it lets through at once.
#[track_caller]
fn limited(response: &Response, code: &str, burst: &str) {
    response.envelope().expect(429, code);
    let wait_s: u32 = response
        .header("Retry-After")
        .and_then(|text| text.parse().ok())
        .expect("seconds");
    assert!((1..=1000).contains(&wait_s), "{wait_s}");
    assert_eq!(response.header("RateLimit-Limit"), Some(burst));
    assert_eq!(response.header("RateLimit-Remaining"), Some("0"));
    assert_eq!(
        response.header("RateLimit-Reset"),
        response.header("Retry-After")
    );
}

/// Waits until a gauge that is counted in the background shows this number.
async fn shown(server: &Server, gauge: &str, count: u64) {
    let as_expected = async || (server.metric(gauge).await == count).then_some(());
    eventually(
        &format!("{gauge} {count}"),
        Duration::from_secs(30),
        as_expected,
    )
    .await;
}

async fn counted(server: &Server, expected: &[(&str, &str, u32)]) {
    let reported = server.ask_admin("GET", "/metrics").await.text();
    for (limit, decision, count) in expected {
        let line = format!(
            "drawbridge_limit_decisions_total{{decision=\"{decision}\",limit=\"{limit}\"}} {count}"
        );
        assert!(
            reported.lines().any(|found| found == line),
            "{line} is missing in\n{reported}"
        );
    }
}

#[tokio::test]
async fn each_limit_refuses_by_its_own_code_and_a_narrow_one_leaves_the_wider_ones_their_tokens() {
    let config = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [limits.gateway]\nper_second = 0.001\nburst = 6\n[limits.route.draw]\nper_second = 0.001\nburst = 5\n\
         [limits.address]\nper_second = 0.001\nburst = 3\n[limits.user]\nper_second = 0.001\nburst = 2\n";
    let (place, server) = started(config).await;
    let draw = |user, key| Request::draw(user, ACTIVITY, key);
    for key in ["1", "2"] {
        server
            .ask(&from("192.0.2.1", draw("u", key)))
            .await
            .expect(200, "0000");
    }
    let refused = server.send(&from("192.0.2.1", draw("u", "3"))).await;
    limited(&refused, "0005", "2");
    assert_eq!(refused.envelope().key(), "3");
    for _ in 0..10 {
        let refused = server.send(&from("192.0.2.1", draw("v", "4"))).await;
        limited(&refused, "ERR_GW_012", "3");
        assert_eq!(refused.envelope().key(), "4");
    }
    for key in ["5", "6"] {
        server
            .ask(&from("192.0.2.2", draw("w", key)))
            .await
            .expect(200, "0000");
    }
    limited(
        &server.send(&from("192.0.2.2", draw("w", "7"))).await,
        "ERR_GW_011",
        "5",
    );
    server
        .ask(&from("192.0.2.3", Request::account("x", ACTIVITY)))
        .await
        .expect(200, "0000");
    limited(
        &server
            .send(&from("192.0.2.4", Request::account("y", ACTIVITY)))
            .await,
        "ERR_GW_010",
        "6",
    );
    let refused = [
        ("user", "refused", 1),
        ("address", "refused", 10),
        ("route", "refused", 1),
        ("gateway", "refused", 1),
    ];
    counted(&server, &refused).await;
    // Four addresses asked, of which one was never let through.
    shown(&server, "drawbridge_limit_keys{limit=\"user\"}", 3).await;
    shown(&server, "drawbridge_limit_keys{limit=\"address\"}", 3).await;
    // Their buckets apart, refused draws leave nothing behind.
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 4);
}

#[tokio::test]
async fn every_endpoint_that_names_a_user_is_limited_for_that_user() {
    let (_place, server) = started("[limits.user]\nper_second = 0.001\nburst = 1\n").await;
    let named = |path: &str, user: &str| {
        Request::json(
            path,
            &serde_json::json!({"userId": user, "activityId": ACTIVITY}),
        )
    };
    server
        .ask(&Request::account("u", ACTIVITY))
        .await
        .expect(200, "0000");
    for request in [
        Request::draw("u", ACTIVITY, "k"),
        Request::account("u", ACTIVITY),
        Request::record("u", "requestId", "k"),
        named("strategy/query_raffle_award_list", "u"),
        named("strategy/query_raffle_strategy_rule_weight", "u"),
        named("activity/draw_records", "u"),
        named("activity/query_user_award_record_list", "u"),
        named("activity/query_user_credit_account", "u"),
        named("activity/credit_ledger", "u"),
        named("activity/recharge_orders", "u"),
        named("activity/is_calendar_sign_rebate", "u"),
    ] {
        limited(&server.send(&request).await, "0005", "1");
    }
    server
        .ask(&named("strategy/query_raffle_award_list", "v"))
        .await
        .expect(200, "0000");
    // A request without a user is refused for that.
    server
        .ask(&Request::json(
            "activity/draw",
            &serde_json::json!({"activityId": ACTIVITY}),
        ))
        .await
        .expect(400, "0002");
}

#[tokio::test]
async fn observing_limits_count_and_refuse_nothing() {
    let config = "[limits.gateway]\nper_second = 0\nobserve = true\n[limits.route.draw]\nper_second = 0\nobserve = true\n\
         [limits.address]\nper_second = 0\nobserve = true\n[limits.user]\nper_second = 0\nobserve = true\n\
         [limits.cooldown]\nafter_refusals = 1\n";
    let (place, server) = started(config).await;
    for key in ["1", "2", "3"] {
        server
            .ask(&Request::draw("u", ACTIVITY, key))
            .await
            .expect(200, "0000");
    }
    let observed = ["gateway", "route", "address", "user"].map(|limit| (limit, "observed", 3));
    counted(&server, &observed).await;
    counted(
        &server,
        &observed.map(|(limit, _, _)| (limit, "refused", 0)),
    )
    .await;
    counted(
        &server,
        &[("cooldown", "observed", 0), ("cooldown", "refused", 0)],
    )
    .await;
    assert_eq!(
        operate(&place, &server, &["cooldown", "list"]).await.ok(),
        "0 users are in cooldown\n"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_rate_of_zero_refuses_everything_but_the_admin_address() {
    let (_place, server) = started("[limits.gateway]\nper_second = 0\n").await;
    for _ in 0..3 {
        let refused = server.send(&Request::draw("u", ACTIVITY, "k")).await;
        limited(&refused, "ERR_GW_010", "0");
        assert_eq!(refused.header("Retry-After"), Some("60"));
    }
    limited(
        &server.send(&Request::raw("GET", "/")).await,
        "ERR_GW_010",
        "0",
    );
    assert_eq!(server.readiness().await, Some(200));
}

#[tokio::test]
async fn a_user_who_is_refused_too_often_is_in_cooldown_is_listed_and_can_be_let_in_again() {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let viewer = place.file("viewer-token", format!("{VIEWER}\n"));
    let config = format!(
        "[admin]\nviewer_token_file = {viewer:?}\n[limits.user]\nper_second = 0.001\nburst = 1\n\
         [limits.cooldown]\nafter_refusals = 2\nwindow_ms = 3600000\nfor_ms = 3600000\n"
    );
    let server = Server::start_with(&place, &config).await;
    let draw = async |user: &str, key: &str| server.send(&Request::draw(user, ACTIVITY, key)).await;
    let user = "ú & co";
    for (key, code) in [
        ("1", "0000"),
        ("2", "0005"),
        ("3", "0005"),
        ("4", "ERR_GW_013"),
        ("1", "ERR_GW_013"),
    ] {
        assert_eq!(draw(user, key).await.envelope().code, code, "{key}");
    }
    let refused = draw(user, "5").await;
    refused.envelope().expect(429, "ERR_GW_013");
    let wait_s: u32 = refused
        .header("Retry-After")
        .and_then(|text| text.parse().ok())
        .expect("seconds");
    assert!((1..=3600).contains(&wait_s), "{wait_s}");
    draw("v", "1").await.envelope().expect(200, "0000");
    counted(
        &server,
        &[("cooldown", "refused", 3), ("user", "refused", 2)],
    )
    .await;
    shown(&server, "drawbridge_limit_cooldown_users", 1).await;

    let list = operate(&place, &server, &["cooldown", "list"]).await.ok();
    assert!(
        list.starts_with("1 user is in cooldown") && list.trim_end().ends_with(user),
        "{list}"
    );
    // Strangers see nothing, viewers change nothing.
    let ask = async |method, path, token: Option<&str>| {
        let request = Request::raw(method, path);
        let request = token.map_or(request.clone(), |token| {
            request.header("Authorization", format!("Bearer {token}"))
        });
        let mut connection = Connection::open(server.admin).await.expect("a connection");
        connection.exchange(&request).await.expect("an answer")
    };
    let clear = "/admin/cooldowns?userId=%C3%BA+%26+co";
    assert_eq!(ask("GET", "/admin/cooldowns", None).await.status, 401);
    assert_eq!(ask("DELETE", clear, None).await.status, 401);
    assert_eq!(ask("DELETE", clear, Some(VIEWER)).await.status, 403);
    let shown: Value =
        serde_json::from_slice(&ask("GET", "/admin/cooldowns", Some(VIEWER)).await.body)
            .expect("JSON");
    assert_eq!(
        (&shown["count"], &shown["users"][0]["userId"]),
        (&Value::from(1), &Value::from(user))
    );
    let operator = std::fs::read_to_string(place.data().join("admin-token")).expect("the token");
    assert_eq!(
        ask("DELETE", "/admin/cooldowns", Some(operator.trim()))
            .await
            .status,
        400
    );
    assert_eq!(
        ask("PUT", "/admin/cooldowns", Some(operator.trim()))
            .await
            .status,
        405
    );
    draw(user, "6").await.envelope().expect(429, "ERR_GW_013");

    let clear = [
        "cooldown",
        "clear",
        user,
        "--reason",
        "asked for it",
        "--who",
        "alice",
    ];
    operate(&place, &server, &clear).await.ok();
    // The bucket is as empty as it was.
    draw(user, "7").await.envelope().expect(429, "0005");
    // There is nothing left to clear; on other gateways there may be.
    operate(&place, &server, &clear).await.ok();
    assert!(
        !server.stderr().contains("& co"),
        "a user's id is in the log"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_cooldown_ends_by_itself() {
    let config = "[limits.user]\nper_second = 0.5\nburst = 1\n[limits.cooldown]\nafter_refusals = 1\nfor_ms = 2500\n";
    let (_place, server) = started(config).await;
    let timeouts = Duration::from_secs(20);
    let mut key = 0;
    let mut drawn = async || {
        key += 1;
        server
            .ask(&Request::draw("u", ACTIVITY, &key.to_string()))
            .await
            .code
    };
    eventually("the cooldown begins", timeouts, async || {
        (drawn().await == "ERR_GW_013").then_some(())
    })
    .await;
    eventually("the user draws again", timeouts, async || {
        (drawn().await == "0000").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_an_untrusted_peer_says_about_the_address_changes_nothing() {
    let address = "[limits.address]\nper_second = 0.001\nburst = 2\n";
    let (_place, server) = started(address).await;
    let draw = |key| Request::draw("u", ACTIVITY, key);
    for (client, code) in [
        ("192.0.2.1", "0000"),
        ("192.0.2.2", "0000"),
        ("192.0.2.3", "ERR_GW_012"),
    ] {
        assert_eq!(
            server.ask(&from(client, draw(client))).await.code,
            code,
            "{client}"
        );
    }
    let believed = format!("[http]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n{address}");
    let (_place, server) = started(&believed).await;
    for (chain, code) in [
        ("192.0.2.1", "0000"),
        // What the client wrote comes first, what the proxies added last.
        ("198.51.100.1, 192.0.2.1, 10.0.0.7", "0000"),
        ("198.51.100.2, 192.0.2.1", "ERR_GW_012"),
        ("192.0.2.2", "0000"),
        // One network of IPv6, one client.
        ("2001:db8::1", "0000"),
        ("2001:db8::2", "0000"),
        ("2001:db8::3", "ERR_GW_012"),
        ("2001:db8:0:1::1", "0000"),
    ] {
        assert_eq!(
            server.ask(&from(chain, draw("k"))).await.code,
            code,
            "{chain}"
        );
    }
}

#[tokio::test]
async fn the_switch_lifts_limits() {
    let config = "[limits.user]\nper_second = 0\n[limits.route.draw_record]\nper_second = 0\n";
    let (place, server) = started(config).await;
    let draw = async |key| server.ask(&Request::draw("u", ACTIVITY, key)).await.code;
    let record = async || {
        server
            .ask(&Request::record("u", "requestId", "none"))
            .await
            .code
    };
    assert_eq!(
        (draw("1").await.as_str(), record().await.as_str()),
        ("0005", "ERR_GW_011")
    );
    switch_limits(
        &place,
        &server,
        &["off", "--activity", &ACTIVITY.to_string()],
    )
    .await;
    // Limits that know no activity go on.
    assert_eq!(
        (draw("2").await.as_str(), record().await.as_str()),
        ("0000", "ERR_GW_011")
    );
    switch_limits(&place, &server, &["off"]).await;
    assert_eq!(
        (draw("3").await.as_str(), record().await.as_str()),
        ("0000", "ERR_REQ_002")
    );
    switch_limits(&place, &server, &["on"]).await;
    switch_limits(
        &place,
        &server,
        &["on", "--activity", &ACTIVITY.to_string()],
    )
    .await;
    assert_eq!(
        (draw("4").await.as_str(), record().await.as_str()),
        ("0005", "ERR_GW_011")
    );
    counted(&server, &[("user", "refused", 2), ("route", "refused", 3)]).await;
}

#[tokio::test]
async fn an_operator_stops_a_user_for_a_while() {
    let (place, server) = started("").await;
    let draw =
        async |user: &str, key: &str| server.ask(&Request::draw(user, ACTIVITY, key)).await.code;
    let set = |time: &'static str| {
        [
            "cooldown", "set", "u", "--for", time, "--reason", "a robot", "--who", "alice",
        ]
    };
    let refused = operate(&place, &server, &set("169h")).await.failed(2);
    assert!(
        refused.contains("forSeconds: expected 1 to 604800, found 608400"),
        "{refused}"
    );
    operate(&place, &server, &set("1h")).await.ok();
    assert_eq!(
        [draw("u", "1").await, draw("v", "1").await],
        ["ERR_GW_013", "0000"]
    );
    server
        .ask(&Request::account("u", ACTIVITY))
        .await
        .expect(200, "0000");
    let list = operate(&place, &server, &["cooldown", "list", "--json"])
        .await
        .ok();
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(
        (&list["count"], &list["users"][0]["byHand"]),
        (&Value::from(1), &Value::from(true)),
        "{list}"
    );
    operate(
        &place,
        &server,
        &["cooldown", "clear", "u", "--reason", "a person"],
    )
    .await
    .ok();
    assert_eq!(draw("u", "1").await, "0000");
}

#[tokio::test]
async fn limits_are_listed_as_they_are() {
    let (place, server) = started(
        "[limits.route.draw]\nper_second = 2.5\n[limits.user]\nper_second = 1\nburst = 9\n",
    )
    .await;
    let list = operate(&place, &server, &["limits", "list", "--json"])
        .await
        .ok();
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let limit = |rate: Value, burst: u32| serde_json::json!({"perSecond": rate, "burst": burst, "observe": false});
    let row = |target: &str, limit: &Value| serde_json::json!({"target": target, "origin": "configuration", "inForce": limit, "configured": limit});
    let rows = [
        row("route.draw", &limit(2.5.into(), 3)),
        row("user", &limit(1.into(), 9)),
    ];
    assert_eq!(list.as_array().expect("a list"), &rows);
    let shown = operate(&place, &server, &["limits", "list"]).await.ok();
    assert!(
        shown.contains("2.5/s, burst 3") && shown.contains("configuration"),
        "{shown}"
    );
}

#[tokio::test]
async fn faults_of_limits_are_reported_before_the_start() {
    let place = Place::new();
    let config = place.file(
        "config.toml",
        "[limits.user]\nper_second = -1\n[limits.route.darw]\nper_second = 1\n[limits.sit_out]\nafter_refusals = 1\n",
    );
    let refused = place
        .run(&["serve", "--config", &config])
        .await
        .refused_at_once();
    for part in [
        "limits.user.per_second",
        "limits.route.darw",
        "limits.sit_out: is called \"cooldown\" now",
    ] {
        assert!(refused.contains(part), "{part} is missing in {refused}");
    }
}
