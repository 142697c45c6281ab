//! The admin address: who may use it, what support can look up there, and what it shows to others.
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Ran, Request, Response, Server, text_of};

const ALICE: &str = "the-secret-of-alice";
const BOB: &str = "the-secret-of-bob-1";

/// Writes a personal token, for its owner only.
fn person(place: &Place, file: &str, token: &str) -> String {
    let path = place.path("people").join(file);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(&path, token).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("a mode");
    text_of(&path)
}

/// A server that knows alice, an operator, and bob, a viewer.
async fn started() -> (Place, Server) {
    let place = Place::with_campaigns(&[LOAD]).await;
    person(&place, "operators/alice", ALICE);
    person(&place, "viewers/bob", BOB);
    let config = format!(
        "[admin]\ntokens_dir = {:?}\n",
        text_of(&place.path("people"))
    );
    let server = Server::start_with(&place, &config).await;
    (place, server)
}

async fn ask(
    server: &Server,
    method: &'static str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> Response {
    let request = Request::raw(method, path).header("Authorization", format!("Bearer {token}"));
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

/// A command to the server, as the person with this token file.
async fn command(place: &Place, server: &Server, token_file: &str, words: &[&str]) -> Ran {
    let admin = format!("http://{}", server.admin);
    let token_file = text_of(&place.path("people").join(token_file));
    // In another folder: the token in the place's data folder must not be used.
    Place::new()
        .run(&[words, &["--admin", &admin, "--token-file", &token_file]].concat())
        .await
}

#[tokio::test]
async fn what_a_person_changes_is_noted_under_the_tokens_name_and_tokens_rotate() {
    let (place, server) = started().await;
    let body = json!({"name": "draw", "value": "90%", "who": "bob", "reason": "r"});
    assert_eq!(
        ask(&server, "POST", "/admin/switches", ALICE, Some(&body))
            .await
            .status,
        200
    );
    assert_eq!(
        ask(&server, "POST", "/admin/switches", BOB, Some(&body))
            .await
            .status,
        403
    );
    let history = json_of(&ask(&server, "GET", "/admin/switches/history", BOB, None).await);
    assert_eq!(history["changes"][0]["who"], r#"alice (as "bob")"#);

    // The next token works beside the old one once it is read, and the old one until it is gone.
    person(&place, "operators/alice.2026", "the-next-secret-of-alice");
    let reload = json!({"reason": "a new token", "here": true});
    assert_eq!(
        ask(
            &server,
            "POST",
            "/admin/reload",
            "the-next-secret-of-alice",
            Some(&reload)
        )
        .await
        .status,
        401
    );
    assert_eq!(
        ask(&server, "POST", "/admin/reload", ALICE, Some(&reload))
            .await
            .status,
        200
    );
    std::fs::remove_file(place.path("people/operators/alice")).expect("removed");
    let done = json_of(
        &ask(
            &server,
            "POST",
            "/admin/reload",
            "the-next-secret-of-alice",
            Some(&reload),
        )
        .await,
    );
    assert!(
        done["sections"]
            .as_array()
            .expect("sections")
            .contains(&json!({"name": "tokens", "outcome": "applied"}))
    );
    assert_eq!(
        ask(&server, "GET", "/admin/switches", ALICE, None)
            .await
            .status,
        401
    );
    let log = command(
        &place,
        &server,
        "operators/alice.2026",
        &["audit-log", "list"],
    )
    .await
    .ok();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(
        log.lines()
            .all(|line| line.contains("reload here ok") && line.ends_with("by alice: a new token")),
        "{log}"
    );
    let log = command(
        &place,
        &server,
        "operators/alice.2026",
        &["audit-log", "list", "--json"],
    )
    .await
    .ok();
    let log: Value = serde_json::from_str(&log).expect("JSON");
    assert_eq!(log[0]["who"], "alice");
    // No token of the data folder beside those of people.
    assert!(!place.data().join("admin-token").exists());

    // A token that every user of the machine may read is none.
    let open_to_all = person(&place, "viewers/carol", "the-secret-of-carol");
    std::fs::set_permissions(&open_to_all, PermissionsExt::from_mode(0o644)).expect("a mode");
    let done = json_of(
        &ask(
            &server,
            "POST",
            "/admin/reload",
            "the-next-secret-of-alice",
            Some(&reload),
        )
        .await,
    );
    let tokens = done["sections"]
        .as_array()
        .expect("sections")
        .iter()
        .find(|section| section["name"] == "tokens");
    let why = tokens.expect("tokens")["why"].as_str().expect("a reason");
    assert!(why.contains("carol") && why.contains("chmod 600"), "{why}");
    assert_eq!(
        ask(
            &server,
            "GET",
            "/admin/switches",
            "the-next-secret-of-alice",
            None
        )
        .await
        .status,
        200
    );
}

#[tokio::test]
async fn guessed_tokens_are_counted_logged_and_slowed_and_reasons_move_no_cursor() {
    // Not more connections at once than the admin address lets one address have.
    const GUESSES: u64 = 24;
    let (_place, server) = started().await;
    let begun = Instant::now();
    let guesses = (0..GUESSES).map(|number| {
        // A viewer behind the same address, last of all.
        let is_viewer = number + 1 == GUESSES;
        let token = if is_viewer {
            BOB.to_owned()
        } else {
            format!("a-guess-of-some-length-{number}")
        };
        let server = &server;
        async move { ask(server, "GET", "/admin/switches", &token, None).await }
    });
    let answers = futures_of(guesses).await;
    // Each that was compared took its time.
    assert!(begun.elapsed().as_millis() >= 1_000);
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count() as u64
    };
    assert_eq!(count(401) + count(429), GUESSES - 1);
    assert_eq!(count(200), 1);
    assert!(
        count(401) >= 8 && count(429) >= 1,
        "{} and {}",
        count(401),
        count(429)
    );
    let refused = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("one");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(
        server
            .metric("drawbridge_admin_refused_total{reason=\"unknown\"}")
            .await,
        count(401)
    );
    assert_eq!(
        server
            .metric("drawbridge_admin_refused_total{reason=\"slowed\"}")
            .await,
        count(429)
    );
    // By now it has waited long enough.
    assert_eq!(
        ask(&server, "GET", "/admin/switches", BOB, None)
            .await
            .status,
        200
    );
    assert_eq!(server.ask_admin("GET", "/admin/switches").await.status, 401);
    assert_eq!(
        server
            .metric("drawbridge_admin_refused_total{reason=\"missing\"}")
            .await,
        1
    );
    let refusals = |log: &str| {
        let lines = log.lines();
        lines
            .filter(|line| line.contains("the admin address was refused"))
            .count()
    };
    let log = server.logged("a refusal is logged", |log| {
        (refusals(log) > 0).then(|| log.to_owned())
    });
    let log = log.await;
    assert!(refusals(&log) < 10, "{log}");
    assert!(!log.contains("a-guess-of") && !log.contains("the-secret-of"));

    for bad in ["a\u{1b}[2Jb", "a\nforged by root", "a\u{202e}b"] {
        for (who, reason) in [("w", bad), (bad, "r")] {
            let body = json!({"name": "draw", "value": "off", "who": who, "reason": reason});
            let answer = ask(&server, "POST", "/admin/switches", ALICE, Some(&body)).await;
            assert_eq!(answer.status, 400, "{body}");
            assert!(
                answer.text().contains("control and format characters"),
                "{}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn each_answer_that_ends_its_connection_says_so() {
    let (_place, server) = started().await;
    let known = format!("Authorization: Bearer {ALICE}\r\n");
    for (method, path, head) in [
        ("POST", "/admin/switches", ""),
        ("PUT", "/admin/switches", &*known),
        ("GET", "/admin/switches", &known),
        ("GET", "/readyz", ""),
        ("POST", "/readyz", ""),
    ] {
        let mut connection = Connection::open(server.admin).await.expect("a connection");
        // Its body never comes.
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 40\r\n\r\n");
        connection.send(request.as_bytes()).await.expect("sent");
        let answer = connection.receive().await.expect("an answer");
        assert_eq!(
            answer.header("Connection"),
            Some("close"),
            "{method} {path}: {}",
            answer.status
        );
        assert!(connection.closed().await.expect("closed").is_empty());
    }
    let mut connection = Connection::open(server.admin).await.expect("a connection");
    let body = json!({"name": "draw", "value": "on", "reason": "r"}).to_string();
    let set =
        Request::raw("POST", "/admin/switches").header("Authorization", format!("Bearer {ALICE}"));
    for _ in 0..2 {
        let answer = connection
            .exchange(&set.clone().with_body(body.clone()))
            .await
            .expect("an answer");
        assert_eq!((answer.status, answer.header("Connection")), (200, None));
    }
}

/// All answers, asked for at once.
async fn futures_of(calls: impl Iterator<Item = impl Future<Output = Response>>) -> Vec<Response> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers
}

/// A viewer sees the periodic jobs, which the embedded default runs itself.
async fn jobs_are_shown(place: &Place, server: &Server) {
    let shown = command(place, server, "viewers/bob", &["jobs", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown.ok()).expect("JSON");
    let text = command(place, server, "viewers/bob", &["jobs"]).await.ok();
    assert!(text.starts_with("job "), "{text}");
    for name in ["disk", "snapshot", "withdraw"] {
        let mut jobs = shown.as_array().expect("a list").iter();
        let job = jobs.find(|job| job["job"] == name);
        let job = job.unwrap_or_else(|| panic!("{name} is missing in {shown}"));
        assert_eq!(job["here"], true, "{job}");
        assert!(
            job["everyMs"].is_u64() && job["holder"].is_string(),
            "{job}"
        );
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
    }
}

#[tokio::test]
async fn support_looks_orders_and_accounts_up_by_token_and_in_stored_data() {
    let (place, server) = started().await;
    let drawn = server
        .ask(&Request::draw("user one", LOAD_ACTIVITY, "k"))
        .await;
    drawn.expect(200, "0000");
    server
        .ask(&Request::draw("user one", LOAD_ACTIVITY, "l"))
        .await
        .expect(200, "0000");
    let record = server
        .data(&Request::record("user one", "requestId", "k"))
        .await;
    let order = record["orderId"].as_str().expect("an id");
    for query in [
        "userId=user+one&requestId=k".to_owned(),
        format!("userId=user+one&orderId={order}"),
    ] {
        let found = ask(&server, "GET", &format!("/admin/orders?{query}"), BOB, None).await;
        assert_eq!(
            (found.status, json_of(&found)),
            (200, record.clone()),
            "{query}"
        );
    }
    let latest = json_of(&ask(&server, "GET", "/admin/orders?userId=user+one", BOB, None).await);
    let keys: Vec<_> = latest["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|order| &order["requestId"])
        .collect();
    assert_eq!(keys, ["l", "k"]);
    let account = Request::post(
        "activity/query_user_activity_account",
        "application/json",
        json!({"userId": "user one", "activityId": LOAD_ACTIVITY}).to_string(),
    );
    let mut account = server.data(&account).await;
    (account["points"], account["pointsFrozen"]) = (json!(0.0), json!(false));
    let path = format!("/admin/accounts?userId=user+one&activityId={LOAD_ACTIVITY}");
    assert_eq!(
        json_of(&ask(&server, "GET", &path, BOB, None).await),
        account
    );
    for (path, status) in [
        ("/admin/orders?userId=user+one&requestId=nothing", 404),
        ("/admin/orders?requestId=k", 400),
        ("/admin/orders?userId=u&orderId=x", 400),
        ("/admin/accounts?userId=u", 400),
        ("/admin/accounts?userId=u&activityId=7", 404),
    ] {
        assert_eq!(
            ask(&server, "GET", path, BOB, None).await.status,
            status,
            "{path}"
        );
    }
    assert_eq!(
        server
            .ask_admin("GET", "/admin/orders?userId=user+one")
            .await
            .status,
        401
    );
    assert!(
        !server.stderr().contains("user one"),
        "a user id is in the log"
    );

    jobs_are_shown(&place, &server).await;

    // The same by commands: of the server, of its files while it runs, and once it has stopped.
    let activity = LOAD_ACTIVITY.to_string();
    let order_words = ["order", "user one", "--request", "k", "--json"];
    let account_words = ["account", "user one", "--activity", &activity, "--json"];
    let parsed = |ran: Ran| serde_json::from_str::<Value>(&ran.ok()).expect("JSON");
    assert_eq!(
        parsed(command(&place, &server, "viewers/bob", &order_words).await),
        record
    );
    assert_eq!(
        parsed(command(&place, &server, "viewers/bob", &account_words).await),
        account
    );
    assert_eq!(parsed(place.run_here(&order_words).await), record);
    assert_eq!(parsed(place.run_here(&account_words).await), account);
    let ran = command(
        &place,
        &server,
        "viewers/bob",
        &["order", "user one", "--request", "other"],
    )
    .await;
    assert!(ran.failed(1).contains("no such order"));
    server.stop().await;
    assert_eq!(parsed(place.run_here(&account_words).await), account);
    let text = place.run_here(&["order", "user one"]).await.ok();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains(order) && text.contains("created"), "{text}");
    assert!(
        place
            .run_here(&["order", "nobody", "--request", "k"])
            .await
            .failed(1)
            .contains("no such order")
    );
    let ran = place.run_here(&["account", "u", "--activity", "7"]).await;
    assert!(ran.failed(1).contains("no activity 7 is published"));
}

#[tokio::test]
async fn a_data_folder_is_its_owners_and_one_that_is_not_is_named() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("there").permissions().mode() & 0o777
    };
    assert_eq!(mode(&place.data()), 0o700);
    let mut databases = 0;
    for entry in std::fs::read_dir(place.data()).expect("a folder") {
        let path = entry.expect("a file").path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        databases += usize::from(text_of(&path).ends_with(".sqlite"));
    }
    assert!(databases >= 2);
    server.stop().await;

    std::fs::set_permissions(place.data(), PermissionsExt::from_mode(0o755)).expect("a mode");
    let server = Server::start(&place).await;
    let find = |log: &str| {
        let mut lines = log.lines();
        lines
            .find(|line| line.contains("chmod 700"))
            .map(str::to_owned)
    };
    let warning = server.logged("the warning", find).await;
    assert!(
        warning.contains("WARN") && warning.contains(&text_of(&place.data())),
        "{warning}"
    );
    assert_eq!(mode(&place.data()), 0o755, "it may be meant so");
}
