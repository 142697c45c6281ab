//! Applications that report what users did: signed right, signed wrong, and again.
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::shop::{
    KEY, campaign, is_signed_in, points, report, sign_in, signed, signed_at,
};
use crate::support::{Place, Request, Server, away_from_midnight, text_of};

const ACTIVITY: u64 = 200_052;
const OLD_KEY: &str = "an old key of the shop, also long enough";
const TOKEN: &str = "a token of the old shop";

/// A server that knows two applications.
async fn started() -> (Place, Server) {
    let place = Place::with_campaigns(&[&campaign(ACTIVITY)]).await;
    let server = Server::start_with(&place, &config(&place)).await;
    (place, server)
}

fn config(place: &Place) -> String {
    let (new, old) = (place.file("new.key", KEY), place.file("old.key", OLD_KEY));
    let token = place.file("token", format!("{TOKEN}\n"));
    format!(
        "[[app]]\nid = \"shop\"\nkey_files = [{new:?}, {old:?}]\n\
         [[app]]\nid = \"old-shop\"\ntoken_file = {token:?}\n"
    )
}

#[tokio::test]
async fn a_behaviour_is_rewarded_once_however_often_it_is_reported() {
    let (place, server) = started().await;
    let paid = report("u", "openai_pay", "order-1");
    let first = server.ask(&signed(&paid)).await;
    let first = first.expect(200, "0000");
    assert_eq!((&first.data, &first.request), (&json!(true), &None));
    assert_eq!(server.data(&points("u")).await, json!(1.5));
    // Under another key, and signed with the old one: user, behaviour and number decide.
    for again in [
        signed(&paid).header("Idempotency-Key", "k"),
        signed(&paid).header("Idempotency-Key", "l"),
        signed_at(&paid, OLD_KEY, Timestamp::now().as_second() - 200),
    ] {
        assert_eq!(server.ask(&again).await.body, first.body);
    }
    assert_eq!(server.data(&points("u")).await, json!(1.5));
    for (user, number) in [("u", "order-2"), ("v", "order-1")] {
        let other = report(user, "openai_pay", number);
        server.ask(&signed(&other)).await.expect(200, "0000");
    }
    assert_eq!(server.data(&points("u")).await, json!(3.0));
    assert_eq!(server.data(&points("v")).await, json!(1.5));
    // A draw under any key that can be named is another call.
    let draw = Request::draw("u", ACTIVITY, "order-1");
    server.ask(&draw).await.expect(200, "0000");
    place.audited().await;
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_is_not_signed_right_is_refused_by_its_cause() {
    let (place, server) = started().await;
    let paid = report("u", "openai_pay", "order-1");
    let now = Timestamp::now().as_second();
    let stranger = json!({"appId": "nobody", "data": paid["data"]});
    let unsigned = |report: &Value| Request::json("rebate/rebate", report);
    let foreign = signed_at(&paid, "another key of more than thirty-two bytes", now);
    for (request, status, code) in [
        (unsigned(&paid), 401, "ERR_ID_001"),
        (unsigned(&stranger), 401, "ERR_ID_007"),
        (foreign, 401, "ERR_ID_009"),
        (signed_at(&paid, KEY, now - 400), 401, "ERR_ID_008"),
        (signed_at(&paid, KEY, now + 400), 401, "ERR_ID_008"),
        (
            signed(&paid).with_body(stranger.to_string()),
            401,
            "ERR_ID_009",
        ),
        (signed(&paid).with_body("no JSON"), 401, "ERR_ID_009"),
        (signed(&stranger), 400, "0002"),
        (
            unsigned(&paid).header("X-App-Id", "shop"),
            401,
            "ERR_ID_001",
        ),
    ] {
        let response = server.send(&request).await;
        let answer = response.envelope().expect(status, code);
        assert_eq!(response.header("WWW-Authenticate").is_some(), status == 401);
        assert!(!answer.body.contains("requestId"), "{}", answer.body);
    }
    // A parameter beside the signed body is none.
    let beside = Request::post(
        "rebate/rebate?userId=u&behaviorType=openai_pay&outBusinessNo=1",
        "application/json",
        json!({"appId": "old-shop", "appToken": TOKEN}).to_string(),
    );
    let answer = server.ask(&beside).await;
    assert!(answer.expect(400, "0002").info.contains("userId"));
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    place.audited().await;
    server.stop().await;
}

#[tokio::test]
async fn a_report_waits_for_each_activity_that_is_switched_off() {
    const OTHER: u64 = 200_053;
    away_from_midnight().await;
    let other = (campaign(OTHER).replace("9001", "9101"))
        .replace("9002", "9102")
        .replace("9003", "9103");
    let place = Place::with_campaigns(&[&campaign(ACTIVITY), &other]).await;
    let server = Server::start_with(&place, &config(&place)).await;
    let activity = OTHER.to_string();
    let of_other = ["--activity", activity.as_str()];
    let paid = signed(&report("u", "openai_pay", "order-1"));
    for (setting, code) in [
        (["rewards", "off"], "0004"),
        (["read_only", "on"], "ERR_GW_008"),
    ] {
        let set = [&["set"], &setting[..], &of_other].concat();
        server.switch(&place, &set).await;
        server.ask(&paid).await.expect(503, code);
        let clear = [&["clear", setting[0]], &of_other[..]].concat();
        server.switch(&place, &clear).await;
    }
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    server.ask(&paid).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(3.0), "in both");

    // A sign-in leaves out what is read-only, and the user signs in there later.
    let set = [&["set", "read_only", "on"], &of_other[..]].concat();
    server.switch(&place, &set).await;
    let named = json!({"userId": "u", "activityId": OTHER});
    let named = Request::json("activity/calendar_sign_rebate", &named);
    server.ask(&named).await.expect(503, "ERR_GW_008");
    server.ask(&sign_in("u", "day")).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(13.0));
    assert_eq!(server.data(&is_signed_in("u")).await, json!(true));
    let clear = [&["clear", "read_only"], &of_other[..]].concat();
    server.switch(&place, &clear).await;
    assert_eq!(server.data(&is_signed_in("u")).await, json!(false));
    server.ask(&sign_in("u", "day-2")).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(23.0));
    place.audited().await;
    server.stop().await;
}

#[tokio::test]
async fn bad_reports_are_named_and_can_be_sent_again() {
    let (_place, server) = started().await;
    let cases = [
        (report("", "openai_pay", "1"), 400, "0002", "userId"),
        (report("u\u{0}", "openai_pay", "1"), 400, "0002", "userId"),
        (report("u", "sign", "1"), 400, "0002", "behaviorType"),
        (report("u", "", "1"), 400, "0002", "behaviorType"),
        (
            report("u", &"b".repeat(17), "1"),
            400,
            "0002",
            "behaviorType",
        ),
        (report("u", "openai_pay", ""), 400, "0002", "outBusinessNo"),
        (
            report("u", "openai_pay", " 1"),
            400,
            "0002",
            "outBusinessNo",
        ),
        (
            report("u", "openai_pay", "1\n"),
            400,
            "0002",
            "outBusinessNo",
        ),
        (
            report("u", "openai_pay", "a\tb"),
            400,
            "0002",
            "outBusinessNo",
        ),
        (
            report("u", "openai_pay", &"1".repeat(129)),
            400,
            "0002",
            "outBusinessNo",
        ),
        (report("u", "unheard_of", "1"), 409, "0003", ""),
        (json!({"appId": "shop"}), 400, "0002", "userId"),
        (json!({"appId": "shop", "data": []}), 400, "0002", "data"),
        (json!({"appId": "shop", "data": "x"}), 400, "0002", "data"),
        (json!({"data": {}}), 400, "0002", "appId"),
    ];
    for (report, status, code, field) in cases {
        let answer = server.ask(&signed(&report)).await;
        let answer = answer.expect(status, code);
        assert!(answer.info.contains(field), "{report}: {}", answer.info);
    }
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    let longest = report("u", "openai_pay", &"漢".repeat(128));
    server.ask(&signed(&longest)).await.expect(200, "0000");
    server.stop().await;
}

#[tokio::test]
async fn a_token_is_enough_for_one_and_keys_change_while_the_server_runs() {
    let (place, server) = started().await;
    let with_token = |app: &str, token: Value, number: &str| {
        let mut body = report("u", "openai_pay", number);
        (body["appId"], body["appToken"]) = (app.into(), token);
        Request::json("rebate/rebate", &body)
    };
    server
        .ask(&with_token("old-shop", TOKEN.into(), "1"))
        .await
        .expect(200, "0000");
    for (request, code) in [
        (with_token("old-shop", "wrong".into(), "2"), "0008"),
        (with_token("old-shop", Value::Null, "2"), "0008"),
        (with_token("shop", TOKEN.into(), "2"), "ERR_ID_001"),
    ] {
        server.ask(&request).await.expect(401, code);
    }
    assert_eq!(server.data(&points("u")).await, json!(1.5));

    // The old key is taken out, and the old shop: all applications must sign now.
    let new = text_of(&place.path("new.key"));
    place.file(
        "config.toml",
        format!("[[app]]\nid = \"shop\"\nkey_files = [{new:?}]\n"),
    );
    let (admin, token) = (
        format!("http://{}", server.admin),
        text_of(&place.data().join("admin-token")),
    );
    let words = [
        "reload",
        "--reason",
        "a test",
        "--admin",
        &admin,
        "--token-file",
        &token,
    ];
    place.run(&words).await.ok();
    let paid = report("u", "openai_pay", "3");
    let now = Timestamp::now().as_second();
    server
        .ask(&signed_at(&paid, OLD_KEY, now))
        .await
        .expect(401, "ERR_ID_009");
    server
        .ask(&with_token("old-shop", TOKEN.into(), "4"))
        .await
        .expect(401, "ERR_ID_001");
    server.ask(&signed(&paid)).await.expect(200, "0000");

    // The switch for rewards.
    let words = ["switch", "set", "rewards", "off", "--reason", "a test"];
    let at = ["--admin", &admin, "--token-file", &token];
    place.run(&[&words[..], &at].concat()).await.ok();
    let paid = report("u", "openai_pay", "5");
    server.ask(&signed(&paid)).await.expect(503, "0004");
    let words = ["switch", "clear", "rewards", "--reason", "a test"];
    place.run(&[&words[..], &at].concat()).await.ok();
    server.ask(&signed(&paid)).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(4.5));
    let log = server.stderr();
    for secret in [KEY, OLD_KEY, TOKEN, "order-", "order_"] {
        assert!(!log.contains(secret), "{log}");
    }
    server.stop().await;
}

/// What is for applications is not used up by those who only say that they are one.
#[tokio::test]
async fn strangers_use_up_nothing_of_what_is_for_applications() {
    let place = Place::with_campaigns(&[&campaign(ACTIVITY)]).await;
    let key = place.file("shop.key", KEY);
    let config = format!(
        "[[app]]\nid = \"shop\"\nkey_files = [{key:?}]\n\
         [limits.route.reward]\nper_second = 0.001\nburst = 2\n"
    );
    let server = Server::start_with(&place, &config).await;
    let paid = |number: &str| report("u", "openai_pay", number);
    let now = Timestamp::now().as_second();
    let forged = || signed_at(&paid("1"), "another key of more than thirty-two bytes", now);
    let unsigned = || Request::json("rebate/rebate", &paid("1"));
    for _ in 0..10 {
        server.ask(&forged()).await.expect(401, "ERR_ID_009");
        server.ask(&unsigned()).await.expect(401, "ERR_ID_001");
    }
    // Where nobody has a token, no body is waited for: this one never comes.
    let head = "POST /api/v1/raffle/rebate/rebate HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\n";
    let of_nobody = format!(
        "X-App-Id: nobody\r\nX-Timestamp: {now}\r\nX-Nonce: n\r\nX-Signature: {}\r\n",
        "0".repeat(64)
    );
    for (more, code) in [("", "ERR_ID_001"), (of_nobody.as_str(), "ERR_ID_007")] {
        let mut connection = server.connect().await;
        let bytes = format!("{head}{more}\r\n");
        connection.send(bytes.as_bytes()).await.expect("sent");
        let answer = connection.receive().await.expect("an answer at once");
        answer.envelope().expect(401, code);
        assert_eq!(answer.header("Connection"), Some("close"));
    }
    for number in ["1", "2"] {
        let reported = server.ask(&signed(&paid(number))).await;
        reported.expect(200, "0000");
    }
    let limited = server.ask(&signed(&paid("3"))).await;
    assert!(limited.expect(429, "ERR_GW_011").retry_after_s.is_some());
    server.ask(&forged()).await.expect(401, "ERR_ID_009");
    assert_eq!(server.data(&points("u")).await, json!(3.0));
    server.stop().await;
}
