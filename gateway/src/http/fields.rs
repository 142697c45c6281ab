//! The parameters of a request, bound by one rule on all paths.
//!
//! Each comes from the query, a form or a JSON object, or from an object `data` within that, where
//! the endpoint takes one. One that comes twice must have one value. A
//! number may be written as a string, and a string as a number. An integer may have a fraction of
//! zero or an exponent. Unknown parameters and a byte order mark are ignored. `null` is absent, as
//! is an empty parameter of a query or a form. All else is refused with the name of the parameter.
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use market::{
    ActivityId, Behaviour, BusinessNumber, DrawCount, OrderId, RequestId, SkuId, StrategyId, UserId,
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use shards::PageSize;

use super::content::Content;
use crate::answer::Failure;
use crate::identity::Caller;
use crate::identity::apps::AppId;

/// A mark that may stand in front of a body and is ignored.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// No number that we know is longer: an exponent must not make it so.
const DIGITS_MAX: usize = 32;

/// A parameter that some endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldName {
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
    /// So many entries of a list.
    Limit,
    /// The entry behind which a list begins.
    Before,
    /// A bundle of chances.
    Sku,
    /// The application that calls.
    App,
    /// What it proves itself with, where it does not sign.
    AppToken,
    /// An object with the parameters of a reported behaviour.
    Data,
    /// What a user did.
    Behaviour,
    /// The number under which the application knows it.
    BusinessNumber,
}

impl FieldName {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::User,
        Self::Activity,
        Self::Strategy,
        Self::Request,
        Self::Order,
        Self::Count,
        Self::Channel,
        Self::Source,
        Self::Limit,
        Self::Before,
        Self::Sku,
        Self::App,
        Self::AppToken,
        Self::Data,
        Self::Behaviour,
        Self::BusinessNumber,
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
            Self::Limit => "limit",
            Self::Before => "before",
            Self::Sku => "sku",
            Self::App => "appId",
            Self::AppToken => "appToken",
            Self::Data => "data",
            Self::Behaviour => "behaviorType",
            Self::BusinessNumber => "outBusinessNo",
        }
    }

    fn of(spelled: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == spelled)
    }
}

impl<'de> Deserialize<'de> for KnownName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KnownVisitor)
    }
}

/// The name of a JSON field, if it is one of ours.
struct KnownName(Option<FieldName>);

struct KnownVisitor;

impl Visitor<'_> for KnownVisitor {
    type Value = KnownName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, spelled: &str) -> Result<KnownName, E> {
        Ok(KnownName(FieldName::of(spelled)))
    }
}

/// A value as it came.
#[derive(Debug, Clone)]
enum FieldValue<'a> {
    /// JSON, as it is spelled.
    Json(&'a str),
    /// Of a query or a form; not empty.
    Text(Cow<'a, str>),
}

impl FieldValue<'_> {
    /// The characters of a string, or a number as it is spelled.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            FieldValue::Json(json) => scalar(json),
            FieldValue::Text(text) => Some(Cow::Borrowed(text)),
        }
    }
}

/// The parameters of a request that its endpoint takes.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    takes: &'static [FieldName],
    values: [Option<FieldValue<'a>>; FieldName::ALL.len()],
}

impl<'a> Fields<'a> {
    /// Reads the query, and after it the body.
    pub fn read(
        takes: &'static [FieldName],
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
        fields.add_data()?;
        Ok(fields)
    }

    fn add_pairs(&mut self, pairs: &'a [u8]) -> Result<(), Failure> {
        for (name, value) in form_urlencoded::parse(pairs) {
            if let Some(name) = FieldName::of(&name).filter(|_| !value.is_empty()) {
                self.add(name, FieldValue::Text(value))?;
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

    /// Adds the fields of the object `data`. An object `data` in that one is not looked at.
    fn add_data(&mut self) -> Result<(), Failure> {
        match self.values[FieldName::Data as usize].take() {
            None => Ok(()),
            Some(FieldValue::Json(json)) if json.starts_with('{') => {
                self.add_object(json.as_bytes())
            }
            Some(_) => Err(Failure::field(
                FieldName::Data.as_str(),
                "must be an object",
            )),
        }
    }

    fn add(&mut self, name: FieldName, value: FieldValue<'a>) -> Result<(), Failure> {
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
        caller.user(self.optional(FieldName::User, UserId::new)?)
    }

    /// `activityId`, required.
    pub fn activity(&self) -> Result<ActivityId, Failure> {
        required(FieldName::Activity, self.number(FieldName::Activity)?)
    }

    /// `activityId`, where it is one and the endpoint takes it.
    pub fn known_activity(&self) -> Option<ActivityId> {
        self.takes
            .contains(&FieldName::Activity)
            .then(|| self.activity().ok())?
    }

    /// `strategyId`, required.
    pub fn strategy(&self) -> Result<StrategyId, Failure> {
        required(FieldName::Strategy, self.number(FieldName::Strategy)?)
    }

    /// `requestId`, optional.
    pub fn request(&self) -> Result<Option<RequestId>, Failure> {
        self.optional(FieldName::Request, RequestId::new)
    }

    /// `orderId`, optional.
    pub fn order(&self) -> Result<Option<OrderId>, Failure> {
        self.number(FieldName::Order)
    }

    /// `limit`, with a default.
    pub fn limit(&self) -> Result<PageSize, Failure> {
        Ok(self.number(FieldName::Limit)?.unwrap_or_default())
    }

    /// `before`, optional.
    pub fn before(&self) -> Result<Option<OrderId>, Failure> {
        self.number(FieldName::Before)
    }

    /// `before` as the number of an entry, optional.
    pub fn before_entry(&self) -> Result<Option<u64>, Failure> {
        let id = self.number::<OrderId>(FieldName::Before)?;
        Ok(id.map(OrderId::get))
    }

    /// `activityId`, optional.
    pub fn optional_activity(&self) -> Result<Option<ActivityId>, Failure> {
        self.number(FieldName::Activity)
    }

    /// `sku`, required.
    pub fn sku(&self) -> Result<SkuId, Failure> {
        required(FieldName::Sku, self.number(FieldName::Sku)?)
    }

    /// `appId`, required.
    pub fn app(&self) -> Result<AppId, Failure> {
        required(FieldName::App, self.optional(FieldName::App, AppId::new)?)
    }

    /// `appToken`, optional.
    pub fn app_token(&self) -> Result<Option<String>, Failure> {
        self.optional(FieldName::AppToken, |text| {
            Ok::<_, Infallible>(text.to_owned())
        })
    }

    /// The user that an application names: `userId`, required.
    pub fn reported_user(&self) -> Result<UserId, Failure> {
        required(
            FieldName::User,
            self.optional(FieldName::User, UserId::new)?,
        )
    }

    /// `behaviorType`, required.
    pub fn behaviour(&self) -> Result<Behaviour, Failure> {
        let name = FieldName::Behaviour;
        required(name, self.optional(name, Behaviour::new)?)
    }

    /// `outBusinessNo`, required.
    pub fn business_number(&self) -> Result<BusinessNumber, Failure> {
        let name = FieldName::BusinessNumber;
        required(name, self.optional(name, BusinessNumber::new)?)
    }

    /// `count`, optional.
    pub fn count(&self) -> Result<Option<DrawCount>, Failure> {
        self.number(FieldName::Count)
    }

    /// A string, required.
    pub fn text(&self, name: FieldName) -> Result<String, Failure> {
        required(
            name,
            self.optional(name, |text| Ok::<_, Infallible>(text.to_owned()))?,
        )
    }

    fn value(&self, name: FieldName) -> Option<&FieldValue<'a>> {
        debug_assert!(
            self.takes.contains(&name),
            "{} is not in the table of endpoints",
            name.as_str()
        );
        self.values[name as usize].as_ref()
    }

    fn optional<T, E: fmt::Display>(
        &self,
        name: FieldName,
        make: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let fault = |expected: &dyn fmt::Display| Failure::field(name.as_str(), expected);
        // What was not UTF-8 has become this; it must not name some other user.
        if matches!(value, FieldValue::Text(text) if text.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(fault(&"must be UTF-8"));
        }
        let text = value
            .text()
            .ok_or_else(|| fault(&"must be a string or a number"))?;
        make(&text).map(Some).map_err(|error| fault(&error))
    }

    /// An integer. Written as a JSON number it may have a fraction of zero or an exponent.
    fn number<T: FromStr<Err: fmt::Display>>(&self, name: FieldName) -> Result<Option<T>, Failure> {
        if let Some(FieldValue::Json(json)) = self.value(name)
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

fn required<T>(name: FieldName, value: Option<T>) -> Result<T, Failure> {
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
        while let Some(KnownName(name)) = map.next_key()? {
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let json = map.next_value::<&RawValue>()?.get();
            if json != "null" && added.is_ok() {
                added = self.0.add(name, FieldValue::Json(json));
            }
        }
        Ok(added)
    }
}

/// Reads a number as the reference's readers do: white space around it does not matter.
pub fn trimmed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.trim().parse()
}

/// The digits of an integer that is written as a JSON number with a fraction or an exponent.
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

/// The characters of a JSON string, or a number as it is spelled.
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
mod tests;
