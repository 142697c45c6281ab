//! `/admin/breakers`: how the breakers of this process stand, and what operations tell them.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shards::breaker::{Force, Mode, Order, Status};

use super::audit_log::WHO_CHARS_MAX;
use super::switches::{FOR_MAX, TEXT_CHARS_MAX, text};
use super::token::Caller;

/// A request to tell a breaker what to do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) name: String,
    mode: Asking,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asking {
    Automatic,
    ForcedOpen,
    ForcedClosed,
}

impl Asked {
    /// The order that is given, or which field is wrong.
    pub(super) fn order(&self, caller: &Caller) -> Result<Order, String> {
        let lasts = self.for_seconds.map(lasts).transpose()?;
        let mode = match self.mode {
            Asking::Automatic if lasts.is_some() => return Err("forSeconds: goes with a forced mode".to_owned()),
            Asking::Automatic => Mode::Automatic,
            Asking::ForcedOpen => Mode::Forced { to: Force::Open, lasts },
            Asking::ForcedClosed => Mode::Forced { to: Force::Closed, lasts },
        };
        let said = self.who.as_deref().map(|who| text("who", who, WHO_CHARS_MAX)).transpose()?;
        let who = caller.who(said.as_deref());
        Ok(Order { mode, who, why: text("reason", &self.reason, TEXT_CHARS_MAX)? })
    }
}

fn lasts(seconds: u64) -> Result<Duration, String> {
    match seconds {
        1.. if seconds <= FOR_MAX.as_secs() => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("forSeconds: expected 1 to {}", FOR_MAX.as_secs())),
    }
}

/// A breaker, to be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    state: &'static str,
    mode: &'static str,
    observe: bool,
    reason: &'a str,
    changed_at: String,
    /// Only while it is open by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    probes_in_ms: Option<u64>,
    /// Only where it is forced for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl<'a> Shown<'a> {
    fn new(status: &'a Status, now: Timestamp) -> Self {
        let lasts = match status.mode {
            Mode::Automatic => None,
            Mode::Forced { lasts, .. } => lasts,
        };
        let expires_at = lasts
            .and_then(|lasts| SignedDuration::try_from(lasts).ok())
            .and_then(|lasts| now.checked_add(lasts).ok())
            .map(|at| at.to_string());
        Self {
            name: &status.name,
            state: status.state.name(),
            mode: status.mode.name(),
            observe: status.observe,
            reason: &status.reason,
            changed_at: status.changed_at.to_string(),
            probes_in_ms: status.probes_in.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            expires_at,
        }
    }
}

/// All breakers.
pub(super) fn list(statuses: &[Status], now: Timestamp) -> String {
    #[derive(Serialize)]
    struct List<'a> {
        breakers: Vec<Shown<'a>>,
    }
    let breakers = statuses.iter().map(|status| Shown::new(status, now)).collect();
    serde_json::to_string(&List { breakers }).expect("plain values")
}
