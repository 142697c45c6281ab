//! Drawing: keys, users, replays, records, the rules of a campaign.
use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::campaign::{DEMO, DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY, bounded, in_state, with};
use crate::support::{
    Envelope, FOLLOWED, Place, Request, Server, ask_all, away_from_midnight, eventually,
};

const OTHER_ACTIVITY: u64 = 100_401;
const UNKNOWN_ACTIVITY: u64 = 999_999;

async fn started() -> (Place, Server) {
    let place = Place::new();
    let server = Server::start(&place).await;
    (place, server)
}

async fn draw(server: &Server, user: &str, activity: u64, key: &str) -> Envelope {
    server.ask(&Request::draw(user, activity, key)).await
}

/// A draw whose key is a field of its body.
fn draw_by_field(user: &str, activity: u64, key: &Value) -> Request {
    Request::json(
        "activity/draw",
        &json!({"userId": user, "activityId": activity, "requestId": key}),
    )
}

/// Asks until the answer has this code, for as long as a publication may take.
async fn eventually_answers(
    server: &Server,
    request: &Request,
    status: u16,
    code: &str,
) -> Envelope {
    let what = format!("{code} for {request:?}");
    let answer = eventually(&what, FOLLOWED, async || {
        let answer = server.ask(request).await;
        (answer.code == code).then_some(answer)
    });
    answer.await.expect(status, code)
}

async fn total_used(server: &Server, user: &str, activity: u64) -> u64 {
    let account = server.data(&Request::account(user, activity)).await;
    let number = |name: &str| account[name].as_u64().expect("a number");
    number("totalCount") - number("totalCountSurplus")
}

#[tokio::test]
async fn the_answer_to_a_draw_is_the_documented_envelope() {
    let (_place, server) = started().await;
    let answer = draw(&server, "u1", DEMO_ACTIVITY, "K")
        .await
        .expect(200, "0000");
    assert_eq!(answer.request.as_deref(), Some("K"));
    let data = answer.data.as_object().unwrap();
    let mut names: HashSet<_> = data.keys().map(String::as_str).collect();
    // Prize 101 pays points, and says how many.
    let pays = names.remove("awardAmount");
    assert_eq!(pays, answer.award() == 101, "{}", answer.body);
    assert_eq!(
        names,
        ["awardId", "awardTitle", "awardIndex", "orderId"].into()
    );
    assert!((101..=108).contains(&answer.award()), "{}", answer.body);
    // In this campaign the wheel's places run with the award ids.
    assert_eq!(data["awardIndex"].as_u64(), Some(answer.award() - 100));
    assert!(!data["awardTitle"].as_str().unwrap().is_empty());
    assert!(!answer.order().is_empty());
    assert_eq!(answer.retry_after_s, None);
}

#[tokio::test]
async fn header_and_field_name_the_same_key() {
    let (_place, server) = started().await;
    let by_header = draw(&server, "u", DEMO_ACTIVITY, "7")
        .await
        .expect(200, "0000");
    for by_field in [json!("7"), json!(7)] {
        let request = draw_by_field("u", DEMO_ACTIVITY, &by_field);
        assert_eq!(server.ask(&request).await.body, by_header.body);
        let by_both = request.header("Idempotency-Key", "7");
        assert_eq!(server.ask(&by_both).await.body, by_header.body);
    }
    assert_eq!(total_used(&server, "u", DEMO_ACTIVITY).await, 1);
}

#[tokio::test]
async fn different_keys_in_header_and_field_are_refused() {
    let (_place, server) = started().await;
    let request = draw_by_field("u", DEMO_ACTIVITY, &json!("one")).header("Idempotency-Key", "two");
    let answer = server.ask(&request).await.expect(400, "0002");
    assert!(answer.info.contains("requestId"), "{}", answer.info);
    assert!(!answer.key().is_empty());
    for key in ["one", "two"] {
        server
            .ask(&Request::record("u", "requestId", key))
            .await
            .expect(404, "ERR_REQ_002");
    }
}

#[tokio::test]
async fn a_draw_without_a_key_gets_one_that_repeats_it() {
    let (_place, server) = started().await;
    let keyless = Request::keyless_draw("u", DEMO_ACTIVITY);
    let first = server.ask(&keyless).await.expect(200, "0000");
    assert_eq!(
        draw(&server, "u", DEMO_ACTIVITY, first.key()).await.body,
        first.body
    );
    assert_eq!(
        server
            .ask(&draw_by_field("u", DEMO_ACTIVITY, &json!(first.key())))
            .await
            .body,
        first.body
    );
    let second = server.ask(&keyless).await.expect(200, "0000");
    assert_ne!(second.key(), first.key());
    assert_ne!(second.order(), first.order());
    // An absent field is as good as none.
    let null = server
        .ask(&draw_by_field("u", DEMO_ACTIVITY, &Value::Null))
        .await
        .expect(200, "0000");
    assert_eq!(total_used(&server, "u", DEMO_ACTIVITY).await, 3);
    assert!(
        (1..=64).contains(&null.key().len())
            && null.key().bytes().all(|byte| byte.is_ascii_graphic())
    );
}

#[tokio::test]
async fn a_key_of_another_activity_is_refused_even_when_that_is_unknown() {
    let (_place, server) = started().await;
    let first = draw(&server, "u", DEMO_ACTIVITY, "k")
        .await
        .expect(200, "0000");
    for activity in [OTHER_ACTIVITY, UNKNOWN_ACTIVITY] {
        let refused = draw(&server, "u", activity, "k")
            .await
            .expect(422, "ERR_REQ_003");
        assert_eq!(refused.key(), "k");
    }
    assert_eq!(
        draw(&server, "u", DEMO_ACTIVITY, "k").await.body,
        first.body
    );
    assert_eq!(total_used(&server, "u", OTHER_ACTIVITY).await, 0);
    // The same key of another user is another key.
    draw(&server, "v", OTHER_ACTIVITY, "k")
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn users_and_keys_are_compared_byte_by_byte() {
    let (_place, server) = started().await;
    // The last two look the same: one character, and a letter with an accent after it.
    let users = ["u", "U", "\u{fa}", "u\u{301}"];
    let keys = ["Key", "key", "KEY"];
    let mut orders = HashSet::new();
    for user in users {
        for key in keys {
            let answer = draw(&server, user, DEMO_ACTIVITY, key)
                .await
                .expect(200, "0000");
            assert_eq!(answer.key(), key);
            assert!(orders.insert(answer.order().to_owned()), "{user} {key}");
        }
    }
    for user in users {
        assert_eq!(
            total_used(&server, user, DEMO_ACTIVITY).await,
            keys.len() as u64,
            "{user}"
        );
    }
}

#[tokio::test]
async fn keys_may_be_as_long_and_as_odd_as_documented() {
    let (_place, server) = started().await;
    let visible: String = ('!'..='~').collect();
    for key in [
        "x",
        &"k".repeat(64),
        &visible[..64],
        &visible[30..],
        "\"\\{}'",
    ] {
        let first = draw(&server, "u", DEMO_ACTIVITY, key)
            .await
            .expect(200, "0000");
        assert_eq!(first.key(), key);
        assert_eq!(
            server
                .ask(&draw_by_field("u", DEMO_ACTIVITY, &json!(key)))
                .await
                .body,
            first.body
        );
        let record = server.data(&Request::record("u", "requestId", key)).await;
        assert_eq!(record["requestId"], *key);
    }
}

#[tokio::test]
async fn a_key_that_was_refused_is_free_again() {
    let place = Place::with_campaigns(&[DEMO]).await;
    let server = Server::start(&place).await;
    let request = Request::draw("u", LOAD_ACTIVITY, "k");
    let refused = server.ask(&request).await.expect(404, "ERR_REQ_001");
    assert_eq!(refused.key(), "k");
    place.publish(&in_state(LOAD, "draft")).await.ok();
    eventually_answers(&server, &request, 409, "ERR_BIZ_003").await;
    place
        .publish(&with(LOAD, "begins_at = 2024", "begins_at = 2043"))
        .await
        .ok();
    eventually_answers(&server, &request, 409, "ERR_BIZ_010").await;
    place.publish(LOAD).await.ok();
    let made = eventually_answers(&server, &request, 200, "0000").await;
    assert_eq!(draw(&server, "u", LOAD_ACTIVITY, "k").await.body, made.body);
    assert_eq!(total_used(&server, "u", LOAD_ACTIVITY).await, 1);
}

#[tokio::test]
async fn an_activity_that_has_ended_refuses_draws() {
    let place = Place::with_campaigns(&[&with(LOAD, "ends_at = 2044", "ends_at = 2025")]).await;
    let server = Server::start(&place).await;
    draw(&server, "u", LOAD_ACTIVITY, "k")
        .await
        .expect(409, "ERR_BIZ_004");
}

#[tokio::test]
async fn a_replay_outlives_its_campaign_and_its_server() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let request = Request::draw("u", LOAD_ACTIVITY, "k");
    let first = server.ask(&request).await.expect(200, "0000");
    let record = server
        .ask(&Request::record("u", "requestId", "k"))
        .await
        .expect(200, "0000");

    let renamed = with(LOAD, "title = \"Prize ", "title = \"Trinket ");
    place.publish(&in_state(&renamed, "close")).await.ok();
    let closed = Request::draw("u", LOAD_ACTIVITY, "late");
    eventually("the activity is closed", FOLLOWED, async || {
        let list = Request::json(
            "query_raffle_award_list",
            &json!({"strategyId": LOAD_ACTIVITY}),
        );
        (server.data(&list).await[0]["awardTitle"] == "Trinket 1").then_some(())
    })
    .await;
    server.ask(&closed).await.expect(409, "ERR_BIZ_003");
    assert_eq!(server.ask(&request).await.body, first.body);
    assert_eq!(
        server
            .ask(&Request::record("u", "requestId", "k"))
            .await
            .body,
        record.body
    );

    server.stop().await;
    let server = Server::start(&place).await;
    assert_eq!(server.ask(&request).await.body, first.body);
    assert_eq!(
        server
            .ask(&Request::record("u", "requestId", "k"))
            .await
            .body,
        record.body
    );
    assert_eq!(total_used(&server, "u", LOAD_ACTIVITY).await, 1);
}

#[tokio::test]
async fn spent_chances_and_limits_have_codes_of_their_own_and_leave_replays_alone() {
    // Chances in all, on a day, in a month; the code when two are used.
    let cases = [
        (300_001, bounded(300_001, 2, 9, 9), "ERR_BIZ_006"),
        (300_002, bounded(300_002, 9, 9, 2), "ERR_BIZ_007"),
        (300_003, bounded(300_003, 9, 2, 9), "ERR_BIZ_008"),
    ];
    let texts: Vec<&str> = cases.iter().map(|(_, text, _)| text.as_str()).collect();
    let place = Place::with_campaigns(&texts).await;
    let server = Server::start(&place).await;
    away_from_midnight().await;
    for (activity, _, code) in cases {
        let key = |number: u32| format!("{activity}-{number}");
        let first = draw(&server, "u", activity, &key(1))
            .await
            .expect(200, "0000");
        draw(&server, "u", activity, &key(2))
            .await
            .expect(200, "0000");
        draw(&server, "u", activity, &key(3))
            .await
            .expect(409, code);
        assert_eq!(draw(&server, "u", activity, &key(1)).await.body, first.body);
        assert_eq!(total_used(&server, "u", activity).await, 2);
        draw(&server, "v", activity, &key(1))
            .await
            .expect(200, "0000");
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 9);
}

#[tokio::test]
async fn parallel_draws_spend_exactly_the_chances_that_are_there() {
    let place = Place::with_campaigns(&[&bounded(300_001, 20, 1000, 1000)]).await;
    let server = Server::start(&place).await;
    let draws = (0..120)
        .map(|number| Request::draw("u", 300_001, &number.to_string()))
        .collect();
    let answers = ask_all(server.listen, draws, 40).await;
    let made = answers
        .iter()
        .filter(|answer| answer.code == "0000")
        .count();
    let spent = answers
        .iter()
        .filter(|answer| answer.code == "ERR_BIZ_006" && answer.status == 409)
        .count();
    assert_eq!((made, spent), (20, 100));
    assert_eq!(total_used(&server, "u", 300_001).await, 20);
}

#[tokio::test]
async fn one_key_in_parallel_is_one_draw() {
    let (place, server) = started().await;
    let draws = (0..64)
        .map(|_| Request::draw("u", DEMO_ACTIVITY, "k"))
        .collect();
    let bodies: HashSet<String> = ask_all(server.listen, draws, 64)
        .await
        .into_iter()
        .map(|answer| answer.body)
        .collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(total_used(&server, "u", DEMO_ACTIVITY).await, 1);
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn one_key_for_two_activities_in_parallel_is_one_draw_of_one_of_them() {
    let (place, server) = started().await;
    let activity = |number: usize| {
        if number.is_multiple_of(2) {
            DEMO_ACTIVITY
        } else {
            OTHER_ACTIVITY
        }
    };
    let draws = (0..64)
        .map(|number| Request::draw("u", activity(number), "k"))
        .collect();
    let answers = ask_all(server.listen, draws, 64).await;
    let made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.code == "0000")
        .collect();
    let reused = answers
        .iter()
        .filter(|answer| answer.code == "ERR_REQ_003" && answer.status == 422)
        .count();
    assert_eq!((made.len(), reused), (32, 32));
    assert!(made.iter().all(|answer| answer.body == made[0].body));
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn a_draw_is_found_by_its_key_and_by_its_order() {
    let (_place, server) = started().await;
    let made = draw(&server, "u", DEMO_ACTIVITY, "k")
        .await
        .expect(200, "0000");
    let by_key = server.data(&Request::record("u", "requestId", "k")).await;
    let by_order = server
        .data(&Request::record("u", "orderId", made.order()))
        .await;
    assert_eq!(by_key, by_order);
    let mut rest = by_key.as_object().unwrap().clone();
    for (name, value) in made.data.as_object().unwrap() {
        assert_eq!(rest.remove(name).as_ref(), Some(value), "{name}");
    }
    assert_eq!(rest.remove("activityId"), Some(json!(DEMO_ACTIVITY)));
    assert_eq!(rest.remove("requestId"), Some(json!("k")));
    assert_eq!(rest.remove("state"), Some(json!("created")));
    let created_at = rest.remove("createdAt").unwrap();
    let created_at = created_at.as_str().unwrap();
    assert!(created_at.ends_with("+08:00"), "{created_at}");
    let age = jiff::Timestamp::now().as_second()
        - created_at.parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((0..20).contains(&age), "{created_at} is {age} s ago");
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_draw_of_another_user_or_one_that_was_not_made_is_not_found() {
    let (_place, server) = started().await;
    let made = draw(&server, "u", DEMO_ACTIVITY, "k")
        .await
        .expect(200, "0000");
    let missing = [
        Request::record("u", "requestId", "K"),
        Request::record("U", "requestId", "k"),
        Request::record("U", "orderId", made.order()),
        Request::record("v", "orderId", made.order()),
        Request::record("u", "orderId", "1"),
        Request::record("u", "orderId", "9223372036854775807"),
    ];
    for request in missing {
        server.ask(&request).await.expect(404, "ERR_REQ_002");
    }
    let refused = [
        (
            format!("activity/draw_record?orderId={}", made.order()),
            "userId",
        ),
        ("activity/draw_record?requestId=k".to_owned(), "userId"),
        ("activity/draw_record?userId=u".to_owned(), "requestId"),
        (
            "activity/draw_record?userId=u&orderId=x".to_owned(),
            "orderId",
        ),
        (
            "activity/draw_record?userId=u&requestId=a%20b".to_owned(),
            "requestId",
        ),
        (
            "activity/draw_record?userId=%20u&requestId=k".to_owned(),
            "userId",
        ),
    ];
    for (path, field) in refused {
        let answer = server.ask(&Request::get(&path)).await.expect(400, "0002");
        assert!(answer.info.contains(field), "{path}: {}", answer.info);
    }
}

#[tokio::test]
async fn ids_at_the_ends_of_their_bounds_are_drawn_and_found() {
    let (_place, server) = started().await;
    let users = [
        "1".to_owned(),
        "x".repeat(128),
        "\u{1f3b0}".repeat(128),
        "a b\u{3000}c".to_owned(),
        "\"\\/<&>%+".to_owned(),
    ];
    for user in users {
        let made = draw(&server, &user, DEMO_ACTIVITY, "k")
            .await
            .expect(200, "0000");
        assert_eq!(
            draw(&server, &user, DEMO_ACTIVITY, "k").await.body,
            made.body
        );
        let found = server
            .data(&Request::record(&user, "orderId", made.order()))
            .await;
        assert_eq!(found["requestId"], "k");
        assert_eq!(total_used(&server, &user, DEMO_ACTIVITY).await, 1);
    }
}

#[tokio::test]
async fn numbers_and_strings_are_interchangeable_and_unknown_fields_ignored() {
    let (_place, server) = started().await;
    let first = draw(&server, "12345", DEMO_ACTIVITY, "7")
        .await
        .expect(200, "0000");
    let bodies = [
        json!({"userId": 12345, "activityId": "100301", "requestId": 7}),
        json!({"userId": 12345, "activityId": " 100301 ", "requestId": 7}),
        json!({"userId": "12345", "activityId": 100_301, "requestId": "7", "extra": {"deep": [1, {"userId": "x"}]}}),
        json!({"userId": "12345", "activityId": 100_301, "requestId": "7", "strategyId": null, "": []}),
    ];
    for body in bodies {
        assert_eq!(
            server
                .ask(&Request::json("activity/draw", &body))
                .await
                .body,
            first.body
        );
    }
}

#[tokio::test]
async fn a_proxy_lends_a_key_to_draws_that_have_none() {
    const LENT: &str = "Idempotency-Key-Fallback";
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let lent = |request: Request| request.header(LENT, "lent");
    let keyless = || lent(Request::keyless_draw("u", LOAD_ACTIVITY));
    let first = server.ask(&keyless()).await.expect(200, "0000");
    assert_eq!(first.key(), "lent");
    assert_eq!(
        server.ask(&keyless()).await.body,
        first.body,
        "sent to a second gateway it is one draw"
    );
    // A draw with a key of its own needs none.
    let own = server
        .ask(&lent(Request::draw("u", LOAD_ACTIVITY, "own")))
        .await
        .expect(200, "0000");
    assert_eq!(own.key(), "own");
    let body = json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "in-the-body"});
    let own = server
        .ask(&lent(Request::json("activity/draw", &body)))
        .await
        .expect(200, "0000");
    assert_eq!(own.key(), "in-the-body");
    // Refusals name it too, and what is no key is not lent.
    let refused = server
        .ask(&lent(Request::keyless_draw(" ", LOAD_ACTIVITY)))
        .await
        .expect(400, "0002");
    assert_eq!(refused.key(), "lent");
    let none = Request::keyless_draw("u", LOAD_ACTIVITY).header(LENT, "a b");
    assert_eq!(server.ask(&none).await.expect(200, "0000").key().len(), 32);
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 4);
}
