//! Who makes a change and why, for the audit log.
use serde::Deserialize;

use super::token::AdminCaller;
use crate::text::{REASON_CHARS_MAX, WHO_CHARS_MAX, checked};

/// Longest detail of a change in the audit log; the rest is cut off.
const DETAIL_CHARS_MAX: usize = 2_000;

/// Who asks for a change, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attribution {
    pub(super) who: Option<String>,
    pub(super) reason: String,
}

impl Attribution {
    /// Who and why; the error names the field that is wrong.
    pub(super) fn checked(self, caller: &AdminCaller) -> Result<(String, String), String> {
        let said = self
            .who
            .map(|who| checked("who", &who, WHO_CHARS_MAX))
            .transpose()?;
        Ok((
            caller.who(said.as_deref()),
            checked("reason", &self.reason, REASON_CHARS_MAX)?,
        ))
    }
}

/// Cuts a long detail.
pub(super) fn cut(detail: String) -> String {
    match detail.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &detail[..end]),
        None => detail,
    }
}
