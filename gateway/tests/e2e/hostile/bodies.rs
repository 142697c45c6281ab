//! Malformed JSON: refused by the envelope, whatever it is, and the server does not stumble.
use super::LARGE_BODIES;
use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Request, Server};

/// No refusal is longer than this, in bytes.
const INFO_BYTES_MAX: usize = 200;

/// Bodies that no endpoint takes.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
    let fields = |fields: &str| {
        format!("{{\"userId\":\"u\",\"activityId\":{LOAD_ACTIVITY},{fields}}}").into_bytes()
    };
    let user =
        |user: &str| format!("{{\"userId\":{user},\"activityId\":{LOAD_ACTIVITY}}}").into_bytes();
    let activity = |activity: &str| {
        format!("{{\"userId\":\"u\",\"activityId\":{activity},\"strategyId\":{activity}}}")
            .into_bytes()
    };
    vec![
        ("an array nested deeply", nested("[", "]").into_bytes()),
        (
            "objects nested deeply and not closed",
            "{\"a\":".repeat(10_000).into_bytes(),
        ),
        ("an activity nested deeply", activity(&nested("[", "]"))),
        ("an activity of objects", activity(&nested("{\"a\":", "}"))),
        (
            "an activity of 20,000 digits",
            activity(&"9".repeat(20_000)),
        ),
        ("an activity with a huge exponent", activity("1e999999999")),
        (
            "an activity with a small exponent",
            activity("1e-999999999"),
        ),
        (
            "an activity above 64 bits",
            activity("18446744073709551617"),
        ),
        ("an activity below zero", activity("-0")),
        ("NaN", activity("NaN")),
        ("an infinite activity", activity("Infinity")),
        (
            "a user of bytes that are no UTF-8",
            b"{\"userId\":\"\xff\xfe\",\"activityId\":200001}".to_vec(),
        ),
        (
            "an overlong encoding",
            b"{\"userId\":\"\xc0\xaf\",\"activityId\":200001}".to_vec(),
        ),
        (
            "an encoded surrogate",
            b"{\"userId\":\"\xed\xa0\x80\",\"activityId\":200001}".to_vec(),
        ),
        (
            "UTF-16",
            [
                &b"\xff\xfe"[..],
                &"{\"userId\":\"u\"}"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<_>>(),
            ]
            .concat(),
        ),
        (
            "two byte order marks",
            [b"\xef\xbb\xbf\xef\xbb\xbf", &*user("\"u\"")].concat(),
        ),
        ("a user twice", fields("\"userId\":\"v\"")),
        (
            "a user twice, once escaped",
            fields("\"user\\u0049d\":\"v\""),
        ),
        ("an activity twice", fields("\"activityId\":100301")),
        ("a zero byte", [&*user("\"u\""), b"\0"].concat()),
        ("a zero byte in a text", user("\"u\0\"")),
        ("an escaped zero byte", user("\"\\u0000\"")),
        ("a high surrogate alone", user("\"\\ud800\"")),
        ("a low surrogate alone", user("\"\\udc00\"")),
        ("surrogates in the wrong order", user("\"\\udc00\\ud800\"")),
        ("half an escape", user("\"\\u00\"")),
        ("a line end in a text", user("\"a\nb\"")),
        ("a text without an end", b"{\"userId\":\"u".to_vec()),
        (
            "single quotes",
            b"{'userId':'u','activityId':200001}".to_vec(),
        ),
        ("a comma at the end", fields("")),
        ("a comment", fields("/* */\"x\":1")),
        ("two objects", [user("\"u\""), user("\"v\"")].concat()),
        ("60,000 zero bytes", vec![0; 60_000]),
        ("60,000 braces", b"{".repeat(60_000)),
        ("60,000 quotes", [&b"{"[..], &b"\"".repeat(60_000)].concat()),
    ]
}

#[tokio::test]
async fn malformed_bodies_are_refused_shortly_and_nothing_stumbles() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, LARGE_BODIES).await;
    let mut connection = server.connect().await;
    for path in [
        "activity/draw",
        "activity/query_user_activity_account",
        "strategy/random_raffle",
    ] {
        for (case, body) in malformed() {
            let request = Request::post(path, "application/json", body);
            let answer = connection
                .exchange(&request)
                .await
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            let answer = answer.envelope();
            assert_eq!(
                (answer.status, &*answer.code),
                (400, "0002"),
                "{path}, {case}: {}",
                answer.body
            );
            assert!(
                answer.info.len() < INFO_BYTES_MAX,
                "{path}, {case}: {}",
                answer.body
            );
        }
    }
    // What is not asked for may be anything that is JSON.
    let odd = format!(
        "{{\"x\":{}{},\"y\":\"\\ud800\",\"z\":1e999999,\"userId\":\"u\",\"activityId\":{LOAD_ACTIVITY}}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let odd =
        Request::post("activity/draw", "application/json", odd).header("Idempotency-Key", "odd");
    connection
        .exchange(&odd)
        .await
        .expect("an answer")
        .envelope()
        .expect(200, "0000");
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn malformed_forms_are_refused_and_nothing_stumbles() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, LARGE_BODIES).await;
    let mut connection: Connection = server.connect().await;
    for form in [
        "userId=%".to_owned(),
        "userId=%f".to_owned(),
        "userId=%ff%fe&requestId=k".to_owned(),
        "userId=%00&requestId=k".to_owned(),
        "userId=u&requestId=%0d%0aX".to_owned(),
        "userId=u&orderId=99999999999999999999".to_owned(),
        "&=&&==&".repeat(5_000),
        format!("userId=u&orderId={}", "9".repeat(50_000)),
        format!("userId={}&requestId=k", "%20".repeat(20_000)),
        "userId=u&".repeat(6_000),
    ] {
        let shown: String = form.chars().take(40).collect();
        for request in [
            Request::form("activity/draw_record", &form),
            Request::get(&format!(
                "activity/draw_record?{}",
                form.chars().take(8_000).collect::<String>()
            )),
        ] {
            let answer = connection
                .exchange(&request)
                .await
                .unwrap_or_else(|error| panic!("{shown}: {error}"));
            let answer = answer.envelope();
            // There are no draws, so a form that is well-formed after all finds nothing.
            assert!(
                [(400, "0002"), (404, "ERR_REQ_002")].contains(&(answer.status, &*answer.code)),
                "{shown}: {answer:?}"
            );
            assert!(
                answer.info.len() < INFO_BYTES_MAX,
                "{shown}: {}",
                answer.body
            );
        }
    }
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    server.stop().await;
}
