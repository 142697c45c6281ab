//! Results, the report, and a user's draws page by page: what they say is what was answered.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::campaign::{DEMO, DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY};
use crate::support::{
    Connection, Envelope, FOLLOWED, Place, Ran, Request, Response, Server, ask_all, eventually,
};

const FIELDS: &str = "orderId,requestId,userId,awardId,awardTitle,awardConfig,awardAmount,state,\
                      rule,version,ordinal,stocked,createdAt";

/// Calls for one draw and for ten, of some users, one of whom has an id that looks like a formula.
pub fn calls(count: usize) -> Vec<Request> {
    let user = |number: usize| match number % 40 {
        0 => "=1+1".to_owned(),
        user => format!("u{user}"),
    };
    (0..count)
        .map(|number| {
            let draws = if number % 9 == 0 { 10 } else { 1 };
            Request::draws(&user(number), LOAD_ACTIVITY, &format!("k{number}"), draws)
        })
        .collect()
}

/// What was answered: the award of each order.
pub fn answered(answers: &[Envelope]) -> BTreeMap<String, u64> {
    let draws = answers.iter().flat_map(Envelope::draws);
    draws.map(|(award, order)| (order, award)).collect()
}

/// The rows of NDJSON, by order.
pub fn rows(text: &str) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let order = row["orderId"].as_str().expect("an order").to_owned();
        assert!(rows.insert(order, row).is_none(), "it comes twice: {line}");
    }
    rows
}

/// Whether rows are exactly what was answered.
#[track_caller]
pub fn equals(rows: &BTreeMap<String, Value>, answered: &BTreeMap<String, u64>) {
    let awards: BTreeMap<String, u64> = rows
        .iter()
        .map(|(order, row)| (order.clone(), row["awardId"].as_u64().expect("an id")))
        .collect();
    assert_eq!(&awards, answered);
}

fn activity() -> String {
    LOAD_ACTIVITY.to_string()
}

async fn admin(place: &Place, server: &Server, path: &str) -> Response {
    let token = std::fs::read_to_string(place.data().join("admin-token")).expect("the token");
    let request =
        Request::raw("GET", path).header("Authorization", format!("Bearer {}", token.trim()));
    let mut connection = Connection::open(server.admin).await.expect("a connection");
    connection.exchange(&request).await.expect("an answer")
}

#[tokio::test]
async fn a_file_of_results_equals_what_was_answered() {
    let place = Place::with_campaigns(&[LOAD, DEMO]).await;
    let server = Server::start(&place).await;
    let answers = ask_all(server.listen, calls(1_000), 16).await;
    let answered = answered(&answers);
    assert!(answered.len() > 1_900);
    // Draws of another activity are not in it.
    server
        .ask(&Request::draw("u1", DEMO_ACTIVITY, "other"))
        .await
        .expect(200, "0000");

    let text = results(&place, &["--format", "ndjson"]).await.ok();
    let all = rows(&text);
    equals(&all, &answered);
    records_say_the_same(&server, &all).await;
    csv_has_the_same_rows(&place, &all).await;
    filters_leave_out_the_others(&place, &all).await;
    the_admin_address_writes_the_same(&place, &server, &all).await;
    the_report_adds_the_same_up(&place, &server, &all).await;
    server.stop().await;
}

/// One file or report is written at a time; a second caller is told so, and a place is free again
/// when its reader has gone.
#[tokio::test]
async fn a_second_file_has_to_wait_for_the_first() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    ask_all(server.listen, calls(60), 8).await;
    let results = format!("/admin/results?activityId={LOAD_ACTIVITY}");
    let report = format!("/admin/report?activityId={LOAD_ACTIVITY}");
    let token = std::fs::read_to_string(place.data().join("admin-token")).expect("the token");
    let slow = Request::raw("GET", &format!("{results}&rate=1"))
        .header("Authorization", format!("Bearer {}", token.trim()));
    let mut reader = Connection::open(server.admin).await.expect("a connection");
    reader.send(&slow.bytes()).await.expect("sent");
    let status = async |path: &str| admin(&place, &server, path).await;
    eventually("the place is taken", FOLLOWED, async || {
        (status(&report).await.status == 429).then_some(())
    })
    .await;
    for path in [&results, &report] {
        let refused = status(path).await;
        assert_eq!(refused.status, 429);
        let why = refused.text();
        assert!(why.contains("another gateway"), "{why}");
    }
    // A look for some draws has places of its own.
    let look = format!("/admin/draws?activityId={LOAD_ACTIVITY}&limit=1");
    assert_eq!(status(&look).await.status, 200);
    drop(reader);
    eventually("the place is free", FOLLOWED, async || {
        (status(&report).await.status == 200).then_some(())
    })
    .await;
    let file = status(&results).await;
    assert_eq!(rows(&file.text()).len(), 60 + 7 * 9);
    server.stop().await;
}

type Rows = BTreeMap<String, Value>;

async fn results(place: &Place, rest: &[&str]) -> Ran {
    let activity = activity();
    place
        .run_here(&[&["results", &activity], rest].concat())
        .await
}

async fn filtered(place: &Place, rest: &[&str]) -> Rows {
    let words = [&["--format", "ndjson"], rest].concat();
    rows(&results(place, &words).await.ok())
}

async fn records_say_the_same(server: &Server, all: &Rows) {
    for (order, row) in all.iter().step_by(400) {
        let fields = row.as_object().expect("an object");
        assert_eq!(fields.len(), FIELDS.split(',').count());
        let user = row["userId"].as_str().expect("a user");
        let record = server.data(&Request::record(user, "orderId", order)).await;
        for field in ["orderId", "requestId", "awardId", "awardTitle", "createdAt"] {
            assert_eq!(record[field], row[field], "{field}");
        }
        let (state, amount) = (&row["state"], &row["awardAmount"]);
        assert_eq!((state, amount), (&json!("none"), &Value::Null));
        assert_eq!(
            (&row["version"], &row["stocked"]),
            (&json!(1), &json!(true))
        );
    }
}

/// A text that looks like a formula is marked.
async fn csv_has_the_same_rows(place: &Place, all: &Rows) {
    let csv = results(place, &["--format", "csv", "--bom"]).await.ok();
    let mut lines = csv.strip_prefix('\u{feff}').expect("a mark").lines();
    assert_eq!(lines.next(), Some(FIELDS));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), all.len());
    assert!(lines.iter().any(|line| line.contains(",'=1+1,")));
    assert!(!lines.iter().any(|line| line.contains(",=1+1,")));
}

/// The bounds of time, the prize, the state; and a bounded rate.
async fn filters_leave_out_the_others(place: &Place, all: &Rows) {
    let middle = all.values().nth(all.len() / 2).expect("a row");
    let at = middle["createdAt"].as_str().expect("a time");
    let since = filtered(place, &["--since", at]).await;
    let until = filtered(place, &["--until", at]).await;
    assert_eq!(since.len() + until.len(), all.len());
    assert!(since.values().any(|row| row == middle));
    let award = middle["awardId"].to_string();
    let of_award = filtered(place, &["--award", &award]).await;
    let expected = all
        .values()
        .filter(|row| row["awardId"] == middle["awardId"]);
    assert_eq!(of_award.len(), expected.count());
    let rated = filtered(place, &["--rate", "10000", "--state", "none"]).await;
    assert_eq!(rated.len(), all.len());
    let created = results(place, &["--state", "created"]).await.ok();
    assert_eq!(created.lines().count(), 1, "the head alone");
}

async fn the_admin_address_writes_the_same(place: &Place, server: &Server, all: &Rows) {
    let activity = activity();
    let path = format!("/admin/results?activityId={activity}");
    let served = admin(place, server, &path).await;
    assert_eq!(served.status, 200);
    assert_eq!(rows(&served.text()), *all);
    let (order, row) = all.iter().next().expect("a row");
    let found = admin(place, server, &format!("/admin/draws?orderId={order}")).await;
    let found: Value = serde_json::from_slice(&found.body).expect("JSON");
    assert_eq!(
        (&found["draws"][0], &found["partial"]),
        (row, &json!(false))
    );
    let award = &row["awardId"];
    let path = format!("/admin/draws?activityId={activity}&awardId={award}&limit=3");
    let some = admin(place, server, &path).await;
    let some: Value = serde_json::from_slice(&some.body).expect("JSON");
    let draws = some["draws"].as_array().expect("draws");
    assert!((1..=3).contains(&draws.len()), "{some}");
    for draw in draws {
        assert_eq!(draw["awardId"], *award);
        assert_eq!(
            all.get(draw["orderId"].as_str().expect("an order")),
            Some(draw)
        );
    }
}

async fn the_report_adds_the_same_up(place: &Place, server: &Server, all: &Rows) {
    let activity = activity();
    let report = place.run_here(&["report", &activity, "--json"]).await.ok();
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let (draws, users) = (&report["draws"], &report["users"]);
    assert_eq!((draws, users), (&json!(all.len()), &json!(40)));
    let number = |award: &Value, name: &str| award[name].as_u64().expect("a number");
    let awards = report["awards"].as_array().expect("awards");
    let given: u64 = awards.iter().map(|award| number(award, "given")).sum();
    assert_eq!(given, all.len() as u64);
    for award in awards {
        let gone = number(award, "total") - number(award, "left");
        assert_eq!(gone, number(award, "given"), "{award}");
    }
    let path = format!("/admin/report?activityId={activity}");
    let served = admin(place, server, &path).await;
    let served: Value = serde_json::from_slice(&served.body).expect("JSON");
    assert_eq!(served, report);
    let text = place.run_here(&["report", &activity]).await.ok();
    let sums = format!("draws {}, users 40", all.len());
    assert!(text.contains(&sums), "{text}");
}

/// What draws paid is in the ledgers, entry by entry.
#[tokio::test]
async fn a_file_of_points_equals_what_was_paid() {
    let place = Place::with_campaigns(&[LOAD, DEMO]).await;
    let server = Server::start(&place).await;
    let draw = |number: usize| {
        let (user, key) = (format!("p{}", number % 7), format!("k{number}"));
        Request::draws(&user, DEMO_ACTIVITY, &key, 1)
    };
    ask_all(server.listen, (0..60).map(draw).collect(), 8).await;
    let demo = DEMO_ACTIVITY.to_string();
    let draws = ["results", &demo, "--format", "ndjson"];
    let draws = rows(&place.run_here(&draws).await.ok());
    let paid: BTreeMap<String, Value> = draws
        .into_iter()
        .filter(|(_, row)| !row["awardAmount"].is_null())
        .map(|(order, row)| (order, json!([row["userId"], row["awardAmount"]])))
        .collect();
    assert!(paid.len() > 3, "{paid:?}");

    let entries = ["results", &demo, "--kind", "points", "--format", "ndjson"];
    let text = place.run_here(&entries).await.ok();
    let mut entered = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let of_prize = ("prize", "forward", DEMO_ACTIVITY);
        assert_eq!(
            (&row["tradeName"], &row["tradeType"], &row["activityId"]),
            (&json!(of_prize.0), &json!(of_prize.1), &json!(of_prize.2)),
        );
        let order = row["businessNo"].as_str().expect("an order").to_owned();
        let amount = json!([row["userId"], row["amount"]]);
        assert!(
            entered.insert(order, amount).is_none(),
            "it comes twice: {line}"
        );
    }
    assert_eq!(entered, paid);
    // The same over HTTP, in UTC without an activity; another activity paid nothing.
    let path = format!("/admin/results?kind=points&activityId={demo}");
    assert_eq!(
        sorted(&admin(&place, &server, &path).await.text()),
        sorted(&text)
    );
    let all = admin(&place, &server, "/admin/results?kind=points").await;
    assert_eq!(all.text().lines().count(), paid.len());
    let other = [
        "results",
        &activity(),
        "--kind",
        "points",
        "--format",
        "csv",
    ];
    assert_eq!(place.run_here(&other).await.ok().lines().count(), 1);
    server.stop().await;
    place.run_here(&["audit"]).await.ok();
}

/// The lines of a file, whose order is not known.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn wrong_options_are_refused() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    for (words, code, part) in [
        (&["results", "1"][..], 1, "no activity 1 is published"),
        (&["report", "1"], 1, "no activity 1 is published"),
        (&["results", "200001", "--bom"], 2, "--bom: only"),
        (
            &["results", "200001", "--kind", "recharges", "--award", "1"],
            2,
            "--kind: only draws have a prize",
        ),
        (&["results"], 2, "ACTIVITY is missing"),
        (&["results", "200001", "--format", "xml"], 2, "xml"),
        (
            &["results", "200001", "--rate", "0"],
            2,
            "expected an integer from 1",
        ),
        (
            &["results", "200001", "--since", "2026-11-30"],
            2,
            "expected a time with its offset",
        ),
        (
            &[
                "results",
                "200001",
                "--since",
                "2026-11-30T08:00:00Z",
                "--until",
                "2026-11-30T08:00:00Z",
            ],
            2,
            "--until: nothing lies",
        ),
    ] {
        let why = place.run_here(words).await.failed(code);
        assert!(why.contains(part), "{words:?}: {why}");
    }
    for (path, status) in [
        ("/admin/results?activityId=1", 404),
        ("/admin/report?activityId=1", 404),
        ("/admin/draws?activityId=1", 404),
        ("/admin/results", 400),
        ("/admin/results?activityId=200001&format=xml", 400),
        ("/admin/draws?activityId=200001&limit=101", 400),
    ] {
        assert_eq!(admin(&place, &server, path).await.status, status, "{path}");
    }
    let unknown = admin(&place, &server, "/admin/draws?orderId=1").await;
    assert_eq!(
        unknown.text(),
        r#"{"draws":[],"partial":false,"callsRead":0,"failures":[]}"#
    );
}

/// All records of a user, in pages of this size; after each page the user draws once more.
async fn paged(server: &Server, limit: usize) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!(
            "activity/draw_records?userId=u&activityId={LOAD_ACTIVITY}&limit={limit}&before={before}"
        );
        let page = server.data(&Request::get(&path)).await;
        all.extend(page["records"].as_array().expect("records").clone());
        let Some(next) = page["next"].as_str() else {
            assert_eq!(page["next"], Value::Null);
            return all;
        };
        assert_eq!(all.last().expect("a record")["orderId"], next);
        before = next.to_owned();
        let key = format!("{limit}-{before}");
        server
            .ask(&Request::draw("u", LOAD_ACTIVITY, &key))
            .await
            .expect(200, "0000");
    }
}

#[tokio::test]
async fn pages_of_a_users_draws_are_the_whole_list() {
    let place = Place::with_campaigns(&[LOAD, DEMO]).await;
    let server = Server::start(&place).await;
    let mut made = Vec::new();
    for number in 0..20 {
        let draws = [1, 10, 3][number % 3];
        let call = Request::draws("u", LOAD_ACTIVITY, &format!("k{number}"), draws);
        let answer = server.ask(&call).await.expect(200, "0000");
        made.extend(answer.draws().into_iter().map(|(_, order)| order));
    }
    made.reverse();
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "other"))
        .await
        .expect(200, "0000");
    for limit in [7, 20, 100] {
        let found = paged(&server, limit).await;
        let orders: Vec<&str> = found
            .iter()
            .map(|record| record["orderId"].as_str().expect("an order"))
            .collect();
        assert_eq!(orders[orders.len() - made.len()..], made, "{limit}");
        let (record, order) = (found.last().expect("one"), made.last().expect("one"));
        assert_eq!(
            *record,
            server.data(&Request::record("u", "orderId", order)).await
        );
    }
    let latest = Request::json(
        "activity/query_user_award_record_list",
        &json!({"userId": "u", "limit": 1}),
    );
    let latest = server.data(&latest).await;
    assert_eq!(latest.as_array().map(Vec::len), Some(1));

    for (rest, field) in [
        ("", "activityId"),
        ("activityId=200001&limit=0", "limit"),
        ("activityId=200001&limit=101", "limit"),
        ("activityId=200001&limit=x", "limit"),
        ("activityId=200001&before=x", "before"),
    ] {
        let request = Request::get(&format!("activity/draw_records?userId=u&{rest}"));
        let answer = server.ask(&request).await.expect(400, "0002");
        assert!(answer.info.contains(field), "{rest}: {}", answer.info);
    }
    for (rest, code) in [
        ("activityId=1", "ERR_REQ_001"),
        ("activityId=200001&before=1", "ERR_REQ_002"),
    ] {
        let request = Request::get(&format!("activity/draw_records?userId=u&{rest}"));
        server.ask(&request).await.expect(404, code);
    }
    let nobody = Request::get("activity/draw_records?userId=nobody&activityId=200001");
    assert_eq!(
        server.data(&nobody).await,
        json!({"records": [], "next": null})
    );
}
