//! Sign-ins, exchanges and the ledger of points, at a server of its own.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::shop::{
    GIFT, PAIR, RARE, WELCOME, campaign, exchange, is_signed_in, ledger, points, sign_in,
};
use crate::support::{Connection, Envelope, Place, Request, Server, ask_all, away_from_midnight};

const ACTIVITY: u64 = 200_050;

async fn started() -> (Place, Server) {
    away_from_midnight().await;
    let place = Place::with_campaigns(&[&campaign(ACTIVITY)]).await;
    let server = Server::start(&place).await;
    (place, server)
}

async fn chances(server: &Server, user: &str) -> Value {
    server.data(&Request::account(user, ACTIVITY)).await["totalCount"].clone()
}

/// Gives a user points.
async fn endow(place: &Place, user: &str, amount: &str) {
    let words = ["points", "adjust", user, amount, "--reason", "a test"];
    place.run_here(&words).await.ok();
}

/// The whole ledger, read in pages of this size, the newest entry first.
async fn entries(server: &Server, user: &str, page: u8) -> Vec<Value> {
    let (mut entries, mut before): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let data = server.data(&ledger(user, page, before.as_deref())).await;
        let found = data["entries"].as_array().expect("a list");
        assert!(found.len() <= usize::from(page));
        entries.extend(found.iter().cloned());
        match data["next"].as_str() {
            Some(next) => before = Some(next.to_owned()),
            None => return entries,
        }
    }
}

/// Checks that each entry's balance is the sum of all amounts up to it.
fn assert_adds_up(entries: &[Value], balance: f64) {
    let hundredths = |value: &Value| {
        let number = value.as_f64().expect("a number") * 100.0;
        assert!((number - number.round()).abs() < 1e-6, "{value}");
        number.round()
    };
    let mut sum = 0.0;
    for (index, entry) in entries.iter().rev().enumerate() {
        sum += hundredths(&entry["amount"]);
        assert!((sum - hundredths(&entry["balance"])).abs() < 0.5, "{entry}");
        assert_eq!(entry["entryId"], (index + 1).to_string());
        let is_taken = hundredths(&entry["amount"]) < 0.0;
        let kind = if is_taken { "reverse" } else { "forward" };
        assert_eq!(entry["tradeType"], kind);
    }
    assert!((sum - balance * 100.0).abs() < 0.5, "{entries:?}");
}

#[tokio::test]
async fn a_user_signs_in_once_a_day_and_buys_chances_until_the_points_are_gone() {
    let (place, server) = started().await;
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    assert_eq!(server.data(&is_signed_in("u")).await, json!(false));

    let first = server.ask(&sign_in("u", "day")).await;
    let first = first.expect(200, "0000");
    assert_eq!(
        (&first.data, first.request.as_deref()),
        (&json!(true), Some("day"))
    );
    assert_eq!(server.data(&points("u")).await, json!(10.0));
    assert_eq!(chances(&server, "u").await, WELCOME + 1);
    assert_eq!(server.data(&is_signed_in("u")).await, json!(true));

    // The same key again is the same answer; another one finds nothing left.
    let again = server.ask(&sign_in("u", "day")).await;
    assert_eq!(again.body, first.body);
    let second = server.ask(&sign_in("u", "day-2")).await;
    assert_eq!(second.expect(409, "0003").request.as_deref(), Some("day-2"));
    let body = json!({"userId": "u", "activityId": ACTIVITY});
    let named = Request::json("activity/calendar_sign_rebate", &body);
    server.ask(&named).await.expect(409, "0003");
    assert_eq!(server.data(&points("u")).await, json!(10.0));

    // Ten points are four pairs.
    let bought = server.ask(&exchange("u", PAIR, "x-0")).await;
    let bought = bought.expect(200, "0000");
    assert_eq!(bought.data, json!(true));
    assert_eq!(
        server.ask(&exchange("u", PAIR, "x-0")).await.body,
        bought.body
    );
    server
        .ask(&exchange("u", GIFT, "x-0"))
        .await
        .expect(422, "ERR_REQ_003");
    server
        .ask(&exchange("u", PAIR, "day"))
        .await
        .expect(422, "ERR_REQ_003");
    for key in ["x-1", "x-2", "x-3"] {
        server
            .ask(&exchange("u", PAIR, key))
            .await
            .expect(200, "0000");
    }
    server
        .ask(&exchange("u", PAIR, "x-4"))
        .await
        .expect(409, "ERR_CREDIT_001");
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    assert_eq!(chances(&server, "u").await, WELCOME + 1 + 8);

    // The refused key is free.
    endow(&place, "u", "2.50").await;
    server
        .ask(&exchange("u", PAIR, "x-4"))
        .await
        .expect(200, "0000");

    let all = entries(&server, "u", 100).await;
    assert_eq!(all.len(), 7);
    assert_adds_up(&all, 0.0);
    assert_eq!(entries(&server, "u", 3).await, all, "pages of three");
    let names: Vec<_> = all
        .iter()
        .map(|entry| entry["tradeName"].as_str())
        .collect();
    assert_eq!(names[0], Some("exchange"));
    assert_eq!((names[1], names[6]), (Some("operator"), Some("reward")));
    let times = all[6]["createdAt"].as_str().expect("a time");
    assert!(times.ends_with("+08:00"), "{times}");
    assert!(entries(&server, "nobody", 100).await.is_empty());
    place.audited().await;
    server.stop().await;
}

/// All recharge orders of a user, read in pages of this size, the newest first.
async fn recharges(server: &Server, user: &str, page: u8) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("activity/recharge_orders?userId={user}&limit={page}&before={before}");
        let data = server.data(&Request::get(&path)).await;
        let found = data["records"].as_array().expect("a list");
        assert!(found.len() <= usize::from(page));
        all.extend(found.iter().cloned());
        match data["next"].as_str() {
            Some(next) => next.clone_into(&mut before),
            None => return all,
        }
    }
}

#[tokio::test]
async fn what_a_user_was_given_and_has_bought_is_listed_in_pages() {
    let (place, server) = started().await;
    server.ask(&sign_in("u", "day")).await.expect(200, "0000");
    let draw = Request::draws("u", ACTIVITY, "draws", 5);
    server.ask(&draw).await.expect(200, "0000");
    for key in ["x-1", "x-2", "x-3"] {
        server
            .ask(&exchange("u", PAIR, key))
            .await
            .expect(200, "0000");
    }
    endow(&place, "u", "2.50").await;
    let all = recharges(&server, "u", 100).await;
    for size in [1, 2, 5] {
        assert_eq!(recharges(&server, "u", size).await, all, "{size}");
    }
    let field =
        |name: &str| -> Vec<Value> { all.iter().map(|record| record[name].clone()).collect() };
    let (bought, given) = ("credit_pay_trade", "rebate_no_pay_trade");
    let kinds = ["operator", bought, bought, bought, given, given];
    assert_eq!(field("kind"), kinds);
    assert_eq!(field("requestId")[1..], ["x-3", "x-2", "x-1", "day", "day"]);
    let signs = &all[4..];
    let of_chances = signs.iter().find(|record| record["sku"] == GIFT);
    let of_chances = of_chances.expect("a chance");
    assert_eq!(
        (&of_chances["behaviour"], &of_chances["chances"]),
        (&json!("sign"), &json!(1))
    );
    let purchase = &all[1];
    assert_eq!(
        (&purchase["sku"], &purchase["chances"], &purchase["points"]),
        (&json!(PAIR), &json!(2), &json!(-2.5))
    );
    assert_eq!(
        (&all[0]["activityId"], &purchase["activityId"]),
        (&Value::Null, &json!(ACTIVITY))
    );
    // The ledger names the same orders.
    let entries = entries(&server, "u", 100).await;
    let of_points = all.iter().filter(|record| !record["points"].is_null());
    let of_points: Vec<&Value> = of_points.map(|record| &record["orderId"]).collect();
    let named: Vec<&Value> = entries.iter().map(|entry| &entry["businessNo"]).collect();
    assert_eq!(named, of_points);
    assert!(recharges(&server, "nobody", 100).await.is_empty());
    for (rest, status, code) in [
        ("limit=0", 400, "0002"),
        ("limit=101", 400, "0002"),
        ("before=x", 400, "0002"),
        ("before=1", 404, "ERR_REQ_002"),
    ] {
        let path = format!("activity/recharge_orders?userId=u&{rest}");
        server.ask(&Request::get(&path)).await.expect(status, code);
    }
    let order = all[0]["orderId"].as_str().expect("an id");
    let path = format!("activity/recharge_orders?userId=v&before={order}");
    let foreign = server.ask(&Request::get(&path)).await;
    foreign.expect(404, "ERR_REQ_002");
    server.stop().await;
}

#[tokio::test]
async fn as_many_exchanges_at_once_as_points_and_units_allow() {
    let (place, server) = started().await;
    endow(&place, "u", "10.00").await;
    let requests = (0..10).map(|number| exchange("u", PAIR, &format!("k-{number}")));
    let tally = |answers: &[Envelope]| {
        let mut codes = BTreeMap::<String, usize>::new();
        for answer in answers {
            *codes.entry(answer.code.clone()).or_default() += 1;
        }
        codes
    };
    let requests: Vec<Request> = requests.collect();
    let answers = ask_all(server.listen, requests.clone(), 10).await;
    let expected = BTreeMap::from([("0000".to_owned(), 4), ("ERR_CREDIT_001".to_owned(), 6)]);
    assert_eq!(tally(&answers), expected);
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    assert_eq!(chances(&server, "u").await, WELCOME + 8);
    // All again: those that bought are answered as before, and no other buys.
    let again = ask_all(server.listen, requests, 10).await;
    assert_eq!(tally(&again), expected);
    assert_eq!(chances(&server, "u").await, WELCOME + 8);

    // Two units for ten users; no user pays for one that is not there.
    let users: Vec<String> = (0..10).map(|number| format!("v{number}")).collect();
    for user in &users {
        server.ask(&sign_in(user, "day")).await.expect(200, "0000");
    }
    let requests = users.iter().map(|user| exchange(user, RARE, "k")).collect();
    let answers = ask_all(server.listen, requests, 10).await;
    let expected = BTreeMap::from([("0000".to_owned(), 2), ("ERR_BIZ_005".to_owned(), 8)]);
    assert_eq!(tally(&answers), expected);
    for (user, answer) in users.iter().zip(&answers) {
        let (left, total) = if answer.code == "0000" {
            (9.9, WELCOME + 2)
        } else {
            (10.0, WELCOME + 1)
        };
        assert_eq!(server.data(&points(user)).await, json!(left), "{user}");
        assert_eq!(chances(&server, user).await, total, "{user}");
    }
    place.audited().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_sold_is_listed_with_what_is_left() {
    let (place, server) = started().await;
    endow(&place, "u", "1").await;
    server
        .ask(&exchange("u", RARE, "k"))
        .await
        .expect(200, "0000");
    let path = format!("activity/query_sku_product_list_by_activity_id?activityId={ACTIVITY}");
    let request = Request::new("POST", &path);
    let skus = server.data(&request).await;
    let rare = &skus[1];
    let count = json!({"totalCount": 1, "dayCount": 1, "monthCount": 1});
    assert_eq!(
        (&rare["sku"], &rare["activityId"], &rare["activityCount"]),
        (&json!(RARE), &json!(ACTIVITY), &count)
    );
    assert_eq!(
        (&rare["stockCount"], &rare["productAmount"]),
        (&json!(2), &json!(0.1))
    );
    crate::support::eventually(
        "the list says what is left",
        crate::support::FOLLOWED,
        async || {
            let skus = server.data(&request).await;
            (skus[1]["stockCountSurplus"] == 1).then_some(())
        },
    )
    .await;
    let unknown = Request::get("activity/query_sku_product_list_by_activity_id?activityId=7");
    server.ask(&unknown).await.expect(404, "ERR_REQ_001");
    server.stop().await;
}

/// A POST of JSON, and the code and the field that its refusal names.
type Wrong = (&'static str, Value, u16, &'static str, &'static str);

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let (place, server) = started().await;
    endow(&place, "u", "100").await;
    let buy = "activity/credit_pay_exchange_sku";
    let sign = "activity/calendar_sign_rebate";
    let wrong: [Wrong; 17] = [
        (buy, json!({"sku": PAIR}), 400, "0002", "userId"),
        (
            buy,
            json!({"userId": " u", "sku": PAIR}),
            400,
            "0002",
            "userId",
        ),
        (buy, json!({"userId": "u"}), 400, "0002", "sku"),
        (buy, json!({"userId": "u", "sku": 0}), 400, "0002", "sku"),
        (buy, json!({"userId": "u", "sku": -1}), 400, "0002", "sku"),
        (buy, json!({"userId": "u", "sku": 1.5}), 400, "0002", "sku"),
        (buy, json!({"userId": "u", "sku": 1e30}), 400, "0002", "sku"),
        (buy, json!({"userId": "u", "sku": "x"}), 400, "0002", "sku"),
        (buy, json!({"userId": "u", "sku": [1]}), 400, "0002", "sku"),
        (
            buy,
            json!({"userId": "u", "sku": 7}),
            404,
            "ERR_REQ_010",
            "",
        ),
        (sign, json!({}), 400, "0002", "userId"),
        (
            sign,
            json!({"userId": "u", "activityId": 0}),
            400,
            "0002",
            "activityId",
        ),
        (
            sign,
            json!({"userId": "u", "activityId": "a"}),
            400,
            "0002",
            "activityId",
        ),
        (
            sign,
            json!({"userId": "u", "activityId": 7}),
            404,
            "ERR_REQ_001",
            "",
        ),
        (
            "activity/credit_ledger",
            json!({"userId": "u", "limit": 0}),
            400,
            "0002",
            "limit",
        ),
        (
            "activity/credit_ledger",
            json!({"userId": "u", "limit": 101}),
            400,
            "0002",
            "limit",
        ),
        (
            "activity/credit_ledger",
            json!({"userId": "u", "before": "x"}),
            400,
            "0002",
            "before",
        ),
    ];
    for (path, body, status, code, field) in wrong {
        let answer = server.ask(&Request::json(path, &body)).await;
        let answer = answer.expect(status, code);
        assert!(
            answer.info.contains(field),
            "{path} {body}: {}",
            answer.info
        );
    }
    let twice = exchange("u", PAIR, "k").header("Idempotency-Key", "k");
    server.ask(&twice).await.expect(400, "0002");
    let get = Request::get("activity/calendar_sign_rebate?userId=u");
    server.ask(&get).await.expect(405, "ERR_REQ_005");
    assert_eq!(server.data(&points("u")).await, json!(100.0));
    assert_eq!(server.data(&is_signed_in("u")).await, json!(false));
    let unknown = Request::get("activity/is_calendar_sign_rebate?userId=u&activityId=7");
    server.ask(&unknown).await.expect(404, "ERR_REQ_001");
    place.audited().await;
    server.stop().await;
}

async fn switch(place: &Place, server: &Server, words: &[&str]) {
    server.switch(place, words).await;
}

#[tokio::test]
async fn switches_and_limits_know_the_calls() {
    const OTHER: u64 = 200_051;
    away_from_midnight().await;
    let other = campaign(OTHER)
        .replace("9001", "9101")
        .replace("9002", "9102")
        .replace("9003", "9103");
    let place = Place::with_campaigns(&[&campaign(ACTIVITY), &other]).await;
    let config = "[limits.route.exchange]\nper_second = 0.001\nburst = 5\n";
    let server = Server::start_with(&place, config).await;
    endow(&place, "u", "50").await;
    let activity = OTHER.to_string();

    switch(&place, &server, &["set", "signin", "off"]).await;
    server.ask(&sign_in("u", "day")).await.expect(503, "0004");
    assert_eq!(server.data(&is_signed_in("u")).await, json!(false));
    switch(&place, &server, &["clear", "signin"]).await;
    // Off in one activity: the other one is signed in.
    switch(
        &place,
        &server,
        &["set", "signin", "off", "--activity", &activity],
    )
    .await;
    let named = json!({"userId": "u", "activityId": OTHER});
    let named = Request::json("activity/calendar_sign_rebate", &named);
    server.ask(&named).await.expect(503, "0004");
    server.ask(&sign_in("u", "day")).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(60.0));
    switch(
        &place,
        &server,
        &["clear", "signin", "--activity", &activity],
    )
    .await;
    server.ask(&sign_in("u", "day-2")).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(70.0));

    switch(
        &place,
        &server,
        &["set", "exchange", "off", "--activity", &activity],
    )
    .await;
    server
        .ask(&exchange("u", 9_101, "x"))
        .await
        .expect(503, "0004");
    server
        .ask(&exchange("u", PAIR, "x"))
        .await
        .expect(200, "0000");
    switch(&place, &server, &["set", "read_only", "on"]).await;
    server
        .ask(&exchange("u", PAIR, "y"))
        .await
        .expect(503, "ERR_GW_008");
    server
        .ask(&sign_in("v", "day"))
        .await
        .expect(503, "ERR_GW_008");
    switch(&place, &server, &["clear", "read_only"]).await;
    // The route lets five through, and those are used up by now.
    server
        .ask(&exchange("u", PAIR, "y"))
        .await
        .expect(200, "0000");
    server
        .ask(&exchange("u", PAIR, "z"))
        .await
        .expect(200, "0000");
    let limited = server.ask(&exchange("u", PAIR, "z")).await;
    assert!(limited.expect(429, "ERR_GW_011").retry_after_s.is_some());
    server.ask(&sign_in("v", "day")).await.expect(200, "0000");
    server.stop().await;
}

#[tokio::test]
async fn parameters_are_bound_as_clients_of_the_reference_send_them() {
    let (place, server) = started().await;
    let mut connection: Connection = server.connect().await;
    let form = Request::form("activity/calendar_sign_rebate", "userId=a");
    let json = Request::json("activity/calendar_sign_rebate", &json!({"userId": "b"}));
    let query = Request::new("POST", "activity/calendar_sign_rebate?userId=c");
    for request in [form, json, query] {
        let answer = connection.exchange(&request).await.expect("an answer");
        let answer = answer.envelope();
        let answer = answer.expect(200, "0000");
        assert_eq!(
            answer.request.as_deref().map(str::len),
            Some(32),
            "a new key"
        );
    }
    let bought = Request::json(
        "activity/credit_pay_exchange_sku",
        &json!({"userId": "a", "sku": PAIR.to_string(), "requestId": 77, "unknown": {}}),
    );
    let answer = server.ask(&bought).await;
    assert_eq!(answer.expect(200, "0000").request.as_deref(), Some("77"));
    for by_token in [
        "activity/calendar_sign_rebate_by_token",
        "activity/credit_pay_exchange_sku_by_token?sku=9001",
        "activity/query_user_credit_account_by_token",
        "activity/is_calendar_sign_rebate_by_token",
    ] {
        let answer = server.ask(&Request::new("POST", by_token)).await;
        answer.expect(401, "ERR_ID_001");
    }
    place.audited().await;
    server.stop().await;
}
