//! Values written as TOML, with one spelling for each value.
use std::fmt::Debug;

use toml::de::{DeInteger, DeValue};

/// A string as TOML writes it.
pub(crate) fn string(string: &str) -> String {
    toml::Value::String(string.to_owned()).to_string()
}

/// A value of TOML as it is, and anything else as a string.
pub(crate) fn value_or_string(text: &str) -> String {
    let is_value =
        !text.contains(['\n', '#']) && format!("value = {text}").parse::<toml::Table>().is_ok();
    if is_value {
        text.to_owned()
    } else {
        string(text)
    }
}

/// A value of the file.
pub(crate) fn parsed(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => string(text),
        DeValue::Integer(number) => {
            integer(number).map_or_else(|| number.to_string(), |number| number.to_string())
        }
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|entry| parsed(entry.get_ref()))
                .collect();
            format!("[{}]", entries.join(", "))
        }
        DeValue::Table(_) => "{}".to_owned(),
    }
}

/// A default. Its debug form is TOML already, except for addresses and the like.
pub(crate) fn default(default: &impl Debug) -> String {
    value_or_string(&format!("{default:?}"))
}

/// An integer of the file; `None` beyond 128 bits.
pub(crate) fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}
