//! An answer that is not a success: its code, and what is known beyond it.
use std::borrow::Cow;
use std::time::Duration;

use super::code::Code;
use super::language::Language;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its cause.
    pub code: Code,
    /// What is known beyond the code, in English.
    pub detail: Option<Cow<'static, str>>,
    /// The limit that refused, where one did.
    pub limited: Option<LimitReached>,
    /// After how many seconds the same call may succeed, where that is known better than by the
    /// code alone.
    pub retry_after_s: Option<u32>,
}

/// A limit that let no more requests through, for the headers `RateLimit-*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached {
    /// How many requests it lets through at once.
    pub burst: u32,
    /// After how many seconds it will let one through again.
    pub wait_s: u32,
}

impl Failure {
    /// A failure of which more is known than its code.
    pub fn detailed(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..code.into()
        }
    }

    /// A field is wrong: which, and what was expected.
    pub fn field(name: &str, expected: impl std::fmt::Display) -> Self {
        Self::detailed(Code::IllegalParameter, format!("{name}: {expected}"))
    }

    /// The same, for a caller that is to ask again after this time.
    pub fn retry_after(self, time: Duration) -> Self {
        Self {
            retry_after_s: Some(whole_seconds(time)),
            ..self
        }
    }

    /// What the caller reads.
    pub fn info(&self, language: Language) -> Cow<'static, str> {
        let text = self.code.text(language);
        match (&self.detail, language) {
            (None, _) => text.into(),
            (Some(detail), Language::English) => format!("{text}: {detail}").into(),
            (Some(detail), Language::Chinese) => format!("{text}：{detail}").into(),
        }
    }
}

/// A wait in whole seconds, rounded up, at least one.
pub fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            limited: None,
            retry_after_s: None,
        }
    }
}
