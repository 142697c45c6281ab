//! A value of any type, with its location.
use std::fmt::{self, Debug};

use toml::Spanned;
use toml::de::DeValue;

use crate::document::{Document, DocumentSource, Location};
use crate::entry::{SettingEntry, SettingOrigin};
use crate::fault::Faulted;
use crate::path::{excerpt, numbered};
use crate::toml_form;

/// A value with its location, to be read as some type.
#[derive(Clone)]
pub struct Value<'d> {
    pub(crate) document: &'d Document<'d>,
    pub(crate) location: Location,
    /// `None` when the value is absent.
    pub(crate) found: Option<FoundValue<'d>>,
    /// The value of the file, where an override replaces it.
    pub(crate) replaced: Option<FoundValue<'d>>,
    /// Whether it is masked.
    pub(crate) secret: bool,
    /// Whether it is an entry of a list, which is no key of its own.
    pub(crate) listed: bool,
}

impl Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value")
            .field("path", &self.location.path)
            .finish_non_exhaustive()
    }
}

/// How a value is written in TOML.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Between quotes.
    String,
    /// As it is: numbers, `true` and `false`.
    Bare,
    /// A list of strings and numbers.
    List,
    /// Tables, whose keys are recorded one by one.
    Tables,
}

#[derive(Clone, Copy)]
pub(crate) enum FoundValue<'d> {
    InFile(&'d DeValue<'d>),
    Override(&'d str),
}

impl<'d> FoundValue<'d> {
    pub(crate) fn as_str(self) -> Option<&'d str> {
        match self {
            FoundValue::Override(text) => Some(text),
            FoundValue::InFile(value) => value.as_str(),
        }
    }

    /// As TOML, one spelling for each value.
    fn to_toml(self, notation: Notation) -> String {
        match (self, notation) {
            (FoundValue::Override(text), Notation::List) => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                let parts: Vec<_> = parts.map(toml_form::string).collect();
                format!("[{}]", parts.join(", "))
            }
            (FoundValue::Override(text), Notation::Bare) => toml_form::value_or_string(text.trim()),
            (FoundValue::Override(text), _) => toml_form::string(text),
            (FoundValue::InFile(DeValue::String(text)), Notation::Bare) => {
                toml_form::value_or_string(text.trim())
            }
            (FoundValue::InFile(value), _) => toml_form::parsed(value),
        }
    }

    /// For messages: `found the string "yes"`.
    pub(crate) fn describe(self) -> String {
        match self {
            FoundValue::Override(text) => format!("{:?}", excerpt(text)),
            FoundValue::InFile(DeValue::String(text)) => format!("the string {:?}", excerpt(text)),
            FoundValue::InFile(DeValue::Integer(number)) => excerpt(&number.to_string()),
            FoundValue::InFile(DeValue::Float(number)) => excerpt(number.as_str()),
            FoundValue::InFile(DeValue::Boolean(value)) => value.to_string(),
            FoundValue::InFile(DeValue::Datetime(time)) if time.offset.is_none() => {
                format!("{time} without an offset")
            }
            FoundValue::InFile(DeValue::Datetime(time)) => time.to_string(),
            FoundValue::InFile(DeValue::Array(_)) => "a list".into(),
            FoundValue::InFile(DeValue::Table(_)) => "a table".into(),
        }
    }
}

impl<'d> Value<'d> {
    /// Records a fault of this value.
    pub fn fault(&self, message: impl Into<String>) -> Faulted {
        self.document.fault(&self.location, message)
    }

    /// Part of an override that stands for a list.
    pub(crate) fn part(&self, text: &'d str) -> Value<'d> {
        Value {
            found: Some(FoundValue::Override(text)),
            listed: true,
            ..self.clone()
        }
    }

    /// The entries of a list of the file.
    pub(crate) fn numbered(&self, array: &'d [Spanned<DeValue<'d>>]) -> Vec<Value<'d>> {
        let entry = |(index, entry): (usize, &'d Spanned<DeValue<'d>>)| Value {
            document: self.document,
            location: Location::new(
                numbered(&self.location.path, index),
                DocumentSource::Offset(entry.span().start),
            ),
            found: Some(FoundValue::InFile(entry.get_ref())),
            replaced: None,
            secret: self.secret,
            listed: true,
        };
        array.iter().enumerate().map(entry).collect()
    }

    /// Records the key's value, for showing the configuration in force. Entries of lists are no
    /// keys, and tables have keys of their own.
    pub(crate) fn note(&self, notation: Notation, default: Option<String>) {
        if notation == Notation::Tables || self.listed {
            return;
        }
        let Some((value, origin)) = self.in_force(notation, default) else {
            return;
        };
        let is_override = matches!(origin, SettingOrigin::Override(_));
        let replaced = self.replaced.filter(|_| is_override);
        self.document.note(SettingEntry {
            path: self.location.path.clone(),
            origin,
            value,
            replaced: replaced.map(|found| found.to_toml(notation)),
            secret: self.secret,
        });
    }

    fn in_force(
        &self,
        notation: Notation,
        default: Option<String>,
    ) -> Option<(String, SettingOrigin)> {
        let Some(found) = self.found else {
            return Some((default?, SettingOrigin::Default));
        };
        let origin = match &self.location.source {
            DocumentSource::Override(name) => SettingOrigin::Override(name.clone()),
            DocumentSource::Offset(offset) => SettingOrigin::Line(self.document.line(*offset)),
            DocumentSource::Nowhere => return None,
        };
        Some((found.to_toml(notation), origin))
    }
}
