//! `/admin/cooldowns`: users who were refused too often, or whom an operator stopped, on this gateway.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::UserId;
use serde::{Deserialize, Serialize};

use super::audit_log;
use super::token::Caller;
use crate::limits::cooldown::{Cooling, LASTS_MAX};

/// A list shows at most so many users.
pub(super) const SHOWN_MAX: usize = 1_000;

/// How many are in cooldown, and who: those first who are free first.
pub(super) fn list(count: u64, cooling: &[Cooling], now: Timestamp) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        user_id: &'a str,
        until: String,
        by_hand: bool,
    }
    #[derive(Serialize)]
    struct List<'a> {
        count: u64,
        users: Vec<Shown<'a>>,
    }
    let until = |cooling: &Cooling| {
        let left = SignedDuration::try_from(cooling.left).unwrap_or(SignedDuration::MAX);
        now.saturating_add(left).unwrap_or(Timestamp::MAX).to_string()
    };
    let users =
        cooling.iter().map(|each| Shown { user_id: each.user.as_str(), until: until(each), by_hand: each.by_hand });
    serde_json::to_string(&List { count, users: users.collect() }).expect("plain values")
}

/// The user that is to draw again, and who wants it.
#[derive(Debug)]
pub(super) struct Clearing {
    pub(super) user: UserId,
    pub(super) order: audit_log::Asked,
}

impl Clearing {
    /// Reads the query `userId`, `who` and `reason`.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let field = |name: &str| {
            let named = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            named.map(|(_, value)| value.into_owned()).ok_or(format!("{name}: is missing"))
        };
        let user = user(&field("userId")?)?;
        Ok(Self { user, order: audit_log::Asked { who: field("who").ok(), reason: field("reason")? } })
    }
}

/// A request to put a user into cooldown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Asked {
    user_id: String,
    for_seconds: u64,
    who: Option<String>,
    reason: String,
}

/// A cooldown that an operator wants.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) user: UserId,
    pub(super) lasts: Duration,
    pub(super) who: String,
    pub(super) why: String,
}

impl Asked {
    /// The cooldown that is asked for, or which field is wrong.
    pub(super) fn checked(self, caller: &Caller) -> Result<Wanted, String> {
        let user = user(&self.user_id)?;
        let lasts = Duration::from_secs(self.for_seconds);
        if lasts.is_zero() || lasts > LASTS_MAX {
            return Err(format!("forSeconds: expected 1 to {}, found {}", LASTS_MAX.as_secs(), self.for_seconds));
        }
        let (who, why) = audit_log::Asked { who: self.who, reason: self.reason }.checked(caller)?;
        Ok(Wanted { user, lasts, who, why })
    }
}

fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| format!("userId: {error}"))
}
