//! `/admin/breakers`: the breakers of this process, and changing those of all gateways.
use std::future::{Ready, ready};

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shards::breaker::{BreakerControl, BreakerStatus};

use crate::admin::call::AdminCall;
use crate::admin::fleet;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::edge::HttpResponse;
use crate::fleet::kinds::{BREAKER, BreakerMode};
use crate::text::to_the_second;

/// A request to set a breaker's mode.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetBreaker {
    name: String,
    mode: BreakerMode,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    here: bool,
}

impl Admin {
    pub(super) fn list_breakers(&self, _: AdminCall) -> Ready<HttpResponse> {
        let shown = list(&self.shards.breakers().list(), Timestamp::now());
        ready(json(StatusCode::OK, shown))
    }

    pub(super) async fn set_breaker(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        match read::<SetBreaker>(request)
            .await
            .and_then(SetBreaker::change)
        {
            Ok(asked) => self.change_fleet(&caller, asked).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    pub(super) async fn clear_breaker(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        match read::<ClearBreaker>(request).await {
            Ok(asked) => self.change_fleet(&caller, asked.change()).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }
}

impl SetBreaker {
    /// The change that is asked for, or which field is wrong.
    fn change(self) -> Result<fleet::SettingRequest, String> {
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
        Ok(fleet::SettingRequest {
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

/// A request to clear a breaker's mode: it decides by itself again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearBreaker {
    name: String,
    who: Option<String>,
    reason: String,
    #[serde(default)]
    here: bool,
}

impl ClearBreaker {
    /// The change that is asked for.
    fn change(self) -> fleet::SettingRequest {
        let Self {
            name,
            who,
            reason,
            here,
        } = self;
        fleet::PlainRequest { who, reason, here }.clearing(BREAKER, &name, "breaker cleared")
    }
}

/// A breaker, to be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BreakerView<'a> {
    name: &'a str,
    state: &'static str,
    mode: &'static str,
    observe: bool,
    reason: &'a str,
    changed_at: String,
    /// Only while it has opened by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    probes_in_ms: Option<u64>,
    /// Only where it is forced for a limited time.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl<'a> BreakerView<'a> {
    fn new(status: &'a BreakerStatus, now: Timestamp) -> Self {
        let lasts = match status.mode {
            BreakerControl::Automatic => None,
            BreakerControl::Forced { lasts, .. } => lasts,
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
fn list(statuses: &[BreakerStatus], now: Timestamp) -> String {
    #[derive(Serialize)]
    struct BreakerList<'a> {
        breakers: Vec<BreakerView<'a>>,
    }
    let breakers = statuses
        .iter()
        .map(|status| BreakerView::new(status, now))
        .collect();
    serde_json::to_string(&BreakerList { breakers }).expect("plain values")
}
