//! The parameters of a request, bound by one rule on all paths.
//!
//! Each comes from the query, a form or a JSON object, once; or more often with one value. A number
//! may be written as a string and the reverse, and an integer with a fraction of zero or an
//! exponent; unknown parameters and a byte order mark are ignored, `null` is absent, as is an empty
//! one of a query or a form; all else is refused with the name of the parameter.
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use market::{ActivityId, DrawCount, OrderId, RequestId, StrategyId, UserId};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::content::Content;
use crate::answer::Failure;
use crate::identity::Caller;

/// A mark that may stand in front of a body and is ignored.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// No number that we know is longer: an exponent must not make it so.
const DIGITS_MAX: usize = 32;

/// A parameter that some endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The user.
    User,
    /// In which activity.
    Activity,
    /// By which strategy.
    Strategy,
    /// The key of a call.
    Request,
    /// A draw.
    Order,
    /// So many draws.
    Count,
    /// Where an activity is shown.
    Channel,
    /// The source that a viewer comes from.
    Source,
}

impl Name {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Activity,
        Self::Strategy,
        Self::Request,
        Self::Order,
        Self::Count,
        Self::Channel,
        Self::Source,
    ];

    /// As callers write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "userId",
            Self::Activity => "activityId",
            Self::Strategy => "strategyId",
            Self::Request => "requestId",
            Self::Order => "orderId",
            Self::Count => "count",
            Self::Channel => "channel",
            Self::Source => "source",
        }
    }

    fn of(spelled: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == spelled)
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KnownVisitor)
    }
}

/// The name of a JSON field, if it is one of ours.
struct Known(Option<Name>);

struct KnownVisitor;

impl Visitor<'_> for KnownVisitor {
    type Value = Known;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, spelled: &str) -> Result<Known, E> {
        Ok(Known(Name::of(spelled)))
    }
}

/// A value as it came.
#[derive(Debug, Clone)]
enum Value<'a> {
    /// JSON, as it is spelled.
    Json(&'a str),
    /// Of a query or a form; not empty.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The text of a string, or a number as it is spelled.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Json(json) => scalar(json),
            Value::Text(text) => Some(Cow::Borrowed(text)),
        }
    }
}

/// The parameters of a request that its endpoint takes.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    takes: &'static [Name],
    values: [Option<Value<'a>>; Name::ALL.len()],
}

impl<'a> Fields<'a> {
    /// Reads the query, and after it the body.
    pub fn read(
        takes: &'static [Name],
        query: Option<&'a str>,
        content: Content<'a>,
    ) -> Result<Self, Failure> {
        let mut fields = Self {
            takes,
            values: Default::default(),
        };
        fields.add_pairs(query.unwrap_or_default().as_bytes())?;
        match content {
            Content::Nothing => {}
            Content::Form(form) => fields.add_pairs(form)?,
            Content::Json(json) => fields.add_object(json)?,
        }
        Ok(fields)
    }

    fn add_pairs(&mut self, pairs: &'a [u8]) -> Result<(), Failure> {
        for (name, value) in form_urlencoded::parse(pairs) {
            if let Some(name) = Name::of(&name).filter(|_| !value.is_empty()) {
                self.add(name, Value::Text(value))?;
            }
        }
        Ok(())
    }

    fn add_object(&mut self, json: &'a [u8]) -> Result<(), Failure> {
        let text =
            std::str::from_utf8(json).map_err(|_| Failure::field("body", "must be UTF-8"))?;
        // Some editors and libraries of Windows put one in front.
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        // The reader would take an array for an object, field by field.
        if !text.trim_start().starts_with('{') {
            return Err(Failure::field("body", "must be a JSON object"));
        }
        let malformed = |error| Failure::field("body", format!("is not valid JSON: {error}"));
        let mut reader = serde_json::Deserializer::from_str(text);
        let added = reader
            .deserialize_map(ObjectVisitor(self))
            .map_err(malformed)?;
        reader.end().map_err(malformed)?;
        added
    }

    fn add(&mut self, name: Name, value: Value<'a>) -> Result<(), Failure> {
        if !self.takes.contains(&name) {
            return Ok(());
        }
        match &mut self.values[name as usize] {
            Some(first)
                if first
                    .text()
                    .is_none_or(|text| value.text().as_ref() != Some(&text)) =>
            {
                Err(Failure::field(
                    name.as_str(),
                    "comes twice with different values",
                ))
            }
            Some(_) => Ok(()),
            empty @ None => {
                *empty = Some(value);
                Ok(())
            }
        }
    }

    /// `userId`, which must be the caller's; a known caller may leave it out.
    pub fn user(&self, caller: &Caller) -> Result<UserId, Failure> {
        caller.user(self.optional(Name::User, UserId::new)?)
    }

    /// `activityId`, required.
    pub fn activity(&self) -> Result<ActivityId, Failure> {
        required(Name::Activity, self.number(Name::Activity)?)
    }

    /// `activityId`, where it is one and the endpoint takes it.
    pub fn known_activity(&self) -> Option<ActivityId> {
        self.takes
            .contains(&Name::Activity)
            .then(|| self.activity().ok())?
    }

    /// `strategyId`, required.
    pub fn strategy(&self) -> Result<StrategyId, Failure> {
        required(Name::Strategy, self.number(Name::Strategy)?)
    }

    /// `requestId`, optional.
    pub fn request(&self) -> Result<Option<RequestId>, Failure> {
        self.optional(Name::Request, RequestId::new)
    }

    /// `orderId`, optional.
    pub fn order(&self) -> Result<Option<OrderId>, Failure> {
        self.number(Name::Order)
    }

    /// `count`, optional.
    pub fn count(&self) -> Result<Option<DrawCount>, Failure> {
        self.number(Name::Count)
    }

    /// A string, required.
    pub fn text(&self, name: Name) -> Result<String, Failure> {
        required(
            name,
            self.optional(name, |text| Ok::<_, Infallible>(text.to_owned()))?,
        )
    }

    fn value(&self, name: Name) -> Option<&Value<'a>> {
        debug_assert!(
            self.takes.contains(&name),
            "{} is not in the table of endpoints",
            name.as_str()
        );
        self.values[name as usize].as_ref()
    }

    fn optional<T, E: fmt::Display>(
        &self,
        name: Name,
        make: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let fault = |expected: &dyn fmt::Display| Failure::field(name.as_str(), expected);
        // What was not UTF-8 has become this; it must not name some other user.
        if matches!(value, Value::Text(text) if text.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(fault(&"must be UTF-8"));
        }
        let text = value
            .text()
            .ok_or_else(|| fault(&"must be a string or a number"))?;
        make(&text).map(Some).map_err(|error| fault(&error))
    }

    /// An integer. Written as a JSON number it may have a fraction of zero or an exponent.
    fn number<T: FromStr<Err: fmt::Display>>(&self, name: Name) -> Result<Option<T>, Failure> {
        if let Some(Value::Json(json)) = self.value(name)
            && json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
            && let Some(digits) = whole(json)
        {
            return digits
                .parse()
                .map(Some)
                .map_err(|error| Failure::field(name.as_str(), error));
        }
        self.optional(name, trimmed)
    }
}

fn required<T>(name: Name, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::field(name.as_str(), "is missing"))
}

/// Reads the fields of an object. A fault of JSON ends the reading; one of a field does not.
struct ObjectVisitor<'f, 'a>(&'f mut Fields<'a>);

impl<'a> Visitor<'a> for ObjectVisitor<'_, 'a> {
    type Value = Result<(), Failure>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut added = Ok(());
        while let Some(Known(name)) = map.next_key()? {
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let json = map.next_value::<&RawValue>()?.get();
            if json != "null" && added.is_ok() {
                added = self.0.add(name, Value::Json(json));
            }
        }
        Ok(added)
    }
}

/// Reads a number as the reference's readers do: white space around it does not matter.
pub fn trimmed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.trim().parse()
}

/// The digits of a JSON number with a fraction or an exponent that is a whole one all the same.
fn whole(json: &str) -> Option<String> {
    let (mantissa, exponent) = json.split_once(['e', 'E']).unwrap_or((json, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    // Digits that stand behind the point when the exponent has moved it.
    let zeros = exponent
        .parse::<i32>()
        .ok()?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let digits = format!("{integer}{fraction}");
    match usize::try_from(zeros) {
        Ok(zeros) if digits.len() + zeros <= DIGITS_MAX => Some(digits + &"0".repeat(zeros)),
        Ok(_) => None,
        Err(_) => {
            let (kept, cut) = digits
                .split_at_checked(digits.len().checked_sub(zeros.unsigned_abs() as usize)?)?;
            (cut.bytes().all(|digit| digit == b'0')
                && kept.ends_with(|last: char| last.is_ascii_digit()))
            .then(|| kept.to_owned())
        }
    }
}

/// The text of a JSON string, or a number as it is spelled.
fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        // Lent, unless something in it is escaped.
        b'"' => serde_json::from_str(json)
            .map(Cow::Borrowed)
            .or_else(|_| serde_json::from_str(json).map(Cow::Owned))
            .ok(),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a body.
    fn object(json: &[u8]) -> Result<Fields<'_>, Failure> {
        Fields::read(&Name::ALL, None, Content::Json(json))
    }

    fn pairs<'a>(query: &'a str, form: &'a str) -> Result<Fields<'a>, Failure> {
        Fields::read(&Name::ALL, Some(query), Content::Form(form.as_bytes()))
    }

    fn detail<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        result
            .expect_err("a failure")
            .detail
            .expect("a detail")
            .into_owned()
    }

    #[test]
    fn numbers_and_texts_are_interchangeable() {
        for body in [
            r#"{"userId":"7","activityId":100301}"#,
            r#"{"userId":7,"activityId":"100301"}"#,
        ] {
            let fields = object(body.as_bytes()).expect("JSON");
            assert_eq!(fields.user(&Caller::Anyone).expect("a user").as_str(), "7");
            assert_eq!(fields.activity().expect("an activity").get(), 100_301);
        }
        let long = object(br#"{"userId":123456789012345678901234567890}"#).expect("JSON");
        assert_eq!(
            long.user(&Caller::Anyone).expect("a user").as_str(),
            "123456789012345678901234567890"
        );
    }

    #[test]
    fn each_fault_names_its_field() {
        for (body, expected) in [
            ("{}", "userId: is missing"),
            (r#"{"userId":null}"#, "userId: is missing"),
            (r#"{"userId":true}"#, "userId: must be a string or a number"),
            (
                r#"{"userId":["u"]}"#,
                "userId: must be a string or a number",
            ),
            (r#"{"userId":""}"#, "userId: must not be empty"),
            (
                r#"{"userId":" u"}"#,
                "userId: must not begin or end with white space",
            ),
            (
                r#"{"userId":"a\u0000"}"#,
                "userId: must not contain control characters",
            ),
            (
                r#"{"userId":"\ud800"}"#,
                "userId: must be a string or a number",
            ),
        ] {
            assert_eq!(
                detail(object(body.as_bytes()).expect(body).user(&Caller::Anyone)),
                expected,
                "{body}"
            );
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
            let fields = object(body.as_bytes()).expect("JSON");
            assert!(
                detail(fields.activity()).starts_with("activityId: expected an integer"),
                "{number}"
            );
        }
    }

    #[test]
    fn whole_numbers_may_have_a_point_or_an_exponent() {
        for spelled in [
            "200001.0",
            "200001.000",
            "2.00001E5",
            "2.00001e+5",
            "2000010e-1",
            "200001e0",
            "20000100E-2",
        ] {
            let body = format!(r#"{{"activityId":{spelled}}}"#);
            assert_eq!(
                object(body.as_bytes())
                    .expect("JSON")
                    .activity()
                    .expect(spelled)
                    .get(),
                200_001
            );
        }
        let large = object(br#"{"activityId":9223372036854775807.0}"#).expect("JSON");
        assert_eq!(
            large.activity().expect("no digit is lost").get(),
            i64::MAX as u64
        );
        let user = object(br#"{"userId":7.0}"#)
            .expect("JSON")
            .user(&Caller::Anyone);
        assert_eq!(
            user.expect("a user").as_str(),
            "7.0",
            "what is no number for us stays as it is spelled"
        );
    }

    #[test]
    fn a_byte_order_mark_in_front_says_nothing() {
        let fields = object("\u{feff}{\"activityId\":7}".as_bytes()).expect("JSON");
        assert_eq!(fields.activity().expect("an activity").get(), 7);
        for body in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}"] {
            assert!(
                detail(object(body.as_bytes())).starts_with("body: "),
                "{body}"
            );
        }
    }

    #[test]
    fn counts_are_from_one_to_ten() {
        let count = |value: &str| {
            let body = format!(r#"{{"count":{value}}}"#);
            object(body.as_bytes()).expect("JSON").count()
        };
        assert_eq!(count("null"), Ok(None));
        for ten in [
            "10", "\"10\"", "\" 10 \"", "10.0", "1e1", "1.0E+1", "0.1e2", "100e-1",
        ] {
            assert_eq!(
                count(ten).map(|count| count.map(DrawCount::get)),
                Ok(Some(10)),
                "{ten}"
            );
        }
        for bad in [
            "0",
            "11",
            "-1",
            "1.5",
            "1e2",
            "\"10.0\"",
            "\"\"",
            "\"ten\"",
            "99999999999999999999",
        ] {
            assert_eq!(
                detail(count(bad)),
                "count: expected an integer from 1 to 10",
                "{bad}"
            );
        }
        assert_eq!(detail(count("true")), "count: must be a string or a number");
    }

    #[test]
    fn bodies_that_are_no_object_are_refused() {
        for body in [
            "",
            "null",
            "[\"u\",1]",
            "\"u\"",
            "{",
            "{\"userId\":}",
            "not JSON",
            "{} {}",
        ] {
            assert!(
                detail(object(body.as_bytes())).starts_with("body: "),
                "{body}"
            );
        }
        assert_eq!(
            detail(object(b"{\"userId\":\"\xff\"}")),
            "body: must be UTF-8"
        );
    }

    #[test]
    fn parameters_come_from_query_and_form() {
        let fields = pairs("userId=a%20b&x=1&requestId=", "orderId=+7+").expect("pairs");
        assert_eq!(
            fields.user(&Caller::Anyone).expect("a user").as_str(),
            "a b"
        );
        assert_eq!(fields.order().expect("an order").map(OrderId::get), Some(7));
        assert_eq!(fields.request(), Ok(None), "an empty one is none");
        assert_eq!(
            detail(pairs("userId=", "").and_then(|fields| fields.user(&Caller::Anyone))),
            "userId: is missing"
        );
        assert_eq!(
            detail(pairs("userId=%FF", "").and_then(|fields| fields.user(&Caller::Anyone))),
            "userId: must be UTF-8"
        );
    }

    #[test]
    fn a_parameter_may_come_twice_with_one_value() {
        let user = |query, json: &str| {
            let fields = Fields::read(&Name::ALL, Some(query), Content::Json(json.as_bytes()));
            fields
                .and_then(|fields| fields.user(&Caller::Anyone))
                .map(|user| user.as_str().to_owned())
        };
        for (query, json) in [
            ("userId=7&userId=7", "{}"),
            ("userId=7", r#"{"userId":7}"#),
            ("userId=7&userId=", r#"{"userId":"7"}"#),
            ("", r#"{"userId":7,"user\u0049d":"\u0037"}"#),
            ("userId=7", r#"{"userId":null}"#),
            ("", r#"{"userId":null,"userId":"7","x":1,"x":2}"#),
        ] {
            assert_eq!(user(query, json).as_deref(), Ok("7"), "{query} {json}");
        }
        for (query, json) in [
            ("userId=7&userId=8", "{}"),
            ("userId=7", r#"{"userId":8}"#),
            ("userId=7", r#"{"userId":7.0}"#),
            ("", r#"{"userId":"7","user\u0049d":"8"}"#),
            ("", r#"{"userId":[],"userId":[]}"#),
        ] {
            assert_eq!(
                detail(user(query, json)),
                "userId: comes twice with different values",
                "{query} {json}"
            );
        }
        assert_eq!(
            detail(pairs("userId=7", "userId=8")),
            "userId: comes twice with different values"
        );
        let of_draw = Fields::read(
            &[Name::User],
            Some("orderId=1&orderId=2&userId=u"),
            Content::Nothing,
        );
        assert!(of_draw.is_ok(), "what an endpoint does not take is ignored");
    }
}
