//! Reads a value as a string, an integer, a list and so on.
use std::fmt::Display;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use toml::de::DeValue;

use crate::field::{Choice, Field};
use crate::toml_form;
use crate::value::{FoundValue, Notation, Value};

impl<'d> Value<'d> {
    /// A string of one line, `chars` characters long.
    pub fn string(&self, chars: RangeInclusive<usize>) -> Field<'d, String> {
        let expected = match (*chars.start(), *chars.end()) {
            (0, most) => format!("a string of at most {most} characters"),
            (least, most) => format!("a string of {least} to {most} characters"),
        };
        let field = Field::read(self, expected.clone(), Notation::String, |found| {
            found.as_str().map(str::to_owned)
        });
        field.try_map(|string| {
            if string.chars().any(char::is_control) {
                return Err("must not contain control characters".to_owned());
            }
            let length = string.chars().count();
            if chars.contains(&length) {
                Ok(string)
            } else {
                Err(format!("expected {expected}, found {length}"))
            }
        })
    }

    /// An integer within `range`.
    pub fn integer<N>(&self, range: RangeInclusive<N>) -> Field<'d, N>
    where
        N: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        Field::read(self, expected, Notation::Bare, |found| {
            let number = match found {
                FoundValue::Override(text) => text.parse().ok(),
                FoundValue::InFile(value) => value.as_integer().and_then(toml_form::integer),
            };
            number
                .and_then(|number| N::try_from(number).ok())
                .filter(|number| range.contains(number))
        })
    }

    /// A decimal number as a string, so that the caller can read it exactly.
    pub fn decimal(&self) -> Field<'d, String> {
        Field::read(
            self,
            "a decimal number".into(),
            Notation::Bare,
            |found| match found {
                FoundValue::InFile(DeValue::Float(number)) => Some(number.as_str().to_owned()),
                FoundValue::InFile(DeValue::Integer(number)) => Some(number.to_string()),
                other => other.as_str().map(str::to_owned),
            },
        )
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Field<'d, bool> {
        Field::read(
            self,
            "true or false".into(),
            Notation::Bare,
            |found| match found {
                FoundValue::Override(text) => text.parse().ok(),
                FoundValue::InFile(value) => value.as_bool(),
            },
        )
    }

    /// A date and time with its offset.
    pub fn time(&self) -> Field<'d, Timestamp> {
        let expected = "a date and time with its offset, such as 2026-11-20T20:00:00+08:00";
        Field::read(self, expected.into(), Notation::Bare, |found| match found {
            FoundValue::Override(text) => text.parse().ok(),
            // A time without offset does not parse as a moment.
            FoundValue::InFile(value) => value.as_datetime()?.to_string().parse().ok(),
        })
    }

    /// One of several words, each with its meaning.
    pub fn choice<T: Copy + PartialEq>(&self, choices: &[(&str, T)]) -> Choice<'d, T> {
        let words = choices.iter().map(|(word, _)| format!("{word:?}"));
        self.word(choices, words, FoundValue::as_str)
    }

    /// One of several words, of which `true` and `false` may be written as booleans.
    pub fn choice_or_boolean<T: Copy + PartialEq>(&self, choices: &[(&str, T)]) -> Choice<'d, T> {
        let words = choices.iter().map(|(word, _)| match *word {
            "true" | "false" => (*word).to_owned(),
            word => format!("{word:?}"),
        });
        self.word(choices, words, |found| match found {
            FoundValue::InFile(DeValue::Boolean(true)) => Some("true"),
            FoundValue::InFile(DeValue::Boolean(false)) => Some("false"),
            other => other.as_str(),
        })
    }

    /// One of several words, which are shown as `words` and taken out of a value by `read`.
    fn word<T: Copy + PartialEq>(
        &self,
        choices: &[(&str, T)],
        words: impl Iterator<Item = String>,
        read: impl FnOnce(FoundValue<'d>) -> Option<&'d str>,
    ) -> Choice<'d, T> {
        let expected = words.collect::<Vec<_>>().join(" or ");
        let field = Field::read(self, expected, Notation::String, |found| {
            let own = read(found)?;
            let choice = choices.iter().find(|(word, _)| *word == own);
            choice.map(|&(_, meaning)| meaning)
        });
        let choices = choices
            .iter()
            .map(|&(word, meaning)| (word.to_owned(), meaning));
        Choice {
            field,
            choices: choices.collect(),
        }
    }

    /// A list with bounds for its length. An override gives it as strings with commas between
    /// them.
    pub fn list(&self, count: RangeInclusive<usize>) -> Field<'d, Vec<Value<'d>>> {
        let expected = format!("a list of {} to {} values", count.start(), count.end());
        let entries = self.entries(expected.clone(), Notation::List);
        entries.try_map(|entries| {
            if count.contains(&entries.len()) {
                Ok(entries)
            } else {
                Err(format!("expected {expected}, found {}", entries.len()))
            }
        })
    }

    /// The entries of a list of any length.
    pub(crate) fn entries(
        &self,
        expected: String,
        notation: Notation,
    ) -> Field<'d, Vec<Value<'d>>> {
        Field::read(self, expected, notation, |found| match found {
            FoundValue::Override("") => Some(Vec::new()),
            FoundValue::Override(text) => {
                let parts = text.split(',').map(|part| self.part(part.trim()));
                Some(parts.collect())
            }
            FoundValue::InFile(value) => value.as_array().map(|array| self.numbered(array)),
        })
    }
}
