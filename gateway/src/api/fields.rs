//! What a request says: JSON bodies and query or form parameters, bound as Spring binds them.
//!
//! A number may be written as a text and the reverse, and a whole one with a fraction of zero or an
//! exponent; unknown fields and a byte order mark are ignored, `null` is absent; all else is refused
//! with the name of the field.
use std::borrow::Cow;
use std::str::FromStr;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use market::{ActivityId, DrawCount, OrderId, RequestId, StrategyId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::Failure;
use crate::identity::Caller;

/// What may stand in front of a body and says nothing.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// No number that we know is longer: an exponent must not make it so.
const DIGITS_MAX: usize = 32;

/// The fields of a JSON body that any endpoint asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields<'a> {
    #[serde(rename = "userId", borrow)]
    user: Option<&'a RawValue>,
    #[serde(rename = "activityId", borrow)]
    activity: Option<&'a RawValue>,
    #[serde(rename = "strategyId", borrow)]
    strategy: Option<&'a RawValue>,
    #[serde(rename = "requestId", borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    count: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Reads a JSON object.
    pub fn parse(body: &'a [u8]) -> Result<Self, Failure> {
        let text = std::str::from_utf8(body).map_err(|_| Failure::field("body", "must be UTF-8"))?;
        // Some editors and libraries of Windows put one in front.
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        // The reader would take an array for an object, field by field.
        if !text.trim_start().starts_with('{') {
            return Err(Failure::field("body", "must be a JSON object"));
        }
        serde_json::from_str(text).map_err(|error| Failure::field("body", format!("is not valid JSON: {error}")))
    }

    /// `userId`, which must be the caller's; who is known may leave it out.
    pub fn user(&self, caller: &Caller) -> Result<UserId, Failure> {
        caller.user(optional(self.user, "userId", UserId::new)?)
    }

    /// `activityId`, required.
    pub fn activity(&self) -> Result<ActivityId, Failure> {
        number(self.activity, "activityId")?.ok_or_else(|| Failure::field("activityId", "is missing"))
    }

    /// `strategyId`, required.
    pub fn strategy(&self) -> Result<StrategyId, Failure> {
        number(self.strategy, "strategyId")?.ok_or_else(|| Failure::field("strategyId", "is missing"))
    }

    /// `requestId`, optional.
    pub fn request(&self) -> Result<Option<RequestId>, Failure> {
        optional(self.request, "requestId", RequestId::new)
    }

    /// `count`, optional.
    pub fn count(&self) -> Result<Option<DrawCount>, Failure> {
        number(self.count, "count")
    }
}

/// Reads a number as the reference's readers do: white space around it does not matter.
pub fn trimmed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.trim().parse()
}

/// A whole number. Written as a number it may have a fraction of zero or an exponent.
fn number<T: FromStr<Err: std::fmt::Display>>(raw: Option<&RawValue>, name: &str) -> Result<Option<T>, Failure> {
    let spelled =
        raw.map(RawValue::get).filter(|json| json.starts_with(|first: char| first == '-' || first.is_ascii_digit()));
    if let Some(digits) = spelled.and_then(whole) {
        return digits.parse().map(Some).map_err(|error| Failure::field(name, error));
    }
    optional(raw, name, trimmed)
}

/// The digits of a JSON number with a fraction or an exponent that is a whole one all the same.
fn whole(json: &str) -> Option<String> {
    let (mantissa, exponent) = json.split_once(['e', 'E']).unwrap_or((json, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    // Digits that stand behind the point when the exponent has moved it.
    let zeros = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let digits = format!("{integer}{fraction}");
    match usize::try_from(zeros) {
        Ok(zeros) if digits.len() + zeros <= DIGITS_MAX => Some(digits + &"0".repeat(zeros)),
        Ok(_) => None,
        Err(_) => {
            let (kept, cut) = digits.split_at_checked(digits.len().checked_sub(zeros.unsigned_abs() as usize)?)?;
            (cut.bytes().all(|digit| digit == b'0') && kept.ends_with(|last: char| last.is_ascii_digit()))
                .then(|| kept.to_owned())
        }
    }
}

fn optional<T, E: std::fmt::Display>(
    raw: Option<&RawValue>,
    name: &str,
    make: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Failure> {
    let Some(raw) = raw else { return Ok(None) };
    let text = scalar(raw.get()).ok_or_else(|| Failure::field(name, "must be a text or a number"))?;
    make(&text).map(Some).map_err(|error| Failure::field(name, error))
}

/// The text of a JSON string, or a number as it is spelled.
fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        // Lent, unless something in it is escaped.
        b'"' => {
            serde_json::from_str(json).map(Cow::Borrowed).or_else(|_| serde_json::from_str(json).map(Cow::Owned)).ok()
        }
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// Query and form parameters.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query string, and after it a form body.
    pub fn parse(query: Option<&str>, form: &[u8]) -> Self {
        let query = query.unwrap_or_default().as_bytes();
        let pairs = |text| form_urlencoded::parse(text).into_owned();
        Self(pairs(query).chain(pairs(form)).collect())
    }

    /// The first value of a parameter; an empty one counts as absent, as in the reference.
    fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that may be absent.
    pub fn optional<T, E: std::fmt::Display>(
        &self,
        name: &str,
        make: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.find(name) else { return Ok(None) };
        // What was not UTF-8 has become this; it must not name some other user.
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Failure::field(name, "must be UTF-8"));
        }
        make(text).map(Some).map_err(|error| Failure::field(name, error))
    }

    /// A parameter that must be there.
    pub fn required<T, E: std::fmt::Display>(
        &self,
        name: &str,
        make: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Failure> {
        self.optional(name, make)?.ok_or_else(|| Failure::field(name, "is missing"))
    }

    /// `userId`, which must be the caller's; who is known may leave it out.
    pub fn user(&self, caller: &Caller) -> Result<UserId, Failure> {
        caller.user(self.optional("userId", UserId::new)?)
    }

    /// `orderId`, optional.
    pub fn order(&self) -> Result<Option<OrderId>, Failure> {
        self.optional("orderId", trimmed)
    }
}

/// The key in the header `Idempotency-Key`, if there is one.
pub fn header_key(headers: &HeaderMap) -> Result<Option<RequestId>, Failure> {
    const NAME: &str = "Idempotency-Key";
    const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.any(|other| other != value) {
        return Err(Failure::field(NAME, "stands twice with different values"));
    }
    let text = value.to_str().map_err(|_| Failure::field(NAME, "must be 1 to 64 visible ASCII characters"))?;
    RequestId::new(text).map(Some).map_err(|error| Failure::field(NAME, error))
}

/// The key that a proxy lends to a draw which has none: when it sends the draw to a second gateway,
/// both make the same one. Who sends it could as well send a key.
pub fn lent_key(headers: &HeaderMap) -> Option<RequestId> {
    const HEADER: HeaderName = HeaderName::from_static("idempotency-key-fallback");
    let text = headers.get(HEADER)?.to_str().ok()?;
    RequestId::new(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        result.expect_err("a failure").info.into_owned()
    }

    #[test]
    fn numbers_and_texts_are_interchangeable() {
        for body in [r#"{"userId":"7","activityId":100301}"#, r#"{"userId":7,"activityId":"100301"}"#] {
            let fields = Fields::parse(body.as_bytes()).expect("JSON");
            assert_eq!(fields.user(&Caller::Anyone).expect("a user").as_str(), "7");
            assert_eq!(fields.activity().expect("an activity").get(), 100_301);
        }
        let long = Fields::parse(br#"{"userId":123456789012345678901234567890}"#).expect("JSON");
        assert_eq!(long.user(&Caller::Anyone).expect("a user").as_str(), "123456789012345678901234567890");
    }

    #[test]
    fn each_fault_names_its_field() {
        for (body, expected) in [
            ("{}", "userId: is missing"),
            (r#"{"userId":null}"#, "userId: is missing"),
            (r#"{"userId":true}"#, "userId: must be a text or a number"),
            (r#"{"userId":["u"]}"#, "userId: must be a text or a number"),
            (r#"{"userId":""}"#, "userId: must not be empty"),
            (r#"{"userId":" u"}"#, "userId: must not begin or end with white space"),
            (r#"{"userId":"a\u0000"}"#, "userId: must not contain control characters"),
            (r#"{"userId":"\ud800"}"#, "userId: must be a text or a number"),
        ] {
            assert_eq!(info(Fields::parse(body.as_bytes()).expect(body).user(&Caller::Anyone)), expected, "{body}");
        }
        for number in [
            "0",
            "-1",
            "1.5",
            "1.5e0",
            "15e-1",
            "-1e3",
            "0.0",
            "1e99",
            "1e-99",
            "1e99999999999",
            "\"1e3\"",
            "\"x\"",
            "9223372036854775808",
            "9223372036854775808.0",
            "9.3E18",
        ] {
            let body = format!(r#"{{"activityId":{number}}}"#);
            let fields = Fields::parse(body.as_bytes()).expect("JSON");
            assert!(info(fields.activity()).starts_with("activityId: expected a whole number"), "{number}");
        }
    }

    #[test]
    fn whole_numbers_may_have_a_point_or_an_exponent() {
        for spelled in ["200001.0", "200001.000", "2.00001E5", "2.00001e+5", "2000010e-1", "200001e0", "20000100E-2"] {
            let body = format!(r#"{{"activityId":{spelled}}}"#);
            assert_eq!(Fields::parse(body.as_bytes()).expect("JSON").activity().expect(spelled).get(), 200_001);
        }
        let large = Fields::parse(br#"{"activityId":9223372036854775807.0}"#).expect("JSON");
        assert_eq!(large.activity().expect("no digit is lost").get(), i64::MAX as u64);
        let user = Fields::parse(br#"{"userId":7.0}"#).expect("JSON").user(&Caller::Anyone);
        assert_eq!(user.expect("a user").as_str(), "7.0", "what is no number for us stays as it is spelled");
    }

    #[test]
    fn a_byte_order_mark_in_front_says_nothing() {
        let fields = Fields::parse("\u{feff}{\"activityId\":7}".as_bytes()).expect("JSON");
        assert_eq!(fields.activity().expect("an activity").get(), 7);
        for body in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}"] {
            assert!(info(Fields::parse(body.as_bytes())).starts_with("body: "), "{body}");
        }
    }

    #[test]
    fn counts_are_from_one_to_ten() {
        let count = |value: &str| {
            let body = format!(r#"{{"count":{value}}}"#);
            Fields::parse(body.as_bytes()).expect("JSON").count()
        };
        assert_eq!(count("null"), Ok(None));
        for ten in ["10", "\"10\"", "\" 10 \"", "10.0", "1e1", "1.0E+1", "0.1e2", "100e-1"] {
            assert_eq!(count(ten).map(|count| count.map(DrawCount::get)), Ok(Some(10)), "{ten}");
        }
        for bad in ["0", "11", "-1", "1.5", "1e2", "\"10.0\"", "\"\"", "\"ten\"", "99999999999999999999"] {
            assert_eq!(info(count(bad)), "count: expected a whole number from 1 to 10", "{bad}");
        }
        assert_eq!(info(count("true")), "count: must be a text or a number");
    }

    #[test]
    fn bodies_that_are_no_object_are_refused() {
        for body in ["", "null", "[\"u\",1]", "\"u\"", "{", "{\"userId\":}", "not JSON", "{} {}"] {
            assert!(info(Fields::parse(body.as_bytes())).starts_with("body: "), "{body}");
        }
        assert_eq!(info(Fields::parse(b"{\"userId\":\"\xff\"}")), "body: must be UTF-8");
    }

    #[test]
    fn parameters_come_from_query_and_form() {
        let parameters = Parameters::parse(Some("userId=a%20b&x=1"), b"orderId=7&userId=late");
        assert_eq!(parameters.user(&Caller::Anyone).expect("a user").as_str(), "a b");
        assert_eq!(parameters.order().expect("an order").map(OrderId::get), Some(7));
        assert_eq!(info(Parameters::parse(Some("userId="), b"").user(&Caller::Anyone)), "userId: is missing");
        assert_eq!(info(Parameters::parse(Some("userId=%FF"), b"").user(&Caller::Anyone)), "userId: must be UTF-8");
    }

    #[test]
    fn keys_in_the_header_are_checked() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("idempotency-key", value.parse().expect("a header value"));
            }
            headers
        };
        assert_eq!(header_key(&headers(&[])), Ok(None));
        assert_eq!(header_key(&headers(&["k", "k"])).map(|key| key.is_some()), Ok(true));
        for bad in [&["k", "K"][..], &[""], &["a b"], &["ú"], &[&"k".repeat(65)]] {
            assert!(info(header_key(&headers(bad))).starts_with("Idempotency-Key: "), "{bad:?}");
        }
    }

    #[test]
    fn a_lent_key_is_a_key_or_none() {
        let lent = |value: &str| {
            let headers = [(HeaderName::from_static("idempotency-key-fallback"), value.parse().expect("a value"))];
            lent_key(&headers.into_iter().collect())
        };
        assert_eq!(lent("k").as_ref().map(RequestId::as_str), Some("k"));
        for none in ["", "a b", &"k".repeat(65)] {
            assert_eq!(lent(none), None, "{none}");
        }
        assert_eq!(lent_key(&HeaderMap::new()), None);
    }
}
