//! The name of an application.
use std::fmt;
use std::sync::Arc;

/// The name of an application: 1 to 64 visible ASCII characters, so that a header can hold it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

/// Why a string names no application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {} visible ASCII characters", AppId::CHARS_MAX)]
pub struct InvalidAppId;

impl AppId {
    /// The longest name, in characters (which are bytes here).
    pub const CHARS_MAX: usize = 64;

    /// Checks a string and makes it a name.
    pub fn new(text: &str) -> Result<Self, InvalidAppId> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_visible && (1..=Self::CHARS_MAX).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidAppId)
        }
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppId({})", self.0)
    }
}
