//! A running server reads its configuration again: what may change is in force, what may not is
//! named.
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Request, Response, Server, eventually};

const WAIT_MAX: Duration = Duration::from_secs(10);

fn token(place: &Place) -> String {
    std::fs::read_to_string(place.data().join("admin-token"))
        .expect("the token")
        .trim()
        .to_owned()
}

async fn admin(
    place: &Place,
    server: &Server,
    method: &'static str,
    path: &str,
    body: Option<&Value>,
) -> Response {
    let request =
        Request::raw(method, path).header("Authorization", format!("Bearer {}", token(place)));
    let request = match body {
        Some(body) => request.with_body(body.to_string()),
        None => request,
    };
    let mut connection = Connection::open(server.admin).await.expect("a connection");
    connection.exchange(&request).await.expect("an answer")
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("JSON")
}

#[tokio::test]
async fn a_hang_up_applies_what_may_change_and_names_the_rest() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "before"))
        .await
        .expect(200, "0000");
    place.file(
        "config.toml",
        "[limits.user]\nper_second = 0\n[http]\nheader_timeout_ms = 1\n",
    );
    server.signal("HUP").await;
    let log = eventually("the file is read", WAIT_MAX, async || {
        let log = server.stderr();
        log.contains("read again").then_some(log)
    })
    .await;
    assert!(
        log.contains("limits.user.per_second") && log.contains("http.header_timeout_ms"),
        "{log}"
    );
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "after"))
        .await
        .expect(429, "0005");
    server.stop().await;
}

#[tokio::test]
async fn a_file_with_faults_changes_nothing_and_says_why() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[limits.user]\nper_second = 0\n").await;
    let asked = json!({"who": "alice", "reason": "the test wants it", "here": true});
    place.file(
        "config.toml",
        "[limits.user]\nper_second = \"much\"\n[lgo]\n",
    );
    let refused = admin(&place, &server, "POST", "/admin/reload", Some(&asked)).await;
    assert_eq!(refused.status, 400);
    let why = json_of(&refused)["error"].to_string();
    assert!(
        why.contains("limits.user.per_second") && why.contains("lgo"),
        "{why}"
    );
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(429, "0005");

    for body in [
        json!({"who": "alice"}),
        json!({"who": " ", "reason": "r"}),
        json!({"who": "a", "reason": "r", "x": 1}),
    ] {
        assert_eq!(
            admin(&place, &server, "POST", "/admin/reload", Some(&body))
                .await
                .status,
            400,
            "{body}"
        );
    }
    place.file(
        "config.toml",
        "[log]\nfilter = \"warn\"\n[storage]\nshards = 3\n",
    );
    let done = admin(&place, &server, "POST", "/admin/reload", Some(&asked)).await;
    assert_eq!(done.status, 200);
    let done = json_of(&done);
    assert_eq!(
        done["applied"],
        json!(["limits.user.per_second", "log.filter"])
    );
    assert_eq!(
        (&done["needsRestart"], &done["overridden"]),
        (&json!(["storage.shards"]), &json!([]))
    );
    assert_eq!(
        outcomes(&done),
        [
            ("limits", "applied"),
            ("breakers", "unchanged"),
            ("log", "applied"),
            ("identity_keys", "unchanged"),
            ("apps", "unchanged"),
            ("tokens", "unchanged"),
            ("admin_tls", "unchanged")
        ]
    );
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    // What waits for a restart is named each time; what is in force is not.
    let again = admin(&place, &server, "POST", "/admin/reload", Some(&asked)).await;
    let again = json_of(&again);
    assert_eq!(
        (&again["applied"], &again["needsRestart"]),
        (&json!([]), &json!(["storage.shards"]))
    );
    assert!(
        outcomes(&again)
            .iter()
            .all(|(_, outcome)| *outcome == "unchanged"),
        "{again}"
    );
    let reloads = async |outcome| {
        server
            .metric(&format!(
                "drawbridge_reloads_total{{outcome=\"{outcome}\"}}"
            ))
            .await
    };
    assert_eq!((reloads("failed").await, reloads("ok").await), (1, 2));

    let log = json_of(&admin(&place, &server, "GET", "/admin/audit_log", None).await);
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 2, "what was refused is no change: {log}");
    assert_eq!(
        (&entries[1]["who"], &entries[1]["what"]),
        (&json!("alice"), &json!("reload here"))
    );
    assert_eq!(entries[1]["reason"], "the test wants it");
    assert_eq!(
        server.ask_admin("GET", "/admin/audit_log").await.status,
        401
    );
}

/// What became of each section.
fn outcomes(done: &Value) -> Vec<(&str, &str)> {
    let sections = done["sections"].as_array().expect("sections").iter();
    sections
        .filter_map(|section| section["name"].as_str().zip(section["outcome"].as_str()))
        .collect()
}

#[tokio::test]
async fn a_broken_key_set_keeps_no_limit_from_being_lifted() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let keys = place.file("keys.json", r#"{"keys": []}"#);
    let identity =
        format!("[identity]\nkind = \"jwt\"\nkey_file = {keys:?}\nalgorithm = \"HS256\"\n");
    place.file("keys.json", "a secret of thirty-two bytes or more");
    let server = Server::start_with(
        &place,
        &format!("{identity}[limits.gateway]\nper_second = 0\n"),
    )
    .await;
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(429, "ERR_GW_010");
    place.file("keys.json", "short");
    place.file("config.toml", &identity);
    let asked = json!({"who": "alice", "reason": "the limit was too low", "here": true});
    let done = json_of(&admin(&place, &server, "POST", "/admin/reload", Some(&asked)).await);
    assert_eq!(
        done["applied"],
        json!(["limits.gateway.per_second"]),
        "{done}"
    );
    let failed = done["sections"]
        .as_array()
        .expect("sections")
        .iter()
        .find(|section| section["outcome"] == "failed");
    let failed = failed.unwrap_or_else(|| panic!("nothing failed: {done}"));
    assert_eq!(failed["name"], "identity_keys");
    assert!(
        failed["why"]
            .as_str()
            .is_some_and(|why| why.contains("keys.json") && why.contains("5 bytes")),
        "{failed}"
    );
    // No limit, and the keys of before.
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(401, "ERR_ID_001");
    assert_eq!(
        server
            .metric("drawbridge_reloads_total{outcome=\"partly\"}")
            .await,
        1
    );
    place.file("config.toml", "[lgo]\n");
    assert_eq!(
        admin(&place, &server, "POST", "/admin/reload", Some(&asked))
            .await
            .status,
        400
    );
    assert_eq!(
        server
            .metric("drawbridge_reloads_total{outcome=\"failed\"}")
            .await,
        1
    );
}

#[tokio::test]
async fn what_the_environment_overrides_is_not_said_to_be_applied_and_all_is_shown() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let text = "[limits.user]\nper_second = 5\n[log]\nfilter = \"info\"\n";
    let (data, config) = (
        crate::support::text_of(&place.data()),
        place.file("config.toml", text),
    );
    let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut command =
        place.command(&[&["serve", "--data", &data, "--config", &config], &free[..]].concat());
    command
        .env("DRAWBRIDGE_DRAIN_GRACE_MS", "0")
        .env("DRAWBRIDGE_LIMITS_USER_PER_SECOND", "7");
    let server = Server::started(&place, command).await;
    place.file(
        "config.toml",
        text.replace("= 5", "= 6").replace("info", "warn"),
    );
    let asked = json!({"who": "alice", "reason": "r", "here": true});
    let done = json_of(&admin(&place, &server, "POST", "/admin/reload", Some(&asked)).await);
    assert_eq!(
        (&done["applied"], &done["needsRestart"]),
        (&json!(["log.filter"]), &json!([]))
    );
    let by = "environment variable DRAWBRIDGE_LIMITS_USER_PER_SECOND";
    assert_eq!(
        done["overridden"],
        json!([{"key": "limits.user.per_second", "by": by}])
    );

    let url = format!("http://{}", server.admin);
    let token = crate::support::text_of(&place.data().join("admin-token"));
    let show = ["config", "show", "--admin", &url, "--token-file", &token];
    let shown = place.run(&show).await.ok();
    let line = |key: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_else(|| panic!("{key}: {shown}"))
    };
    assert!(
        line("per_second = 7").ends_with(&format!("# {by} (the file says 6)")),
        "{shown}"
    );
    assert!(
        line("filter = \"warn\"").ends_with("# file, line 4"),
        "{shown}"
    );
    assert!(
        line("data = ").ends_with("# --data") && line("batch_max = 1024").ends_with("# default"),
        "{shown}"
    );
    let json: Value =
        serde_json::from_str(&place.run(&[&show[..], &["--json"]].concat()).await.ok())
            .expect("JSON");
    let key = json["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .find(|key| key["key"] == "limits.user.per_second");
    assert_eq!(
        key,
        Some(&json!({"key": "limits.user.per_second", "value": 7, "origin": by, "replaced": 6}))
    );
    assert_eq!(server.ask_admin("GET", "/admin/config").await.status, 401);
}

#[tokio::test]
async fn the_log_names_requests_as_the_proxy_does_and_holds_no_secrets() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[log]\naccess_lines_per_second_max = 5\n").await;
    let draw = Request::draw("secret-user", LOAD_ACTIVITY, "secret-key")
        .header("X-Request-Id", "proxy-7".to_owned());
    let answer = server.send(&draw).await;
    assert_eq!(answer.header("X-Request-Id"), Some("proxy-7"));
    let own = server
        .send(&Request::draw("u", 1, "k").header("X-Request-Id", "two words".to_owned()))
        .await;
    let name = own.header("X-Request-Id").expect("a name").to_owned();
    assert_eq!(name.len(), 16);
    let line = |log: &str, name: &str| {
        log.lines()
            .find(|line| line.contains(name))
            .map(str::to_owned)
    };
    let (made, refused) = eventually("both are logged", WAIT_MAX, async || {
        let log = server.stderr();
        line(&log, "proxy-7").zip(line(&log, &name))
    })
    .await;
    for part in ["draw", "0000", "200", "took_us"] {
        assert!(made.contains(part), "{made}");
    }
    assert!(refused.contains("404"), "{refused}");
    let calls = (0..200)
        .map(|number| Request::draw(&format!("u{number}"), LOAD_ACTIVITY, "k"))
        .collect();
    let answers = crate::support::ask_all(server.listen, calls, 8).await;
    assert!(answers.iter().all(|answer| answer.code == "0000"));
    let count = |log: &str| {
        let lines = log.lines().filter(|line| line.contains("took_us")).count();
        (lines >= 5).then_some(lines)
    };
    // Each of the few seconds that this took has five of them.
    let lines = server.logged("the lines of a second", count).await;
    assert!(lines < 100, "{lines}");
    assert!(!server.stderr().contains("secret"));
}

#[tokio::test]
async fn a_server_that_is_to_stop_serves_on_until_load_balancers_have_seen_it() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let (data, config) = (
        crate::support::text_of(&place.data()),
        place.file("c.toml", "[drain]\ngrace_ms = 600000\n"),
    );
    let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let command =
        place.command(&[&["serve", "--data", &data, "--config", &config], &free[..]].concat());
    let mut server = Server::started(&place, command).await;
    server.signal("TERM").await;
    eventually("it is not ready any more", WAIT_MAX, async || {
        (server.readiness().await == Some(503)).then_some(())
    })
    .await;
    // On new connections too.
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "meanwhile"))
        .await
        .expect(200, "0000");
    // A second signal ends the grace.
    server.signal("TERM").await;
    assert!(server.ended().await.success());
    assert_eq!(place.audited_at_rest().await, 1);
}
