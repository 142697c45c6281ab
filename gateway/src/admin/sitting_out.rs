//! `/admin/sitting_out`: users who were refused too often, on this gateway.
use jiff::{SignedDuration, Timestamp};
use market::UserId;
use serde::Serialize;

use super::audit_log;
use crate::limits::sit_out::Sitter;

/// A list shows at most so many users.
pub(super) const SHOWN_MAX: usize = 1_000;

/// How many sit out, and who: those first who are free first.
pub(super) fn list(count: usize, sitters: &[Sitter], now: Timestamp) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        user_id: &'a str,
        until: String,
    }
    #[derive(Serialize)]
    struct List<'a> {
        count: usize,
        users: Vec<Shown<'a>>,
    }
    let until = |sitter: &Sitter| {
        let left = SignedDuration::try_from(sitter.left).unwrap_or(SignedDuration::MAX);
        now.saturating_add(left).unwrap_or(Timestamp::MAX)
    };
    let shown = sitters.iter().map(|sitter| Shown { user_id: sitter.user.as_str(), until: until(sitter).to_string() });
    serde_json::to_string(&List { count, users: shown.collect() }).expect("plain values")
}

/// The user that is to draw again, and who says so.
#[derive(Debug)]
pub(super) struct Revocation {
    pub(super) user: UserId,
    pub(super) order: audit_log::Asked,
}

impl Revocation {
    /// Reads the query `userId`, `who` and `reason`.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let field = |name: &str| {
            let named = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            named.map(|(_, value)| value.into_owned()).ok_or(format!("{name}: is missing"))
        };
        let user = UserId::new(&field("userId")?).map_err(|error| format!("userId: {error}"))?;
        Ok(Self { user, order: audit_log::Asked { who: field("who").ok(), reason: field("reason")? } })
    }
}
