//! `/admin/switches`: how the degrade switches are set, changing them, and the history of changes.
use std::future::{Ready, ready};

use hyper::StatusCode;
use jiff::Timestamp;
use market::ActivityId;
use market::campaign::Catalogue;
use market::switches::{Origin, Setting, Share, Switch, Switches};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value_of};
use shards::meta::{PastSwitchChange, SwitchChange, SwitchTo};

use crate::admin::attribution::Attribution;
use crate::admin::call::AdminCall;
use crate::admin::expiry::expiry;
use crate::admin::fleet;
use crate::admin::fleet::nothing_here;
use crate::admin::respond::{fault, json, meta_unavailable, read};
use crate::admin::state::Admin;
use crate::admin::token::AdminCaller;
use crate::edge::HttpResponse;
use crate::fleet::registry::OVERRIDES_MAX;
use crate::text::to_the_second;

/// The most published activities that an error about an unpublished one names.
const ACTIVITIES_SHOWN_MAX: usize = 20;

impl Admin {
    pub(super) fn list_switches(&self, _: AdminCall) -> Ready<HttpResponse> {
        ready(json(StatusCode::OK, self.switches().to_string()))
    }

    fn switches(&self) -> Value {
        list(self.shards.catalogue().switches(), Timestamp::now())
    }

    pub(super) async fn switch_history(&self, _: AdminCall) -> HttpResponse {
        match self.shards.switch_changes().await {
            Ok(changes) => json(StatusCode::OK, history(&changes)),
            Err(error) => meta_unavailable(&error),
        }
    }

    pub(super) async fn set_switch(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let asked = read::<SetSwitch>(request).await.and_then(|asked| {
            let here = asked.here;
            Ok((
                asked.change(&caller, Timestamp::now(), &self.shards.catalogue())?,
                here,
            ))
        });
        self.change_or_override(asked).await
    }

    pub(super) async fn clear_switch(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let asked = read::<ClearSwitch>(request).await.and_then(|asked| {
            let here = asked.here;
            Ok((asked.change(&caller)?, here))
        });
        self.change_or_override(asked).await
    }

    async fn change_or_override(
        &self,
        asked: Result<(SwitchChange, bool), String>,
    ) -> HttpResponse {
        match asked {
            Ok((change, true)) => self.override_switch(&change).await,
            Ok((change, false)) => self.change_switch(change).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    /// Changes a switch for all gateways.
    pub(super) async fn change_switch(&self, change: SwitchChange) -> HttpResponse {
        let SwitchChange { to, who, why } = &change;
        let (switch, activity) = to.key();
        tracing::info!(%switch, value = to.value(), ?activity, who, why, "a switch is changed");
        match self.shards.change_switch(&change).await {
            Ok(revision) => {
                let mut answer = self.switches();
                answer["revision"] = revision.into();
                json(StatusCode::OK, answer.to_string())
            }
            Err(error) => {
                let (status, why) = fleet::unchanged(&error, "the switch");
                fault(status, &why)
            }
        }
    }

    /// Has this process alone obey, from memory, without the meta database.
    async fn override_switch(&self, change: &SwitchChange) -> HttpResponse {
        let SwitchChange { to, who, why } = change;
        let (switch, activity) = to.key();
        let catalogue = self.shards.catalogue().clone();
        if let Err((status, why)) = overridable(catalogue.switches(), to, Timestamp::now()) {
            return fault(status, &why);
        }
        tracing::warn!(%switch, value = to.value(), ?activity, who, why, "this gateway alone obeys a switch");
        self.shards.override_switch(to);
        self.fleet.wake();
        let what = format!("switch {switch} {}", to.value());
        let of = activity.map_or("all activities".to_owned(), |activity| {
            format!("activity {activity}")
        });
        fleet::note_here(&self.fleet, &self.shards, (who, why), &what, &of).await;
        let mut answer = self.switches();
        answer["here"] = self.fleet.name().into();
        json(StatusCode::OK, answer.to_string())
    }
}

/// Whether this process alone can obey. An override that exists may be changed and cleared.
fn overridable(
    switches: &Switches,
    to: &SwitchTo,
    now: Timestamp,
) -> Result<(), (StatusCode, String)> {
    let here = || {
        switches
            .current(now)
            .filter(|(_, origin)| *origin == Origin::Here)
    };
    if here().any(|(setting, _)| (setting.switch, setting.activity) == to.key()) {
        return Ok(());
    }
    match to {
        SwitchTo::Cleared((switch, _)) => Err((StatusCode::NOT_FOUND, nothing_here(switch))),
        SwitchTo::Set(_) if here().count() >= OVERRIDES_MAX => Err((
            StatusCode::CONFLICT,
            "there are too many overrides on this gateway: take some back first".to_owned(),
        )),
        SwitchTo::Set(_) => Ok(()),
    }
}

/// A request to set a switch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetSwitch {
    name: String,
    value: String,
    activity: Option<u64>,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    observe: bool,
    #[serde(default)]
    here: bool,
}

impl SetSwitch {
    /// The change that is asked for, or which field is wrong.
    fn change(
        self,
        caller: &AdminCaller,
        now: Timestamp,
        catalogue: &Catalogue,
    ) -> Result<SwitchChange, String> {
        let switch: Switch = self
            .name
            .parse()
            .map_err(|error| format!("name: {error}"))?;
        let share: Share = self
            .value
            .parse()
            .map_err(|error| format!("value: {error}"))?;
        let activity = self.activity.map(activity).transpose()?;
        if let Some(activity) = activity {
            published(activity, catalogue)?;
        }
        let expires_at = self
            .for_seconds
            .map(|seconds| expiry(now, seconds))
            .transpose()?;
        let setting = Setting {
            switch,
            activity,
            share,
            observe: self.observe,
            expires_at,
        };
        record(SwitchTo::Set(setting), caller, self.who, self.reason)
    }
}

/// A request to clear a setting.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearSwitch {
    name: String,
    activity: Option<u64>,
    who: Option<String>,
    reason: String,
    #[serde(default)]
    here: bool,
}

impl ClearSwitch {
    /// The change that is asked for, or which field is wrong.
    fn change(self, caller: &AdminCaller) -> Result<SwitchChange, String> {
        let switch: Switch = self
            .name
            .parse()
            .map_err(|error| format!("name: {error}"))?;
        // Every setting can be cleared, also that of an activity that no longer exists.
        let activity = self.activity.map(activity).transpose()?;
        record(
            SwitchTo::Cleared((switch, activity)),
            caller,
            self.who,
            self.reason,
        )
    }
}

fn record(
    to: SwitchTo,
    caller: &AdminCaller,
    who: Option<String>,
    reason: String,
) -> Result<SwitchChange, String> {
    let (who, why) = Attribution { who, reason }.checked(caller)?;
    Ok(SwitchChange { to, who, why })
}

fn activity(id: u64) -> Result<ActivityId, String> {
    ActivityId::new(id).ok_or_else(|| "activity: expected 1 to 2^63-1".to_owned())
}

fn published(activity: ActivityId, catalogue: &Catalogue) -> Result<(), String> {
    if catalogue.activity(activity).is_some() {
        return Ok(());
    }
    let mut ids: Vec<ActivityId> = catalogue
        .campaigns()
        .map(|published| published.campaign.activity.id)
        .collect();
    ids.sort_unstable();
    let shown: Vec<String> = ids
        .iter()
        .take(ACTIVITIES_SHOWN_MAX)
        .map(ToString::to_string)
        .collect();
    let more = if ids.len() > shown.len() { ", ..." } else { "" };
    let there = if shown.is_empty() {
        "none is".to_owned()
    } else {
        format!("these are: {}{more}", shown.join(", "))
    };
    Err(format!("activity: {activity} is not published; {there}"))
}

/// A setting, to be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SwitchView {
    name: &'static str,
    /// `null` for all.
    activity: Option<u64>,
    value: String,
    /// Only counted, not obeyed.
    observe: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Who obeys it.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
}

impl SwitchView {
    fn of(setting: &Setting, origin: Option<&'static str>) -> Self {
        Self {
            origin,
            name: setting.switch.name(),
            activity: setting.activity.map(ActivityId::get),
            value: setting.share.to_string(),
            observe: setting.observe,
            expires_at: setting.expires_at.map(to_the_second),
        }
    }
}

/// All switches. One that is not set, or whose setting has expired, is in its normal state.
fn list(switches: &Switches, now: Timestamp) -> Value {
    let current: Vec<(Setting, Origin)> = switches.current(now).collect();
    let mut shown = Vec::new();
    for switch in Switch::ALL {
        let obeyed = |setting: &Setting| {
            setting.switch == switch && setting.activity.is_none() && !setting.observe
        };
        if !current.iter().any(|(setting, _)| obeyed(setting)) {
            let normal = Setting {
                switch,
                activity: None,
                share: switch.normal(),
                observe: false,
                expires_at: None,
            };
            shown.push(SwitchView::of(&normal, Some("normal")));
        }
        let of_switch = current
            .iter()
            .filter(|(setting, _)| setting.switch == switch);
        shown.extend(
            of_switch.map(|(setting, origin)| SwitchView::of(setting, Some(name(*origin)))),
        );
    }
    value_of!({ "switches": shown })
}

const fn name(origin: Origin) -> &'static str {
    match origin {
        Origin::Fleet => "all",
        Origin::Here => "here",
    }
}

/// What was changed, newest first.
fn history(changes: &[PastSwitchChange]) -> String {
    let changes: Vec<Value> = changes.iter().map(past).collect();
    value_of!({ "changes": changes }).to_string()
}

fn past(past: &PastSwitchChange) -> Value {
    let PastSwitchChange { at, change, before } = past;
    let mut shown = match &change.to {
        SwitchTo::Set(setting) => {
            serde_json::to_value(SwitchView::of(setting, None)).expect("a plain value")
        }
        SwitchTo::Cleared((switch, activity)) => {
            let activity = activity.map(ActivityId::get);
            value_of!({ "name": switch.name(), "activity": activity, "value": "normal", "observe": false, "cleared": true })
        }
    };
    shown["at"] = at.to_string().into();
    shown["who"] = change.who.clone().into();
    shown["reason"] = change.why.clone().into();
    shown["before"] = before.clone().into();
    shown
}
