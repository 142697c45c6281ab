//! Chances that operators give: through the server that holds the folder, and without one.
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Ran, Request, Response, Server, plant};

/// What the load campaign welcomes a user with.
const WELCOME: u64 = 1_000_000;

async fn grant(place: &Place, user: &str, chances: &str, rest: &[&str]) -> Ran {
    let activity = LOAD_ACTIVITY.to_string();
    let words = ["chances", "grant", user, &activity, chances];
    let words = [&words[..], &["--reason", "a mishap", "--json"], rest].concat();
    place.run_here(&words).await
}

#[track_caller]
fn given(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).expect("JSON")
}

async fn total(server: &Server, user: &str) -> Value {
    server.data(&Request::account(user, LOAD_ACTIVITY)).await["totalCount"].clone()
}

async fn post(place: &Place, server: &Server, body: &Value) -> Response {
    let token = std::fs::read_to_string(place.data().join("admin-token")).expect("the token");
    let request = Request::raw("POST", "/admin/chances")
        .header("Authorization", format!("Bearer {}", token.trim()))
        .with_body(body.to_string());
    let mut connection = Connection::open(server.admin).await.expect("a connection");
    connection.exchange(&request).await.expect("an answer")
}

fn body_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("JSON")
}

/// The audit log of a server.
pub async fn entries(place: &Place, server: &Server) -> Vec<Value> {
    let admin = format!("http://{}", server.admin);
    let token_file = place.data().join("admin-token");
    let token_file = token_file.to_str().expect("a plain path");
    let words = ["audit-log", "list", "--json", "--admin", &admin];
    let words = [&words[..], &["--token-file", token_file]].concat();
    serde_json::from_str(&place.run(&words).await.ok()).expect("a list")
}

/// Sets what a user's account was granted, behind the server's back.
async fn plant_granted(place: &Place, user: &str, granted: u64) {
    let mut touched = 0;
    for (shard, table) in (0..2).flat_map(|shard| (0..4).map(move |table| (shard, table))) {
        let file = place.data().join(format!("shard-{shard}.sqlite"));
        let sql = format!(
            "UPDATE raffle_account_{table} SET granted = {granted} WHERE user_id = '{user}'"
        );
        touched += plant(&file, &sql).await;
    }
    assert_eq!(touched, 1);
}

#[tokio::test]
async fn chances_are_given_once_with_a_server_and_without_one() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let address = place.data().join("admin-address");
    let written = std::fs::read_to_string(&address).expect("the address");
    assert_eq!(written, format!("http://{}\n", server.admin));
    let mode = std::fs::metadata(&address)
        .expect("it")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // The server that holds the folder executes it, for a user who has drawn and one who has not.
    let draw = Request::draw("u1", LOAD_ACTIVITY, "drawn");
    server.ask(&draw).await.expect(200, "0000");
    let first = given(grant(&place, "u1", "3", &["--request-id", "k"]).await);
    assert_eq!(first["totalGranted"], WELCOME + 3);
    assert_eq!(
        (&first["repeated"], &first["requestId"]),
        (&json!(false), &json!("k"))
    );
    let again = given(grant(&place, "u1", "3", &["--request-id", "k"]).await);
    assert_eq!(again["repeated"], true);
    for field in ["rechargeOrderId", "totalGranted", "chances"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    let fresh = given(grant(&place, "u2", "5", &["--who", "alice"]).await);
    assert_eq!(fresh["totalGranted"], WELCOME + 5);
    assert_eq!(total(&server, "u1").await, WELCOME + 3);
    assert_eq!(total(&server, "u2").await, WELCOME + 5);

    // Another amount under the key, or a key of a draw.
    let why = grant(&place, "u1", "4", &["--request-id", "k"])
        .await
        .failed(1);
    assert!(why.contains("used for another call"), "{why}");
    grant(&place, "u1", "3", &["--request-id", "drawn"])
        .await
        .failed(1);
    let drawn = server.ask(&Request::draw("u1", LOAD_ACTIVITY, "k")).await;
    let info = &drawn.expect(422, "ERR_REQ_003").info;
    assert_eq!(info, "this request id was used for another call");

    // What has changed something is on record, and nothing else.
    let log = entries(&place, &server).await;
    let noted: Vec<_> = log
        .iter()
        .map(|entry| (&entry["who"], &entry["what"]))
        .collect();
    let (of_u1, of_u2) = (
        format!("chances grant 3 in {LOAD_ACTIVITY}"),
        format!("chances grant 5 in {LOAD_ACTIVITY}"),
    );
    assert_eq!(
        noted,
        [
            (&json!("alice"), &json!(of_u2)),
            (&json!("e2e-operator"), &json!(of_u1))
        ]
    );
    assert_eq!(log[0]["reason"], "a mishap");
    place.audited().await;
    server.stop().await;
    assert!(!address.exists(), "a clean stop removes it");

    // Without a server, also where one was killed and has left its address.
    std::fs::write(&address, &written).expect("written");
    let later = given(grant(&place, "u1", "7", &["--request-id", "l"]).await);
    assert_eq!(
        (&later["totalGranted"], &later["repeated"]),
        (&json!(WELCOME + 10), &json!(false))
    );
    assert!(!address.exists());
    let again = given(grant(&place, "u1", "3", &["--request-id", "k"]).await);
    assert_eq!(
        (&again["rechargeOrderId"], &again["repeated"]),
        (&first["rechargeOrderId"], &json!(true))
    );
    assert_eq!(again["totalGranted"], WELCOME + 10);
    assert_eq!(place.audited_at_rest().await, 1);

    let server = Server::start(&place).await;
    assert_eq!(total(&server, "u1").await, WELCOME + 10);
    assert_eq!(entries(&place, &server).await.len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn the_admin_address_gives_chances_and_says_why_not() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let body = |user: &str, activity: u64, chances: u64, key: &str| {
        json!({
            "userId": user, "activityId": activity, "chances": chances,
            "reason": "a mishap", "requestId": key,
        })
    };
    let response = post(&place, &server, &body("u", LOAD_ACTIVITY, 1, "k")).await;
    assert_eq!(response.status, 200);
    let answer = body_of(&response);
    assert_eq!(
        (&answer["totalGranted"], &answer["repeated"]),
        (&json!(WELCOME + 1), &json!(false))
    );
    // An account cannot hold more.
    plant_granted(&place, "u", u64::from(u32::MAX) - 1).await;
    let full = post(&place, &server, &body("u", LOAD_ACTIVITY, 2, "l")).await;
    assert_eq!(
        (full.status, &body_of(&full)["code"]),
        (409, &json!("ERR_REQ_009"))
    );
    plant_granted(&place, "u", WELCOME + 1).await;
    for (body, status, code) in [
        (body("u", 7, 1, "l"), 404, json!("ERR_REQ_001")),
        (body("u", LOAD_ACTIVITY, 2, "k"), 422, json!("ERR_REQ_003")),
        (body("u", LOAD_ACTIVITY, 0, "l"), 400, Value::Null),
        (body("u ", LOAD_ACTIVITY, 1, "l"), 400, Value::Null),
        (json!({"userId": "u"}), 400, Value::Null),
    ] {
        let response = post(&place, &server, &body).await;
        let answer = body_of(&response);
        assert_eq!(
            (response.status, &answer["code"]),
            (status, &code),
            "{answer}"
        );
        assert!(answer["error"].is_string());
    }
    assert_eq!(total(&server, "u").await, WELCOME + 1);
    place.audited().await;
    server.stop().await;
}

#[tokio::test]
async fn a_repeat_notes_what_a_crash_left_out_of_the_audit_log() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let words = ["--request-id", "k"];
    let first = given(grant(&place, "u", "3", &words).await);
    // As if the process had died between the commit and the entry.
    let meta = place.data().join("meta.sqlite");
    assert_eq!(plant(&meta, "DELETE FROM audit_trail").await, 1);
    for _ in 0..2 {
        let again = given(grant(&place, "u", "3", &words).await);
        assert_eq!(again["rechargeOrderId"], first["rechargeOrderId"]);
        let log = entries(&place, &server).await;
        assert_eq!(log.len(), 1, "{log:?}");
        assert_eq!(
            log[0]["what"],
            format!("chances grant 3 in {LOAD_ACTIVITY} (repeated)")
        );
        let order = first["rechargeOrderId"].as_str().expect("an id");
        assert_eq!(log[0]["detail"], format!("u, recharge order {order}"));
    }
    server.stop().await;
}

/// Sets or clears the switch `read_only` for all users.
async fn switch_read_only(place: &Place, server: &Server, words: &[&str]) {
    let admin = format!("http://{}", server.admin);
    let token_file = place.data().join("admin-token");
    let token_file = token_file.to_str().expect("a plain path");
    let at_server = ["--admin", &admin, "--token-file", token_file];
    let words = [&["switch"], words, &["--reason", "a move"], &at_server].concat();
    place.run(&words).await.ok();
}

#[tokio::test]
async fn no_chances_are_given_while_nothing_may_be_written() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    switch_read_only(&place, &server, &["set", "read_only", "on"]).await;
    let body = json!({
        "userId": "u", "activityId": LOAD_ACTIVITY, "chances": 1,
        "reason": "a mishap", "requestId": "k",
    });
    let refused = post(&place, &server, &body).await;
    assert_eq!(
        (refused.status, &body_of(&refused)["code"]),
        (503, &json!("ERR_GW_008"))
    );
    let words = ["--request-id", "k"];
    let why = grant(&place, "u", "1", &words).await.failed(2);
    assert!(why.contains("read_only"), "{why}");
    server.stop().await;
    // The command obeys the switch also in a lane of its own.
    let why = grant(&place, "u", "1", &words).await.failed(2);
    assert!(why.contains("read_only"), "{why}");

    let server = Server::start(&place).await;
    switch_read_only(&place, &server, &["clear", "read_only"]).await;
    let given = given(grant(&place, "u", "1", &words).await);
    assert_eq!(
        (&given["repeated"], &given["totalGranted"]),
        (&json!(false), &json!(WELCOME + 1))
    );
    server.stop().await;
}
