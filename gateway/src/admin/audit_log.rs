//! Who makes a change and why, and `/admin/audit_log`, which lists the changes.
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use shards::meta::AuditEntry;

use super::respond::{json, meta_unavailable};
use super::state::Admin;
use super::token::Caller;
use crate::edge::HttpResponse;
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

/// Cuts a long detail.
pub(super) fn cut(detail: String) -> String {
    match detail.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &detail[..end]),
        None => detail,
    }
}

impl Admin {
    pub(super) async fn list_audit_log(&self) -> HttpResponse {
        match self.shards.audit_log().await {
            Ok(entries) => json(StatusCode::OK, list(&entries)),
            Err(error) => meta_unavailable(&error),
        }
    }
}

/// The audit log, newest first.
fn list(entries: &[AuditEntry]) -> String {
    #[derive(Serialize)]
    struct EntryView<'a> {
        at: String,
        who: &'a str,
        what: &'a str,
        detail: &'a str,
        reason: &'a str,
    }
    #[derive(Serialize)]
    struct LogView<'a> {
        entries: Vec<EntryView<'a>>,
    }
    let shown = entries.iter().map(
        |AuditEntry {
             at,
             who,
             what,
             detail,
             why,
         }| EntryView {
            at: at.to_string(),
            who,
            what,
            detail,
            reason: why,
        },
    );
    serde_json::to_string(&LogView {
        entries: shown.collect(),
    })
    .expect("plain values")
}
