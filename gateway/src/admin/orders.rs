//! Orders with a name and a reason: `/admin/reload`; and `/admin/trail`, the record of them.
use serde::{Deserialize, Serialize};
use shards::trail::TrailEntry;

use super::fleet::WHO_CHARS_MAX;
use super::switches::{TEXT_CHARS_MAX, text};

/// Who asks for a reload, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) who: String,
    pub(super) reason: String,
}

impl Asked {
    /// Who and why, or which field is wrong.
    pub(super) fn checked(self) -> Result<(String, String), String> {
        Ok((text("who", &self.who, WHO_CHARS_MAX)?, text("reason", &self.reason, TEXT_CHARS_MAX)?))
    }
}

/// The trail, newest first.
pub(super) fn list(entries: &[TrailEntry]) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        at: String,
        who: &'a str,
        what: &'a str,
        detail: &'a str,
        reason: &'a str,
    }
    #[derive(Serialize)]
    struct Trail<'a> {
        entries: Vec<Shown<'a>>,
    }
    let shown = entries.iter().map(|TrailEntry { at, who, what, detail, why }| Shown {
        at: at.to_string(),
        who,
        what,
        detail,
        reason: why,
    });
    serde_json::to_string(&Trail { entries: shown.collect() }).expect("plain values")
}
