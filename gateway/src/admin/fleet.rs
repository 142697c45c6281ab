//! Changes of the settings that all gateways obey. Each kind's endpoint makes a [`SettingRequest`]
//! of its body. This writes it to the meta database or, for `here`, has this process alone obey.
use std::fmt::Display;
use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json as value_of};
use shards::Shards;
use shards::meta::ChangeError;
use shards::meta::{FleetChange, FleetValue};
use shards::store::StoreError;

use super::attribution::Attribution;
use super::expiry::expiry;
use super::respond::{fault, json};
use super::state::Admin;
use super::token::AdminCaller;
use crate::edge::HttpResponse;
use crate::fleet::Fleet;
use crate::fleet::registry::SettingOverride;

/// An event stays in the meta database for so long, for gateways that follow late.
pub(super) const EVENT_KEPT: Duration = Duration::from_mins(15);

/// The room that columns of the meta database have, in characters.
const TARGET_CHARS_MAX: usize = 256;
const VALUE_CHARS_MAX: usize = 2_000;
/// The same for the audit log, less the ` here` of a change on one gateway alone.
const WHAT_CHARS_MAX: usize = 58;

/// A request to change a setting.
#[derive(Debug)]
pub(super) struct SettingRequest {
    pub(super) kind: &'static str,
    pub(super) target: String,
    /// `None` clears the setting.
    pub(super) value: Option<Value>,
    pub(super) for_seconds: Option<u64>,
    pub(super) who: Option<String>,
    pub(super) why: String,
    /// What the audit log calls it.
    pub(super) what: String,
    /// This process alone obeys, without the meta database.
    pub(super) here: bool,
}

/// A request that has no more than who asks, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlainRequest {
    pub(super) who: Option<String>,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) here: bool,
}

impl PlainRequest {
    /// Makes it a request to clear a setting.
    pub(super) fn clearing(self, kind: &'static str, target: &str, what: &str) -> SettingRequest {
        let Self {
            who,
            reason: why,
            here,
        } = self;
        let (target, what) = (target.to_owned(), what.to_owned());
        SettingRequest {
            kind,
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

impl Admin {
    /// Makes a change, if it is valid.
    pub(super) async fn change_fleet(
        &self,
        caller: &AdminCaller,
        asked: SettingRequest,
    ) -> HttpResponse {
        match change(&self.fleet, &self.shards, caller, asked).await {
            Ok(answer) => json(StatusCode::OK, answer.to_string()),
            Err((status, why)) => fault(status, &why),
        }
    }
}

/// The response to a change.
type ChangeResult = Result<Value, (StatusCode, String)>;

async fn change(
    fleet: &Fleet,
    shards: &Shards,
    caller: &AdminCaller,
    asked: SettingRequest,
) -> ChangeResult {
    let bad = |why: String| (StatusCode::BAD_REQUEST, why);
    let now = Timestamp::now();
    let record = Attribution {
        who: asked.who,
        reason: asked.why,
    };
    let (who, why) = record.checked(caller).map_err(bad)?;
    let expires_at = asked
        .for_seconds
        .map(|seconds| expiry(now, seconds))
        .transpose()
        .map_err(bad)?;
    match &asked.value {
        Some(value) => fleet.check(asked.kind, &asked.target, value).map_err(bad)?,
        None if asked.here => {}
        None => check_clearing(fleet, shards, asked.kind, &asked.target).await?,
    }
    let SettingRequest {
        kind,
        target,
        value,
        what,
        here,
        ..
    } = asked;
    if target.chars().count() > TARGET_CHARS_MAX {
        return Err(bad(format!(
            "the name of what it is for is too long: expected at most {TARGET_CHARS_MAX} characters"
        )));
    }
    if here {
        return override_here(
            fleet,
            shards,
            LocalChange {
                kind,
                target,
                value,
                expires_at,
                who,
                why,
                what,
            },
        )
        .await;
    }
    tracing::info!(
        kind,
        what,
        who,
        why,
        "a setting for all gateways is changed"
    );
    let to = value.map(|value| FleetValue {
        json: value.to_string(),
        expires_at,
    });
    if to
        .as_ref()
        .is_some_and(|to| to.json.chars().count() > VALUE_CHARS_MAX)
    {
        return Err(bad(format!(
            "the value is too long: expected at most {VALUE_CHARS_MAX} characters"
        )));
    }
    let change = FleetChange {
        kind: kind.to_owned(),
        target,
        to,
        who,
        why,
        what,
    };
    let revision = shards
        .change_fleet(&change)
        .await
        .map_err(|error| unchanged(&error, "the setting"))?;
    fleet.obeyed(revision).await;
    Ok(value_of!({ "revision": revision }))
}

/// A setting that exists can be cleared, whatever its target. For any other the target must exist:
/// a misspelt one would be reported as obeyed.
async fn check_clearing(
    fleet: &Fleet,
    shards: &Shards,
    kind: &str,
    target: &str,
) -> Result<(), (StatusCode, String)> {
    let Err(why) = fleet.check_target(kind, target) else {
        return Ok(());
    };
    let unread = |error: StoreError| unchanged(&ChangeError::NotMade(error), "the setting");
    if is_set(shards, kind, target).await.map_err(unread)? {
        Ok(())
    } else {
        Err((StatusCode::BAD_REQUEST, why))
    }
}

/// Whether a setting is in the meta database.
pub(super) async fn is_set(shards: &Shards, kind: &str, target: &str) -> Result<bool, StoreError> {
    let settings = shards.fleet_settings().await?;
    Ok(settings
        .iter()
        .any(|setting| (setting.kind.as_str(), setting.target.as_str()) == (kind, target)))
}

/// A change that this process alone obeys.
struct LocalChange {
    kind: &'static str,
    target: String,
    value: Option<Value>,
    expires_at: Option<Timestamp>,
    who: String,
    why: String,
    what: String,
}

async fn override_here(fleet: &Fleet, shards: &Shards, here: LocalChange) -> ChangeResult {
    let LocalChange {
        kind,
        target,
        value,
        expires_at,
        who,
        why,
        what,
    } = here;
    tracing::warn!(kind, what, who, why, "this gateway alone obeys a setting");
    match value {
        Some(value) => {
            let (kind, target) = (kind.to_owned(), target.clone());
            let here = SettingOverride {
                kind,
                target,
                value,
                expires_at,
                who: who.clone(),
                why: why.clone(),
            };
            fleet
                .override_setting(here)
                .map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        }
        None if fleet.clear_override(kind, &target) => {}
        None => return Err((StatusCode::NOT_FOUND, nothing_here(&target))),
    }
    note_here(fleet, shards, (&who, &why), &what, &target).await;
    Ok(value_of!({ "here": fleet.name() }))
}

pub(super) fn nothing_here(target: impl Display) -> String {
    format!("nothing is set for {target} on this gateway alone")
}

/// Records what this process alone obeys, in the audit log or at least in its own log: a change
/// that helps now must not wait for its record.
pub(super) async fn note_here(
    fleet: &Fleet,
    shards: &Shards,
    record: (&str, &str),
    what: &str,
    target: &str,
) {
    let (who, why) = record;
    let what: String = what.chars().take(WHAT_CHARS_MAX).collect();
    shards
        .note(
            who,
            format!("{what} here"),
            format!("{target} on {}", fleet.name()),
            why,
        )
        .await;
}

/// The response to a change that was not confirmed. `subject` is what was to change.
pub(super) fn unchanged(error: &ChangeError, subject: &str) -> (StatusCode, String) {
    tracing::error!(%error, subject, "a change was not confirmed");
    match error {
        ChangeError::InDoubt(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "it is not known whether {subject} was changed: the meta database did not confirm it. Look at the \
                 list, and ask again"
            ),
        ),
        ChangeError::NotMade(StoreError::Data(why)) => (
            StatusCode::BAD_REQUEST,
            format!("{subject} was not changed: the meta database refuses it: {why}"),
        ),
        ChangeError::NotMade(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the meta database is unavailable: {subject} was not changed. To have one gateway obey without it, \
                 ask with --here (\"here\": true)"
            ),
        ),
        ChangeError::TooMany(_) => (StatusCode::CONFLICT, error.to_string()),
    }
}
