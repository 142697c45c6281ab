//! What was read of a value, and what its absence means.
use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::fault::Faulted;
use crate::toml_form;
use crate::value::{FoundValue, Notation, Value};

/// What was read of a value. The fault of a wrong value is recorded already. How the field ends
/// says what an absent value means: it is required, optional or has a default.
#[must_use = "an absent value is noticed by how the field ends"]
pub struct Field<'d, T> {
    value: Value<'d>,
    expected: String,
    notation: Notation,
    state: FieldState<T>,
}

enum FieldState<T> {
    Absent,
    Invalid(Faulted),
    Valid(T),
}

impl<'d, T> Field<'d, T> {
    /// Parses a value; `None` is a fault that says what was expected. A secret is not quoted.
    pub(crate) fn read(
        value: &Value<'d>,
        expected: String,
        notation: Notation,
        parse: impl FnOnce(FoundValue<'d>) -> Option<T>,
    ) -> Self {
        let state = match value.found.map(|found| (found, parse(found))) {
            None => FieldState::Absent,
            Some((_, Some(parsed))) => FieldState::Valid(parsed),
            Some((_, None)) if value.secret => {
                FieldState::Invalid(value.fault(format!("expected {expected}")))
            }
            Some((found, None)) => {
                let message = format!("expected {expected}, found {}", found.describe());
                FieldState::Invalid(value.fault(message))
            }
        };
        Self {
            value: value.clone(),
            expected,
            notation,
            state,
        }
    }

    /// The value; its absence is a fault.
    pub fn required(self) -> Result<T, Faulted> {
        let missing = format!("missing: expected {}", self.expected);
        let value = self.value.clone();
        self.optional()?.ok_or_else(|| value.fault(missing))
    }

    /// The value, or `None` when it is absent.
    pub fn optional(self) -> Result<Option<T>, Faulted> {
        self.value.note(self.notation, None);
        self.state.into_value()
    }

    /// The value, or `default` when it is absent.
    pub fn or(self, default: T) -> Result<T, Faulted>
    where
        T: Debug,
    {
        let shown = toml_form::default(&default);
        self.or_shown(default, Some(shown))
    }

    /// The value, or `default` when it is absent, with the default's form in TOML.
    fn or_shown(self, default: T, shown: Option<String>) -> Result<T, Faulted> {
        self.value.note(self.notation, shown);
        Ok(self.state.into_value()?.unwrap_or(default))
    }

    /// Checks or converts the value; an error is a fault of it.
    pub fn try_map<U, E: Display>(self, convert: impl FnOnce(T) -> Result<U, E>) -> Field<'d, U> {
        let state = match self.state {
            FieldState::Absent => FieldState::Absent,
            FieldState::Invalid(faulted) => FieldState::Invalid(faulted),
            FieldState::Valid(found) => match convert(found) {
                Ok(converted) => FieldState::Valid(converted),
                Err(error) => FieldState::Invalid(self.value.fault(error.to_string())),
            },
        };
        Field {
            value: self.value,
            expected: self.expected,
            notation: self.notation,
            state,
        }
    }
}

impl<'d> Field<'d, String> {
    /// Parses the string; an error is a fault of it.
    pub fn parse<T: FromStr<Err: Display>>(self) -> Field<'d, T> {
        self.try_map(|string| string.parse())
    }
}

impl<T> FieldState<T> {
    fn into_value(self) -> Result<Option<T>, Faulted> {
        match self {
            FieldState::Valid(value) => Ok(Some(value)),
            FieldState::Invalid(faulted) => Err(faulted),
            FieldState::Absent => Ok(None),
        }
    }
}

/// A [`Field`] of one of several words.
#[must_use = "an absent value is noticed by how the field ends"]
pub struct Choice<'d, T> {
    pub(crate) field: Field<'d, T>,
    pub(crate) choices: Vec<(String, T)>,
}

impl<T: Copy + PartialEq> Choice<'_, T> {
    /// The value; its absence is a fault.
    pub fn required(self) -> Result<T, Faulted> {
        self.field.required()
    }

    /// The value, or `None` when it is absent.
    pub fn optional(self) -> Result<Option<T>, Faulted> {
        self.field.optional()
    }

    /// The value, or `default` when it is absent.
    pub fn or(self, default: T) -> Result<T, Faulted> {
        let mut choices = self.choices.iter();
        let word = choices.find(|(_, meaning)| *meaning == default);
        let shown = word.map(|(word, _)| toml_form::string(word));
        self.field.or_shown(default, shown)
    }
}
