//! The keys that have a value, for showing the configuration in force.
use std::fmt::{self, Debug, Display};

use crate::toml_form;

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// A key that has a value, and the origin of the value. A secret is compared and never shown.
#[derive(Clone)]
pub struct SettingEntry {
    /// The path of the key, such as `storage.shard[1].host`. Entries of lists count from 1.
    pub path: String,
    /// Where the value comes from.
    pub origin: SettingOrigin,
    pub(crate) value: String,
    pub(crate) replaced: Option<String>,
    pub(crate) secret: bool,
}

impl SettingEntry {
    /// The value as TOML; [`MASK`] for a secret.
    pub fn value(&self) -> String {
        self.shown(&self.value)
    }

    /// The value of the file, where an override replaces it; [`MASK`] for a secret.
    pub fn replaced(&self) -> Option<String> {
        self.replaced.as_deref().map(|value| self.shown(value))
    }

    /// Whether the value is masked.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether both have the same value, wherever it comes from.
    pub fn is_same_value(&self, other: &Self) -> bool {
        self.value == other.value
    }

    /// Whether the file gives both the same value, where an override replaces it.
    pub fn replaces_the_same(&self, other: &Self) -> bool {
        self.replaced == other.replaced
    }

    fn shown(&self, value: &str) -> String {
        if self.secret {
            toml_form::string(MASK)
        } else {
            value.to_owned()
        }
    }
}

impl Debug for SettingEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.path, self.value(), self.origin)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingOrigin {
    /// The reader's default: neither the file nor an override sets the key.
    Default,
    /// This line of the file.
    Line(usize),
    /// An override, by its name, such as `--listen`.
    Override(String),
}

impl Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingOrigin::Default => f.write_str("default"),
            SettingOrigin::Line(line) => write!(f, "file, line {line}"),
            SettingOrigin::Override(name) => f.write_str(name),
        }
    }
}
