//! One rule of binding: each parameter from the query, a form or JSON, on every path.
use serde_json::{Value, json};

use crate::support::campaign::{DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY};
use crate::support::{Place, Request, Server};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Every path but those of commands, with the parameters that it takes.
const READS: [(&str, &str); 24] = [
    ("activity/draw_record", "userId=u&requestId=k"),
    (
        "activity/draw_records",
        "userId=u&activityId=100301&limit=3",
    ),
    ("activity/query_user_award_record_list", "userId=u&limit=3"),
    ("activity/query_user_credit_account", "userId=u"),
    ("activity/credit_ledger", "userId=u&limit=3"),
    ("activity/recharge_orders", "userId=u&limit=3"),
    (
        "activity/is_calendar_sign_rebate",
        "userId=u&activityId=100301",
    ),
    (
        "activity/query_sku_product_list_by_activity_id",
        "activityId=100301",
    ),
    ("activity/armory", "activityId=100301"),
    (
        "activity/query_user_activity_account",
        "userId=u&activityId=100301",
    ),
    ("activity/query_stage_activity_id", "channel=c01&source=s01"),
    ("activity/query_activity", "activityId=100301"),
    ("strategy/strategy_armory", "strategyId=100006"),
    ("strategy/armory", "strategyId=100006"),
    ("strategy_armory", "strategyId=100006"),
    (
        "strategy/query_raffle_award_list",
        "userId=u&activityId=100301",
    ),
    ("query_raffle_award_list", "strategyId=100006"),
    (
        "strategy/query_raffle_strategy_rule_weight",
        "userId=u&activityId=100301",
    ),
    (
        "query_raffle_strategy_rule_weight",
        "userId=u&activityId=100301",
    ),
    ("strategy/random_raffle", "strategyId=100006"),
    ("random_raffle", "strategyId=100006"),
    // Spelled with a slash at the end.
    ("activity/armory/", "activityId=100301"),
    ("strategy_armory/", "strategyId=100006"),
    ("activity/draw_record/", "userId=u&requestId=k"),
];

/// The pairs of a query as a JSON object of strings.
fn object(pairs: &str) -> Value {
    form_urlencoded::parse(pairs.as_bytes())
        .into_owned()
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

/// All ways to send parameters.
fn spelled(path: &str, parameters: &str) -> Vec<Request> {
    let (first, rest) = parameters.split_once('&').unwrap_or((parameters, ""));
    let at_query = format!("{path}?{parameters}");
    vec![
        Request::get(&at_query),
        Request::get(&format!("{path}?unknown=1&unknown=2&{parameters}")),
        Request::new("GET", path)
            .header("Content-Type", FORM)
            .with_body(parameters),
        Request::new("GET", &at_query).header("Content-Type", JSON),
        Request::new("POST", &at_query),
        Request::new("POST", &at_query).header("Content-Type", "text/plain"),
        Request::json(&at_query, &json!({})),
        Request::form(path, parameters),
        Request::post(
            path,
            "application/x-www-form-urlencoded; charset=UTF-8",
            parameters,
        ),
        Request::form(&format!("{path}?{first}"), rest),
        Request::json(path, &object(parameters)),
        Request::json(&format!("{path}?{first}"), &object(rest)),
        Request::json(&at_query, &object(parameters)),
        Request::post(
            path,
            "application/vnd.game+json; charset=utf-8",
            object(parameters).to_string(),
        ),
        Request::new("POST", path).with_body(object(parameters).to_string()),
    ]
}

#[tokio::test]
async fn every_read_takes_its_parameters_in_every_way() {
    let place = Place::new();
    let server = Server::start(&place).await;
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let mut connection = server.connect().await;
    for (path, parameters) in READS {
        let mut first = None;
        for request in spelled(path, parameters) {
            let answer = connection
                .exchange(&request)
                .await
                .expect("an answer")
                .envelope();
            assert_eq!(
                (answer.status, &*answer.code),
                (200, "0000"),
                "{request:?}: {}",
                answer.body
            );
            // One is random, and one says what time it is.
            let differs = ["random_raffle", "query_activity"]
                .iter()
                .any(|end| path.ends_with(end));
            assert!(
                differs || *first.get_or_insert(answer.data.clone()) == answer.data,
                "{request:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_draw_takes_its_parameters_in_every_way_but_by_get() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let parameters = format!("userId=u&activityId={LOAD_ACTIVITY}&requestId=k&count=2");
    let mut first = None;
    for request in spelled("activity/draw", &parameters) {
        let is_get = request.bytes().starts_with(b"GET");
        let answer = server.ask(&request).await;
        if is_get {
            answer.expect(405, "ERR_REQ_005");
        } else {
            let answer = answer.expect(200, "0000");
            assert_eq!(answer.key(), "k");
            assert_eq!(
                *first.get_or_insert(answer.body.clone()),
                answer.body,
                "{request:?}"
            );
        }
    }
    server.stop().await;
    assert_eq!(
        place.audited_at_rest().await,
        2,
        "one call, however it was spelled"
    );
}

#[tokio::test]
async fn two_values_for_one_parameter_are_refused_by_name() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let fields = format!("\"userId\":\"u\",\"activityId\":{LOAD_ACTIVITY}");
    let query = |query: &str| format!("activity/draw?{query}");
    for (request, name) in [
        (
            Request::post(&query("userId=v"), JSON, format!("{{{fields}}}")),
            "userId",
        ),
        (
            Request::post(&query("activityId=7"), JSON, format!("{{{fields}}}")),
            "activityId",
        ),
        (
            Request::post(
                &query("requestId=a"),
                JSON,
                format!("{{{fields},\"requestId\":\"b\"}}"),
            ),
            "requestId",
        ),
        (
            Request::post(
                &query("requestId=a&requestId=b"),
                JSON,
                format!("{{{fields}}}"),
            ),
            "requestId",
        ),
        (
            Request::post(&query("count=1"), JSON, format!("{{{fields},\"count\":2}}")),
            "count",
        ),
        (
            Request::post(
                "activity/draw",
                JSON,
                format!("{{{fields},\"userId\":\"v\"}}"),
            ),
            "userId",
        ),
        (
            Request::form(&query("userId=u"), "userId=v&activityId=200001"),
            "userId",
        ),
        (
            Request::form("activity/draw", "userId=u&activityId=200001&activityId=7"),
            "activityId",
        ),
        (
            Request::get("activity/draw_record?userId=u&userId=v&requestId=k"),
            "userId",
        ),
    ] {
        let refused = server.ask(&request).await.expect(400, "0002");
        assert!(
            refused.info.contains(&format!("{name}: comes twice")),
            "{request:?}: {}",
            refused.info
        );
    }
    // The header is a key beside the parameter.
    let other = Request::post(&query("requestId=a"), JSON, format!("{{{fields}}}"))
        .header("Idempotency-Key", "b");
    assert!(
        server
            .ask(&other)
            .await
            .expect(400, "0002")
            .info
            .contains("differs from the header")
    );
    let twice = |value: &str| {
        Request::keyless_draw("u", LOAD_ACTIVITY)
            .header("Idempotency-Key", value)
            .header("Idempotency-Key", value)
    };
    server.ask(&twice("k")).await.expect(400, "0002");
    server.ask(&twice("")).await.expect(400, "0002");
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 0);
}

#[tokio::test]
async fn an_empty_key_is_none() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let empty = || Request::keyless_draw("u", LOAD_ACTIVITY).header("Idempotency-Key", "");
    let keys = [
        server.ask(&empty()).await.expect(200, "0000"),
        server.ask(&empty()).await.expect(200, "0000"),
    ];
    assert_ne!(keys[0].key(), keys[1].key());
    let field = Request::json(
        "activity/draw",
        &json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "of the field".replace(' ', "-")}),
    );
    assert_eq!(
        server
            .ask(&field.header("Idempotency-Key", ""))
            .await
            .expect(200, "0000")
            .key(),
        "of-the-field"
    );
}

#[tokio::test]
async fn bodies_that_a_page_of_any_site_could_send_are_refused() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let body = json!({"userId": "u", "activityId": LOAD_ACTIVITY}).to_string();
    for media_type in [
        "text/plain",
        "text/plain; application/json",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/octet-stream",
        "application/json, text/plain",
        FORM,
    ] {
        for path in ["activity/draw", "activity/query_user_activity_account"] {
            let refused = server
                .ask(&Request::post(path, media_type, body.clone()))
                .await
                .expect(415, "ERR_REQ_008");
            assert_eq!(
                refused.request.is_some(),
                path.ends_with("draw"),
                "{media_type}"
            );
        }
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 0);
}

#[tokio::test]
async fn the_paths_for_ten_draws_stand_for_a_count_of_ten() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    for path in [
        "activity/ten_draw",
        "activity/drawTen",
        "activity/ten_times_raffle",
    ] {
        let fields = json!({"userId": path, "activityId": LOAD_ACTIVITY});
        let request = Request::json(path, &fields).header("Idempotency-Key", "k");
        let answer = server.ask(&request).await.expect(200, "0000");
        assert_eq!(answer.draws().len(), 10);
        assert_eq!(answer.data["draws"], answer.data["drawResults"]);
        assert_eq!(server.ask(&request).await.body, answer.body, "asked again");
        let counted = server
            .ask(&Request::draws(path, LOAD_ACTIVITY, "k", 10))
            .await
            .expect(200, "0000");
        assert_eq!(
            counted.data["draws"], answer.data["draws"],
            "the same call by its other name"
        );
        assert!(counted.data.get("drawResults").is_none());
        let same = Request::json(
            path,
            &json!({"userId": path, "activityId": LOAD_ACTIVITY, "count": "10"}),
        );
        server
            .ask(&same.header("Idempotency-Key", "k"))
            .await
            .expect(200, "0000");
        let other = Request::json(
            path,
            &json!({"userId": path, "activityId": LOAD_ACTIVITY, "count": 9}),
        );
        assert!(
            server
                .ask(&other)
                .await
                .expect(400, "0002")
                .info
                .contains("count: this path asks for 10 draws")
        );
        server
            .ask(&Request::json(&format!("{path}_by_token"), &fields))
            .await
            .expect(401, "ERR_ID_001");
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 30);
}
