//! Changes with a name and a reason, and `/admin/audit_log`, the record of them.
use serde::{Deserialize, Serialize};
use shards::meta::AuditEntry;

use super::token::Caller;
use crate::text::{REASON_CHARS_MAX, WHO_CHARS_MAX, checked};

/// What the audit log holds of what was changed; the rest is cut off.
const DETAIL_CHARS_MAX: usize = 2_000;

/// Who asks for something, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) who: Option<String>,
    pub(super) reason: String,
}

impl Asked {
    /// Who and why, or which field is wrong.
    pub(super) fn checked(self, caller: &Caller) -> Result<(String, String), String> {
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

/// What of a long detail is kept.
pub(super) fn cut(detail: String) -> String {
    match detail.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &detail[..end]),
        None => detail,
    }
}

/// The audit log, newest first.
pub(super) fn list(entries: &[AuditEntry]) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        at: String,
        who: &'a str,
        what: &'a str,
        detail: &'a str,
        reason: &'a str,
    }
    #[derive(Serialize)]
    struct List<'a> {
        entries: Vec<Shown<'a>>,
    }
    let shown = entries.iter().map(
        |AuditEntry {
             at,
             who,
             what,
             detail,
             why,
         }| Shown {
            at: at.to_string(),
            who,
            what,
            detail,
            reason: why,
        },
    );
    serde_json::to_string(&List {
        entries: shown.collect(),
    })
    .expect("plain values")
}
