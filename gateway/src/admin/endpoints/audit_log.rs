//! `/admin/audit_log`: who has changed what, and why.
use hyper::StatusCode;
use serde::Serialize;
use shards::meta::AuditEntry;

use crate::admin::call::AdminCall;
use crate::admin::respond::{json, meta_unavailable};
use crate::admin::state::Admin;
use crate::edge::HttpResponse;

impl Admin {
    pub(super) async fn list_audit_log(&self, _: AdminCall) -> HttpResponse {
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
