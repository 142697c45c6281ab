//! `/admin/breakers`: how the breakers of this process stand, and what operations tell those of
//! all.
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shards::breaker::{Mode, Status};

use super::text::to_the_second;
use super::token::Caller;
use super::{Admin, fault, fleet, read};
use crate::edge::HttpResponse;
use crate::fleet::kinds::{BREAKER, BreakerMode};

/// A request to tell a breaker what to do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    name: String,
    mode: BreakerMode,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    here: bool,
}

impl Admin {
    pub(super) async fn set_breaker(
        &self,
        caller: &Caller,
        request: Request<Incoming>,
    ) -> HttpResponse {
        match read::<Asked>(request).await.and_then(Asked::change) {
            Ok(asked) => self.change_fleet(caller, asked).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    pub(super) async fn clear_breaker(
        &self,
        caller: &Caller,
        request: Request<Incoming>,
    ) -> HttpResponse {
        match read::<AskedToClear>(request).await {
            Ok(asked) => self.change_fleet(caller, asked.change()).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }
}

impl Asked {
    /// The change that is asked for, or which field is wrong.
    fn change(self) -> Result<fleet::Asked, String> {
        let Self {
            name,
            mode,
            who,
            reason,
            for_seconds,
            here,
        } = self;
        if mode == BreakerMode::Automatic && for_seconds.is_some() {
            return Err("forSeconds: goes with a forced mode".to_owned());
        }
        let value = serde_json::to_value(mode).expect("a plain value");
        let what = format!("breaker {}", value.as_str().unwrap_or_default());
        let value = Some(value);
        Ok(fleet::Asked {
            kind: BREAKER,
            target: name,
            value,
            for_seconds,
            who,
            why: reason,
            what,
            here,
        })
    }
}

/// A request to take back what is set for a breaker: it decides itself again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedToClear {
    name: String,
    who: Option<String>,
    reason: String,
    #[serde(default)]
    here: bool,
}

impl AskedToClear {
    /// The change that is asked for.
    fn change(self) -> fleet::Asked {
        let Self {
            name: target,
            who,
            reason: why,
            here,
        } = self;
        let what = "breaker cleared".to_owned();
        fleet::Asked {
            kind: BREAKER,
            target,
            value: None,
            for_seconds: None,
            who,
            why,
            what,
            here,
        }
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
            .map(to_the_second);
        Self {
            name: &status.name,
            state: status.state.name(),
            mode: status.mode.name(),
            observe: status.observe,
            reason: &status.reason,
            changed_at: to_the_second(status.changed_at),
            probes_in_ms: status
                .probes_in
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
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
    let breakers = statuses
        .iter()
        .map(|status| Shown::new(status, now))
        .collect();
    serde_json::to_string(&List { breakers }).expect("plain values")
}
