//! Circuit breakers of one server: how operators set them, and observing.
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{
    Connection, Place, Ran, Request, Response, Server, ask_all, eventually, lock, text_of,
};

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

/// A breaker as the admin API shows it.
async fn breaker(place: &Place, server: &Server, name: &str) -> Value {
    let response = ask(
        server,
        bearer(Request::raw("GET", "/admin/breakers"), &token(place)),
    )
    .await;
    let list: Value = serde_json::from_str(&response.text()).expect("JSON");
    let breakers = list["breakers"].as_array().expect("breakers");
    breakers
        .iter()
        .find(|breaker| breaker["name"] == name)
        .unwrap_or_else(|| panic!("{name} in {list}"))
        .clone()
}

/// `drawbridge breaker ...` on the server.
async fn command(place: &Place, server: &Server, words: &[&str]) -> Ran {
    let (admin, token) = (
        format!("http://{}", server.admin),
        text_of(&place.data().join("admin-token")),
    );
    place
        .run(
            &[
                &["breaker"],
                words,
                &["--admin", &admin, "--token-file", &token],
            ]
            .concat(),
        )
        .await
}

async fn metric(server: &Server, line: &str) -> bool {
    server
        .ask_admin("GET", "/metrics")
        .await
        .text()
        .lines()
        .any(|found| found == line)
}

/// Both shards, so that any user's breaker is among them.
const SHARDS: [&str; 2] = ["shard-0", "shard-1"];

#[tokio::test]
async fn a_breaker_is_forced_open_for_a_while_and_is_automatic_again() {
    let place = Place::with_campaigns(&[LOAD]).await;
    // Operations are obeyed while breakers only observe.
    let server = Server::start_with(&place, "[breakers]\nobserve = true\n").await;
    for shard in SHARDS {
        let words = [
            "set",
            shard,
            "forced_open",
            "--for",
            "3s",
            "--reason",
            "a drill",
            "--who",
            "alice",
        ];
        assert_eq!(
            command(&place, &server, &words).await.ok(),
            "obeyed by 1 of 1\n"
        );
        let list = command(&place, &server, &["list"]).await.ok();
        assert!(
            list.lines()
                .any(|line| line.starts_with(shard) && line.contains("until ")),
            "{list}"
        );
    }
    let refused = server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(503, "0006");
    assert!(
        refused
            .retry_after_s
            .is_some_and(|seconds| (1..=3).contains(&seconds)),
        "{refused:?}"
    );
    assert_eq!(refused.key(), "k");
    let shown = breaker(&place, &server, "shard-0").await;
    assert_eq!(
        (&shown["state"], &shown["mode"]),
        (&"open".into(), &"forced_open".into())
    );
    assert_eq!(
        (&shown["reason"], &shown["observe"]),
        (&"forced_open by alice: a drill".into(), &true.into())
    );
    assert!(metric(&server, r#"drawbridge_breaker_state{breaker="shard-0"} 2"#).await);
    assert!(
        metric(
            &server,
            r#"drawbridge_breaker_changes_total{breaker="shard-0",to="open"} 1"#
        )
        .await
    );

    eventually("the time is over", Duration::from_secs(10), async || {
        (server
            .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
            .await
            .code
            == "0000")
            .then_some(())
    })
    .await;
    // Also that of the shard which has had no request since.
    for shard in SHARDS {
        eventually("it is automatic", Duration::from_secs(10), async || {
            (breaker(&place, &server, shard).await["mode"] == "automatic").then_some(())
        })
        .await;
        assert_eq!(
            breaker(&place, &server, shard).await["reason"],
            "the time it was forced for is over"
        );
        assert!(
            metric(
                &server,
                &format!("drawbridge_breaker_state{{breaker=\"{shard}\"}} 0")
            )
            .await
        );
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn bad_changes_change_nothing_and_name_the_field() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let viewer = place.file("viewer-token", "the-viewers-token-123\n");
    let server = Server::start_with(
        &place,
        &format!("[admin]\nviewer_token_file = {viewer:?}\n"),
    )
    .await;
    let good = json!({"name": "shard-0", "mode": "forced_open", "who": "w", "reason": "r"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let post = |body: &Value| Request::raw("POST", "/admin/breakers").with_body(body.to_string());
    let mut automatic = with("mode", json!("automatic"));
    automatic["forSeconds"] = json!(3);
    for (body, part) in [
        (with("name", json!("shard-2")), "name"),
        (with("mode", json!("ajar")), "ajar"),
        (with("who", json!("w".repeat(129))), "who"),
        (with("reason", json!(" ")), "reason"),
        (with("forSeconds", json!(0)), "forSeconds"),
        (with("surprise", json!(1)), "surprise"),
        (automatic, "forSeconds"),
    ] {
        let answer = ask(&server, bearer(post(&body), &token(&place))).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(part), "{body}: {}", answer.text());
    }
    assert_eq!(ask(&server, post(&good)).await.status, 401);
    assert_eq!(
        ask(&server, bearer(post(&good), "the-viewers-token-123"))
            .await
            .status,
        403
    );
    let list = Request::raw("GET", "/admin/breakers");
    assert_eq!(
        ask(&server, bearer(list, "the-viewers-token-123"))
            .await
            .status,
        200
    );
    for shard in SHARDS {
        assert_eq!(
            breaker(&place, &server, shard).await["reason"],
            "the process began"
        );
    }
    assert_eq!(
        command(
            &place,
            &server,
            &["set", "shard-2", "automatic", "--reason", "r"]
        )
        .await
        .code,
        Some(2)
    );
    assert_eq!(
        ask(&server, bearer(post(&good), &token(&place)))
            .await
            .status,
        200
    );
    assert_eq!(breaker(&place, &server, "shard-0").await["state"], "open");
}

#[tokio::test]
async fn observing_breakers_count_what_they_would_refuse_and_refuse_nothing() {
    let place = Place::with_campaigns(&[LOAD]).await;
    // Too old after a moment; five of them open it, for longer than this test lasts.
    let config = "[storage]\nshards = 1\n[lanes]\nqueue_timeout_ms = 200\nanswer_timeout_ms = 600\n\
                  [breakers]\nobserve = true\ncalls_min = 5\nopen_min_ms = 600000\nopen_max_ms = 600000\n";
    let server = Server::start_with(&place, config).await;
    let mut locked = lock(&place.data().join("shard-0.sqlite")).await;
    let draws = (0..10)
        .map(|number| Request::draw(&format!("u{number}"), LOAD_ACTIVITY, "k"))
        .collect();
    let answers = ask_all(server.listen, draws, 10).await;
    assert!(
        answers
            .iter()
            .all(|answer| ["ERR_GW_005", "ERR_GW_006"].contains(&&*answer.code)),
        "{answers:?}"
    );
    let open = breaker(&place, &server, "shard-0").await;
    assert_eq!(
        (&open["state"], &open["observe"]),
        (&"open".into(), &true.into())
    );
    assert!(
        open["reason"]
            .as_str()
            .is_some_and(|reason| reason.ends_with("calls failed")),
        "{open}"
    );
    assert!(
        open["probesInMs"]
            .as_u64()
            .is_some_and(|left| left <= 600_000),
        "{open}"
    );
    locked.execute("ROLLBACK").await.expect("unlocked");
    locked.close().await.expect("closed");
    eventually("draws are served", Duration::from_secs(10), async || {
        (server
            .ask(&Request::draw("v", LOAD_ACTIVITY, "k"))
            .await
            .code
            == "0000")
            .then_some(())
    })
    .await;
    assert_eq!(breaker(&place, &server, "shard-0").await["state"], "open");
    let reported = server.ask_admin("GET", "/metrics").await.text();
    let counted = |decision: &str| {
        let name = format!(
            "drawbridge_breaker_refused_total{{breaker=\"shard-0\",decision=\"{decision}\"}} "
        );
        reported
            .lines()
            .find_map(|line| line.strip_prefix(&*name))
            .expect("the metric")
            .parse::<u64>()
            .expect("a number")
    };
    assert!(counted("observed") >= 1);
    assert_eq!(counted("refused"), 0);
    drop(server);
    place.audited_at_rest().await;
}
