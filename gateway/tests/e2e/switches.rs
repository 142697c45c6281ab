//! Degrade switches of a running server: obeyed at once, by the right users, and on the record.
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce, unlimited};
use crate::support::{Connection, Place, Ran, Request, Response, Server, eventually, text_of};

const ACTIVITY: u64 = 200_003;
const OTHER: u64 = 200_004;

async fn started() -> (Place, Server) {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 100), &unlimited(OTHER)]).await;
    let server = Server::start(&place).await;
    (place, server)
}

/// `drawbridge switch ...` on the server, with its own token.
async fn switch(place: &Place, server: &Server, words: &[&str]) -> Ran {
    let (admin, token) = (
        format!("http://{}", server.admin),
        text_of(&place.data().join("admin-token")),
    );
    place
        .run(
            &[
                &["switch"],
                words,
                &["--admin", &admin, "--token-file", &token],
            ]
            .concat(),
        )
        .await
}

async fn set(place: &Place, server: &Server, words: &[&str]) -> String {
    switch(
        place,
        server,
        &[
            &["set"],
            words,
            &["--reason", "the test wants it", "--who", "alice"],
        ]
        .concat(),
    )
    .await
    .ok()
}

async fn clear(place: &Place, server: &Server, words: &[&str]) -> String {
    switch(
        place,
        server,
        &[
            &["clear"],
            words,
            &["--reason", "the test wants it", "--who", "alice"],
        ]
        .concat(),
    )
    .await
    .ok()
}

async fn ask(server: &Server, request: Request) -> Response {
    let mut connection = Connection::open(server.admin).await.expect("a connection");
    connection.exchange(&request).await.expect("an answer")
}

fn bearer(request: Request, token: &str) -> Request {
    request.header("Authorization", format!("Bearer {token}"))
}

fn token(place: &Place) -> String {
    std::fs::read_to_string(place.data().join("admin-token"))
        .expect("the token")
        .trim()
        .to_owned()
}

#[tokio::test]
async fn draws_that_are_off_for_all_are_off_where_an_activity_was_set_on_and_can_be_cleared() {
    let (place, server) = started().await;
    let made = server
        .ask(&Request::draw("u", ACTIVITY, "before"))
        .await
        .expect(200, "0000");
    let other = OTHER.to_string();
    set(&place, &server, &["draw", "on", "--activity", &other]).await;
    set(&place, &server, &["draw", "off"]).await;
    for (activity, key) in [(ACTIVITY, "off"), (OTHER, "off"), (ACTIVITY, "before")] {
        let refused = server.send(&Request::draw("u", activity, key)).await;
        assert_eq!(refused.header("Retry-After"), Some("5"));
        refused.envelope().expect(503, "0004");
    }
    let record = server
        .data(&Request::record("u", "requestId", "before"))
        .await;
    assert_eq!(
        record["orderId"],
        made.order(),
        "what was drawn can be looked up"
    );
    let cleared = clear(&place, &server, &["draw"]).await;
    assert_eq!(cleared, "obeyed by 1 of 1\n");
    server
        .ask(&Request::draw("u", OTHER, "on"))
        .await
        .expect(200, "0000");
    set(&place, &server, &["draw", "off", "--activity", &other]).await;
    server
        .ask(&Request::draw("u", OTHER, "off"))
        .await
        .expect(503, "0004");
    clear(&place, &server, &["draw", "--activity", &other]).await;
    // What is not set can be cleared; that is no change.
    clear(&place, &server, &["draw", "--activity", &other]).await;
    let again = server
        .ask(&Request::draw("u", ACTIVITY, "before"))
        .await
        .expect(200, "0000");
    assert_eq!(again.order(), made.order());
    let history = switch(&place, &server, &["history", "--json"]).await.ok();
    let history: Value = serde_json::from_str(&history).expect("JSON");
    let values = history
        .as_array()
        .expect("a list")
        .iter()
        .map(|change| change["value"].clone());
    assert_eq!(
        values.collect::<Vec<_>>(),
        ["normal", "off", "normal", "off", "on"].map(Value::from)
    );
    server.stop().await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn an_override_holds_on_this_gateway_until_it_ends_or_is_cleared() {
    let (place, server) = started().await;
    let here = ["draw", "off", "--here", "--for", "2s"];
    let said = set(&place, &server, &here).await;
    assert!(said.contains("alone"), "{said}");
    server
        .ask(&Request::draw("u", ACTIVITY, "a"))
        .await
        .expect(503, "0004");
    let list = switch(&place, &server, &["list"]).await.ok();
    assert!(
        list.lines()
            .any(|line| line.starts_with("draw") && line.contains(" here ")),
        "{list}"
    );
    let overrides = async || {
        server
            .ask_admin("GET", "/metrics")
            .await
            .text()
            .contains("drawbridge_fleet_overrides 1\n")
    };
    eventually("it is shown", Duration::from_secs(5), async || {
        overrides().await.then_some(())
    })
    .await;
    eventually("it ends", Duration::from_secs(20), async || {
        (server.ask(&Request::draw("u", ACTIVITY, "a")).await.code == "0000" && !overrides().await)
            .then_some(())
    })
    .await;
    set(&place, &server, &["draw", "off"]).await;
    set(&place, &server, &["draw", "on", "--here"]).await;
    server
        .ask(&Request::draw("u", ACTIVITY, "b"))
        .await
        .expect(200, "0000");
    clear(&place, &server, &["draw", "--here"]).await;
    server
        .ask(&Request::draw("u", ACTIVITY, "c"))
        .await
        .expect(503, "0004");
}

#[tokio::test]
async fn fallback_only_gives_all_users_the_luck_award_and_touches_no_stock() {
    let (place, server) = started().await;
    set(&place, &server, &["fallback_only", "on"]).await;
    for number in 0..20 {
        let answer = server
            .ask(&Request::draw(&format!("u{number}"), ACTIVITY, "k"))
            .await
            .expect(200, "0000");
        assert_eq!(answer.award(), FALLBACK_AWARD);
    }
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (100, 0, 100));
    set(&place, &server, &["fallback_only", "off"]).await;
    let answer = server
        .ask(&Request::draw("u0", ACTIVITY, "k2"))
        .await
        .expect(200, "0000");
    assert_eq!(answer.award(), SCARCE_AWARD);
    server.stop().await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn what_is_only_observed_is_counted_and_not_obeyed() {
    let (place, server) = started().await;
    set(&place, &server, &["draw", "off", "--observe"]).await;
    set(
        &place,
        &server,
        &[
            "fallback_only",
            "on",
            "--activity",
            &ACTIVITY.to_string(),
            "--observe",
        ],
    )
    .await;
    for activity in [ACTIVITY, OTHER] {
        let answer = server
            .ask(&Request::draw("u", activity, &activity.to_string()))
            .await
            .expect(200, "0000");
        assert_eq!(answer.award(), SCARCE_AWARD);
    }
    let effects = async |switch: &str, effect: &str| {
        let text = server.ask_admin("GET", "/metrics").await.text();
        let name =
            format!("drawbridge_switch_effects_total{{effect=\"{effect}\",switch=\"{switch}\"}} ");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&name))
            .expect("the counter");
        line.parse::<u64>().expect("a number")
    };
    assert_eq!(
        (
            effects("draw", "observed").await,
            effects("draw", "applied").await
        ),
        (2, 0)
    );
    assert_eq!(effects("fallback_only", "observed").await, 1);
    let list = switch(&place, &server, &["list"]).await.ok();
    assert!(
        list.contains("observe off") && list.contains("observe on"),
        "{list}"
    );
    set(&place, &server, &["draw", "off"]).await;
    server
        .ask(&Request::draw("u", ACTIVITY, "off"))
        .await
        .expect(503, "0004");
    assert_eq!(effects("draw", "applied").await, 1);
    let history = switch(&place, &server, &["history"]).await.ok();
    assert!(history.contains("draw: observe off -> off"), "{history}");
}

#[tokio::test]
async fn a_share_of_the_users_is_always_the_same_users() {
    let (place, server) = started().await;
    set(
        &place,
        &server,
        &["draw", "40%", "--activity", &OTHER.to_string()],
    )
    .await;
    let mut allowed = Vec::new();
    for number in 0..100 {
        let user = format!("u{number}");
        let codes = [
            server.ask(&Request::draw(&user, OTHER, "a")).await.code,
            server.ask(&Request::draw(&user, OTHER, "b")).await.code,
        ];
        assert_eq!(codes[0], codes[1], "{user}");
        allowed.push(codes[0] == "0000");
    }
    let count = allowed.iter().filter(|&&allowed| allowed).count();
    assert!((20..=60).contains(&count), "{count} of 100");
    set(
        &place,
        &server,
        &["draw", "70%", "--activity", &OTHER.to_string()],
    )
    .await;
    for (number, _) in allowed.iter().enumerate().filter(|(_, allowed)| **allowed) {
        server
            .ask(&Request::draw(&format!("u{number}"), OTHER, "c"))
            .await
            .expect(200, "0000");
    }
}

#[tokio::test]
async fn read_only_refuses_draws_and_serves_reads() {
    let (place, server) = started().await;
    set(&place, &server, &["read_only", "on"]).await;
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(503, "ERR_GW_008");
    server
        .ask(&Request::account("u", ACTIVITY))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn a_switch_expires_by_itself_and_survives_a_restart() {
    let (place, server) = started().await;
    set(
        &place,
        &server,
        &[
            "draw",
            "off",
            "--for",
            "3s",
            "--activity",
            &ACTIVITY.to_string(),
        ],
    )
    .await;
    set(
        &place,
        &server,
        &["draw", "off", "--activity", &OTHER.to_string()],
    )
    .await;
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(503, "0004");
    server.stop().await;
    let server = Server::start(&place).await;
    server
        .ask(&Request::draw("u", OTHER, "k"))
        .await
        .expect(503, "0004");
    eventually("the switch expires", Duration::from_secs(5), async || {
        (server.ask(&Request::draw("u", ACTIVITY, "k")).await.code == "0000").then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_change_is_recorded() {
    let (place, server) = started().await;
    set(&place, &server, &["fallback_only", "30%", "--for", "10m"]).await;
    set(&place, &server, &["draw", "off"]).await;
    let list = switch(&place, &server, &["list"]).await.ok();
    let row = |name: &str| {
        let line = list
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name} is missing in {list}"));
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row("draw"), ["draw", "all", "off", "all"]);
    assert_eq!(row("fallback_only")[..3], ["fallback_only", "all", "30%"]);
    assert_eq!(row("read_only"), ["read_only", "all", "off", "normal"]);
    set(&place, &server, &["draw", "on"]).await;
    let history = switch(&place, &server, &["history"]).await.ok();
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines.len(), 3, "{history}");
    let parts = [
        "draw: off -> on",
        "draw: normal -> off",
        "fallback_only: normal -> 30% until ",
    ];
    for (line, part) in lines.iter().zip(parts) {
        assert!(
            line.contains(part) && line.ends_with("by alice: the test wants it"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn bad_requests_change_nothing_and_name_the_field() {
    let (place, server) = started().await;
    for words in [
        &["set", "darw", "off", "--reason", "r"][..],
        &["set", "draw", "130%", "--reason", "r"],
        &["set", "draw", "off"],
    ] {
        assert_eq!(
            switch(&place, &server, words).await.code,
            Some(2),
            "{words:?}"
        );
    }
    let good = json!({"name": "draw", "value": "off", "who": "w", "reason": "r"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, part) in [
        (with("name", json!("darw")), "name"),
        (with("value", json!("130%")), "value"),
        (with("activity", json!(0)), "activity"),
        (
            with("activity", json!(7)),
            "7 is not published; these are: 200003, 200004",
        ),
        (with("reason", json!(" ")), "reason"),
        (with("forSeconds", json!(0)), "forSeconds"),
        (with("surprise", json!(1)), "surprise"),
        (json!("no object"), "struct"),
    ] {
        let request = Request::raw("POST", "/admin/switches").with_body(body.to_string());
        let answer = ask(&server, bearer(request, &token(&place))).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(part), "{body}: {}", answer.text());
    }
    assert_eq!(
        switch(&place, &server, &["history"]).await.ok(),
        "no switch has been set yet\n"
    );
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn only_the_operators_token_changes_something() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 100)]).await;
    let viewer = place.file("viewer-token", "the-viewers-token-123\n");
    let server = Server::start_with(
        &place,
        &format!("[admin]\nviewer_token_file = {viewer:?}\n"),
    )
    .await;
    let body = json!({"name": "draw", "value": "off", "who": "w", "reason": "r"}).to_string();
    let post = || Request::raw("POST", "/admin/switches").with_body(body.clone());
    let get = |path| Request::raw("GET", path);
    assert_eq!(ask(&server, post()).await.status, 401);
    assert_eq!(ask(&server, get("/admin/switches")).await.status, 401);
    assert_eq!(
        ask(&server, bearer(post(), "a-guess-of-some-length"))
            .await
            .status,
        401
    );
    assert_eq!(
        ask(&server, bearer(post(), "the-viewers-token-123"))
            .await
            .status,
        403
    );
    let flip = "/api/v1/raffle/dcc/update_config?key=degradeSwitch&value=open";
    assert_eq!(
        ask(&server, bearer(get(flip), "the-viewers-token-123"))
            .await
            .status,
        403
    );
    for path in ["/admin/switches", "/admin/switches/history"] {
        assert_eq!(
            ask(&server, bearer(get(path), "the-viewers-token-123"))
                .await
                .status,
            200
        );
    }
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    assert_eq!(
        ask(&server, bearer(post(), &token(&place))).await.status,
        200
    );
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(503, "0004");
    assert!(
        !server.stderr().contains(&token(&place)),
        "the token is in the log"
    );
}

#[tokio::test]
async fn the_references_degrade_switch_works() {
    let (place, server) = started().await;
    let flip = |value: &str| {
        let path = format!("/api/v1/raffle/dcc/update_config?key=degradeSwitch&value={value}");
        bearer(Request::raw("GET", &path), &token(&place))
    };
    assert_eq!(ask(&server, flip("open")).await.status, 200);
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(503, "0004");
    for unclear in ["ajar", "close&value=open", "close&key=degradeSwitch"] {
        assert_eq!(ask(&server, flip(unclear)).await.status, 400, "{unclear}");
    }
    assert_eq!(ask(&server, flip("close")).await.status, 200);
    server
        .ask(&Request::draw("u", ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let limiter = |value: &str| {
        let path = format!("/api/v1/raffle/dcc/update_config?key=rateLimiterSwitch&value={value}");
        bearer(Request::raw("GET", &path), &token(&place))
    };
    assert_eq!(ask(&server, limiter("ajar")).await.status, 400);
    for (value, row) in [
        ("close", ["limits", "all", "off", "all"]),
        ("open", ["limits", "all", "on", "all"]),
    ] {
        assert_eq!(ask(&server, limiter(value)).await.status, 200);
        let list = switch(&place, &server, &["list"]).await.ok();
        let found = list
            .lines()
            .find(|line| line.starts_with("limits"))
            .expect("its line");
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), row);
    }
    // Players do not reach it.
    let public = Request::new("GET", "dcc/update_config?key=degradeSwitch&value=open");
    server.ask(&public).await.expect(404, "ERR_REQ_004");
}
