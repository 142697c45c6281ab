//! What must hold of anything that callers send: the decoder of requests ends without a panic,
//! what it lets through is what the documents say, and what it refuses gets a short reason.
//!
//! Two attackers try to break them: the property tests below, and the fuzz target
//! `fuzz/fuzz_targets/decoder.rs`.
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Uri};
use market::{RequestId, UserId};
use serde_json::Value;

use super::content::Content;
use super::fields::{BYTE_ORDER_MARK, FieldName, Fields};
use super::key::header_key;
use super::route::About;
use super::table::call_at;
use crate::answer::{Code, Endpoint, Failure};
use crate::identity::Caller;

/// No detail of a refusal is longer: callers must not choose how much we answer.
const DETAIL_BYTES_MAX: usize = 160;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The parts of a request that the decoder reads, as they came.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The target of the request line.
    pub target: &'a [u8],
    /// The values of all headers `Idempotency-Key`, with a zero byte between them.
    pub keys: &'a [u8],
    /// The header `Content-Type`.
    pub content_type: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Said<'a> {
    /// Cuts bytes at their first three line ends.
    pub fn cut(bytes: &'a [u8]) -> Self {
        let mut parts = bytes.splitn(4, |&byte| byte == b'\n');
        let mut next = || parts.next().unwrap_or_default();
        Self {
            target: next(),
            keys: next(),
            content_type: next(),
            body: next(),
        }
    }

    /// Reads all of it as the endpoints do.
    ///
    /// # Panics
    /// Where a rule is broken.
    pub fn check(self) {
        let headers = self.headers();
        check_key(&headers);
        let Ok(target) = Uri::try_from(self.target) else {
            return;
        };
        check_path(target.path());
        check_object(self.body);
        check_pairs(target.query(), self.body);
        let (mut head, ()) = Request::new(()).into_parts();
        (head.method, head.headers) = (Method::POST, headers);
        match Content::of(&head, self.body) {
            Ok(content) => check_fields(target.query(), content),
            Err(failure) => assert_eq!(failure.code, Code::MediaTypeUnsupported),
        }
    }

    /// What HTTP lets through of the headers.
    fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let keys = self.keys.split(|&byte| byte == 0).map(|value| (KEY, value));
        for (name, value) in keys.chain([(CONTENT_TYPE, self.content_type)]) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        headers
    }
}

/// What was let through. A refusal must be a plain one.
fn passed<T>(read: Result<T, Failure>) -> Option<T> {
    read.map_err(|failure| {
        assert_eq!(failure.code, Code::IllegalParameter);
        let detail = failure.detail.as_deref().unwrap_or_default();
        assert!(detail.contains(": "), "it names no field: {detail}");
        assert!(
            detail.len() <= DETAIL_BYTES_MAX,
            "{} bytes: {detail}",
            detail.len()
        );
    })
    .ok()
}

fn check_key(headers: &HeaderMap) {
    let said: Vec<&[u8]> = headers
        .get_all(KEY)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    match passed(header_key(headers)) {
        Some(Some(key)) => {
            assert_request(&key);
            assert_eq!(said, [key.as_str().as_bytes()]);
        }
        Some(None) => assert!(matches!(*said, [] | [b""]), "{said:?} is no key at all"),
        None => {}
    }
}

fn check_path(path: &str) {
    let call = call_at(path);
    if [Endpoint::Page, Endpoint::Unknown].contains(&call.route.endpoint) {
        return assert_eq!(call.route.endpoint == Endpoint::Page, path == "/");
    }
    assert!(path.starts_with("/api/v1/raffle/"), "{path}");
    assert_eq!(
        call.by_token,
        path.trim_end_matches('/').ends_with("_by_token"),
        "{path}"
    );
    assert!(
        !call.by_token || call.route.about == About::User,
        "{path} is about no user"
    );
}

fn check_object(body: &[u8]) {
    let Some(fields) = passed(Fields::read(&FieldName::ALL, None, Content::Json(body))) else {
        return;
    };
    // Another reader of the same bytes. It gives up on what is nested deeply, and of two values
    // takes the second.
    let mark = BYTE_ORDER_MARK.encode_utf8(&mut [0; 4]).len();
    let unmarked = if body.starts_with(BYTE_ORDER_MARK.to_string().as_bytes()) {
        &body[mark..]
    } else {
        body
    };
    let value = serde_json::from_slice::<Value>(unmarked).ok();
    let said = |name: &str| {
        value
            .as_ref()
            .map(|value| &value[name])
            .filter(|said| !said.is_null())
    };
    if let Some(user) = passed(fields.user(&Caller::Anyone)) {
        assert_user(&user);
        assert!(
            said("userId").is_none_or(|said| said.is_number() || said == user.as_str()),
            "{user:?}"
        );
    }
    if let Some(request) = passed(fields.request()).flatten() {
        assert_request(&request);
        assert!(
            said("requestId").is_none_or(|said| said.is_number() || said == request.as_str()),
            "{request:?}"
        );
    }
    if let Some(activity) = passed(fields.activity()) {
        assert_number(activity.get(), said("activityId"));
    }
    if let Some(strategy) = passed(fields.strategy()) {
        assert_number(strategy.get(), said("strategyId"));
    }
    if let Some(number) = passed(fields.business_number()) {
        let text = number.as_str();
        assert!((1..=128).contains(&text.chars().count()), "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert_eq!(text.trim(), text);
    }
    if let Some(sku) = passed(fields.sku()) {
        assert!((1..=i64::MAX as u64).contains(&sku.get()), "{sku}");
    }
    if let Some(count) = passed(fields.count()).flatten() {
        assert!((1..=10).contains(&count.get()), "{count:?}");
        assert_number(count.get().into(), said("count"));
    }
}

fn check_pairs(query: Option<&str>, form: &[u8]) {
    check_fields(query, Content::Form(form));
}

fn check_fields(query: Option<&str>, content: Content<'_>) {
    let Some(fields) = passed(Fields::read(&FieldName::ALL, query, content)) else {
        return;
    };
    if let Some(user) = passed(fields.user(&Caller::Anyone)) {
        assert_user(&user);
    }
    if let Some(request) = passed(fields.request()).flatten() {
        assert_request(&request);
    }
    if let Some(order) = passed(fields.order()).flatten() {
        assert_number(order.get(), None);
    }
    if let Some(strategy) = passed(fields.strategy()) {
        assert_number(strategy.get(), None);
    }
}

/// Checks a user id against the rules, and that it is understood when it is said again.
fn assert_user(user: &UserId) {
    let text = user.as_str();
    assert!((1..=128).contains(&text.chars().count()), "{text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let ends = [text.chars().next(), text.chars().next_back()];
    assert!(
        !ends.iter().flatten().any(|end| end.is_whitespace()),
        "{text:?}"
    );

    let body = serde_json::json!({ "userId": text }).to_string();
    let again = |query, content| {
        Fields::read(&FieldName::ALL, query, content)
            .and_then(|fields| fields.user(&Caller::Anyone))
    };
    assert_eq!(
        again(None, Content::Json(body.as_bytes())).as_ref(),
        Ok(user)
    );
    // In a query this one character stands for what could not be read.
    if !text.contains(char::REPLACEMENT_CHARACTER) {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("userId", text)
            .finish();
        for (query, content) in [
            (Some(&*query), Content::Nothing),
            (None, Content::Form(query.as_bytes())),
            (Some(&*query), Content::Json(body.as_bytes())),
        ] {
            assert_eq!(again(query, content).as_ref(), Ok(user));
        }
    }
}

fn assert_request(request: &RequestId) {
    let text = request.as_str();
    assert!((1..=64).contains(&text.len()), "{text:?}");
    assert!(
        text.bytes().all(|byte| (b'!'..=b'~').contains(&byte)),
        "{text:?}"
    );
}

/// Checks a numeric id against its range, and against what another reader took it for.
fn assert_number(number: u64, said: Option<&Value>) {
    assert!((1..=i64::MAX as u64).contains(&number), "{number}");
    let agrees = |said: &Value| match said {
        Value::String(text) => text.trim().parse() == Ok(number),
        // An integer with a point or an exponent is not exact for the other reader.
        #[expect(clippy::cast_precision_loss, reason = "the other reader's precision")]
        said => {
            said.as_u64() == Some(number) || said.is_f64() && said.as_f64() == Some(number as f64)
        }
    };
    assert!(said.is_none_or(agrees), "{number} of {said:?}");
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Text as callers write it and as attackers do.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z0-9]{1,8}",
            2 => any::<char>().prop_map(String::from),
            1 => Just("\u{0}".to_owned()),
            1 => Just("\u{fffd}".to_owned()),
            1 => Just("\u{3000}".to_owned()),
            1 => Just("x".repeat(127)),
            1 => Just("ú".repeat(64)),
        ];
        vec(piece, 0..4).prop_map(|pieces| pieces.concat())
    }

    /// A value of a field, spelled in JSON, right or wrong.
    fn json_value() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => text().prop_map(|text| Value::from(text).to_string()),
            2 => any::<i128>().prop_map(|number| number.to_string()),
            1 => any::<u64>().prop_map(|number| format!("\" {number}\\t\"")),
            1 => any::<f64>().prop_map(|number| number.to_string()),
            1 => (any::<u32>(), -3_i32..20).prop_map(|(number, zeros)| format!("{number}e{zeros}")),
            1 => (any::<u64>(), 0_usize..40).prop_map(|(number, zeros)| format!("{number}.{}", "0".repeat(zeros + 1))),
            1 => (0_u64..100, "[eE][+-]?[0-9]{1,12}").prop_map(|(number, exponent)| format!("{number}{exponent}")),
            1 => (0_usize..400).prop_map(|depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth))),
            1 => (0_usize..600).prop_map(|digits| "9".repeat(digits)),
            1 => Just(r#""\ud800""#.to_owned()),
            1 => Just(r#""\u0000""#.to_owned()),
            1 => Just("null".to_owned()),
            1 => Just("true".to_owned()),
        ]
    }

    fn name() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("userId"),
            Just("activityId"),
            Just("strategyId"),
            Just("requestId"),
            Just("orderId"),
            Just("count"),
            Just("sku"),
            Just("data"),
            Just("outBusinessNo"),
            Just("user\\u0049d"),
            Just("other"),
        ]
    }

    fn json_body() -> impl Strategy<Value = Vec<u8>> {
        (
            vec((name(), json_value()), 0..6),
            prop_oneof![9 => Just(""), 1 => Just("\u{feff}")],
        )
            .prop_map(|(fields, mark)| {
                let fields: Vec<_> = fields
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{mark}{{{}}}", fields.join(",")).into_bytes()
            })
    }

    fn query() -> impl Strategy<Value = Vec<u8>> {
        let value = prop_oneof![
            3 => text(),
            2 => any::<u64>().prop_map(|number| number.to_string()),
            1 => Just("\u{0}raw".to_owned()),
        ];
        vec((name(), value), 0..5).prop_map(|pairs| {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            // Bytes that are no UTF-8, and an escape that is none.
            query.replace("%00raw", "%ff%zz").into_bytes()
        })
    }

    /// Damages bytes in some places.
    fn damaged(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        (
            bytes,
            vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        )
            .prop_map(|(mut bytes, damages)| {
                for (place, byte) in damages {
                    if !bytes.is_empty() {
                        let place = place.index(bytes.len());
                        bytes[place] = byte;
                    }
                }
                bytes
            })
    }

    fn target() -> impl Strategy<Value = Vec<u8>> {
        let path = prop_oneof![
            Just("/api/v1/raffle/activity/draw"),
            Just("/api/v1/raffle/activity/draw_record_by_token"),
            Just("/api/v1/raffle/strategy_armory_by_token"),
            Just("http://elsewhere/api/v1/raffle/activity/draw"),
            Just("elsewhere:80"),
            Just("*"),
        ];
        (path, query()).prop_map(|(path, query)| [path.as_bytes(), b"?", &query].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn requests_that_are_nearly_right_break_no_rule(
            target in damaged(target()),
            keys in damaged(text().prop_map(String::into_bytes)),
            is_form in any::<bool>(),
            json in damaged(json_body()),
            form in damaged(query()),
        ) {
            let (content_type, body) = if is_form {
                (&b"application/x-www-form-urlencoded"[..], &form)
            } else {
                (&b"application/json"[..], &json)
            };
            Said { target: &target, keys: &keys, content_type, body }.check();
        }

        #[test]
        fn integers_with_a_point_are_read_exactly(number in any::<i64>(), zeros in 1_usize..40) {
            let body = format!("{{\"activityId\":{number}.{}}}", "0".repeat(zeros));
            check_object(body.as_bytes());
        }

        #[test]
        fn noise_breaks_no_rule(bytes in vec(any::<u8>(), 0..300)) {
            Said::cut(&bytes).check();
            check_object(&bytes);
            check_pairs(None, &bytes);
        }

        #[test]
        fn what_the_documents_promise_is_let_through(
            user in "[\\p{Han}a-z0-9]([^\\p{Cc}]{0,126}[^\\p{Cc}\\s])?",
            activity in 1..=i64::MAX,
            request in "[!-~]{1,64}",
        ) {
            let body = serde_json::json!({"userId": user, "activityId": activity, "requestId": request, "x": [{}]});
            let body = body.to_string();
            let fields = Fields::read(&FieldName::ALL, None, Content::Json(body.as_bytes())).expect("an object");
            let found = fields.user(&Caller::Anyone).expect("a user");
            prop_assert_eq!(found.as_str(), user);
            prop_assert_eq!(fields.activity().expect("an activity").get(), activity.unsigned_abs());
            let found = fields.request().expect("a key").expect("it is there");
            prop_assert_eq!(found.as_str(), request);
        }
    }
}
