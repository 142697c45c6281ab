//! `/admin/limits`: the limits of this gateway, configured and in force, and overriding those of
//! all gateways.
use std::future::{Ready, ready};

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json as value_of};

use crate::admin::call::AdminCall;
use crate::admin::fleet;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::edge::HttpResponse;
use crate::fleet::kinds::LIMIT;
use crate::text::to_the_second;

use crate::limits::overrides::{ListedLimit, to_json};

/// A request to override a limit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetLimit {
    target: String,
    /// As [`crate::limits::overrides`] reads it.
    limit: Value,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    here: bool,
}

/// A request to clear the override.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearLimit {
    target: String,
    who: Option<String>,
    reason: String,
    #[serde(default)]
    here: bool,
}

impl Admin {
    pub(super) fn list_limits(&self, _: AdminCall) -> Ready<HttpResponse> {
        ready(json(StatusCode::OK, list(&self.limits.list())))
    }

    pub(super) async fn set_limit(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let SetLimit {
            target,
            limit,
            who,
            reason: why,
            for_seconds,
            here,
        } = match read(request).await {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let what = format!("limit {limit}").chars().take(64).collect();
        let asked = fleet::SettingRequest {
            kind: LIMIT,
            target,
            value: Some(limit),
            for_seconds,
            who,
            why,
            what,
            here,
        };
        self.change_fleet(&caller, asked).await
    }

    pub(super) async fn clear_limit(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let ClearLimit {
            target,
            who,
            reason,
            here,
        } = match read(request).await {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let asked = fleet::PlainRequest { who, reason, here };
        self.change_fleet(&caller, asked.clearing(LIMIT, &target, "limit cleared"))
            .await
    }
}

/// All limits that are configured or overridden.
fn list(limits: &[ListedLimit]) -> String {
    let there = limits
        .iter()
        .filter(|limit| limit.configured.is_some() || limit.overridden.is_some());
    value_of!({ "limits": there.map(shown).collect::<Vec<_>>() }).to_string()
}

fn shown(limit: &ListedLimit) -> Value {
    let origin = if limit.overridden.is_some() {
        "override"
    } else {
        "configuration"
    };
    let mut shown = Map::new();
    shown.insert("target".to_owned(), limit.target.to_string().into());
    shown.insert("origin".to_owned(), origin.into());
    shown.insert("inForce".to_owned(), to_json(limit.in_force().as_ref()));
    shown.insert("configured".to_owned(), to_json(limit.configured.as_ref()));
    if let Some(expires_at) = limit.overridden.and_then(|over| over.expires_at) {
        shown.insert("expiresAt".to_owned(), to_the_second(expires_at).into());
    }
    Value::Object(shown)
}
