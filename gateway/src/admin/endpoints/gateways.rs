//! `/admin/gateways`: the gateways and the revision that each obeys; forgetting a gateway, taking
//! one out of rotation.
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json as value_of};
use shards::meta::{Gateway, SILENT_AFTER};
use shards::store::StoreError;

use crate::admin::attribution::Attribution;
use crate::admin::call::AdminCall;
use crate::admin::fleet;
use crate::admin::respond::{fault, json, meta_unavailable, read};
use crate::admin::state::Admin;
use crate::edge::HttpResponse;
use crate::fleet::kinds::ROTATION;
use crate::text::to_the_second;

/// A request to forget a gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgetGateway {
    name: String,
    who: Option<String>,
    reason: String,
}

/// A request to take a gateway out of rotation, or to put it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RotateGateway {
    name: String,
    out: bool,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    here: bool,
}

impl Admin {
    pub(super) async fn list_gateways(&self, AdminCall { query, .. }: AdminCall) -> HttpResponse {
        let revision = match asked_revision(&query) {
            Ok(revision) => revision,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        self.shown_gateways(revision).await
    }

    async fn shown_gateways(&self, revision: Option<u64>) -> HttpResponse {
        match self.shards.gateways().await {
            Ok(gateways) => json(StatusCode::OK, list(&gateways, revision)),
            Err(error) => meta_unavailable(&error),
        }
    }

    pub(super) async fn forget_gateway(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let asked =
            read::<ForgetGateway>(request)
                .await
                .and_then(|ForgetGateway { name, who, reason }| {
                    let (who, why) = Attribution { who, reason }.checked(&caller)?;
                    Ok((name, who, why))
                });
        let (name, who, why) = match asked {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let gateways = match self.shards.gateways().await {
            Ok(gateways) => gateways,
            Err(error) => return meta_unavailable(&error),
        };
        let instance = match forgettable(&gateways, &name) {
            Ok(gateway) => &gateway.report.instance,
            Err(why) => return fault(StatusCode::CONFLICT, &why),
        };
        tracing::info!(name, who, why, "a gateway is forgotten");
        match self.shards.remove_gateway(&name, instance).await {
            Ok(()) => {
                self.shards
                    .note(&who, "gateway forgotten".to_owned(), name, &why)
                    .await;
                self.shown_gateways(None).await
            }
            Err(error) => meta_unavailable(&error),
        }
    }

    pub(super) async fn rotate(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let RotateGateway {
            name,
            out,
            who,
            reason,
            for_seconds,
            here,
        } = match read(request).await {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        if here && name != self.fleet.name() {
            let own = self.fleet.name();
            return fault(
                StatusCode::BAD_REQUEST,
                &format!("name: this gateway is {own}; ask {name} itself"),
            );
        }
        if !here {
            match self.unknown_gateway(&name, out).await {
                Ok(None) => {}
                Ok(Some(why)) => return fault(StatusCode::BAD_REQUEST, &format!("name: {why}")),
                Err(error) => return meta_unavailable(&error),
            }
        }
        let what = if out {
            "gateway out of rotation"
        } else {
            "gateway in rotation"
        };
        let asked = fleet::SettingRequest {
            kind: ROTATION,
            target: name,
            value: out.then_some(Value::Bool(true)),
            for_seconds,
            who,
            why: reason,
            what: what.to_owned(),
            here,
        };
        self.change_fleet(&caller, asked).await
    }

    /// What is wrong with the name of a gateway. One that has left the list can be put back too.
    async fn unknown_gateway(&self, name: &str, out: bool) -> Result<Option<String>, StoreError> {
        let gateways = self.shards.gateways().await?;
        let Err(why) = find(&gateways, name) else {
            return Ok(None);
        };
        let was_out = !out && fleet::is_set(&self.shards, ROTATION, name).await?;
        Ok((!was_out).then_some(why))
    }
}

/// The state of a gateway, by its reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GatewayState {
    /// It reports.
    Live,
    /// It reports, and is out of rotation.
    Out,
    /// It has not reported for a while.
    Silent,
}

impl GatewayState {
    fn of(gateway: &Gateway) -> Self {
        match gateway {
            Gateway { age, .. } if *age >= SILENT_AFTER => Self::Silent,
            Gateway { report, .. } if !report.out_because.is_empty() => Self::Out,
            _ => Self::Live,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Out => "out",
            Self::Silent => "silent",
        }
    }
}

/// Whether a gateway is known to obey everything that was set up to a revision.
fn obeys(gateway: &Gateway, revision: u64) -> bool {
    GatewayState::of(gateway) != GatewayState::Silent && gateway.report.revision >= revision
}

/// The list; with a revision also whether each obeys it.
fn list(gateways: &[Gateway], revision: Option<u64>) -> String {
    value_of!({ "gateways": gateways.iter().map(|gateway| shown(gateway, revision)).collect::<Vec<_>>() }).to_string()
}

fn shown(gateway: &Gateway, revision: Option<u64>) -> Value {
    let report = &gateway.report;
    let notes = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
    let mut shown = value_of!({
        "name": report.name,
        "admin": report.admin,
        "version": report.version,
        "revision": report.revision,
        "lastSeenMs": u64::try_from(gateway.age.as_millis()).unwrap_or(u64::MAX),
        "state": GatewayState::of(gateway).name(),
        "configHash": report.config_hash,
        "startedAt": to_the_second(report.started_at),
        "overrides": notes(&report.overrides),
        "failures": notes(&report.failures),
    });
    if !report.out_because.is_empty() {
        shown["outBecause"] = report.out_because.clone().into();
    }
    if let Some(revision) = revision {
        shown["obeys"] = obeys(gateway, revision).into();
    }
    shown
}

/// The revision that a query asks about.
fn asked_revision(query: &str) -> Result<Option<u64>, String> {
    let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "revision");
    let parsed = found.map(|(_, value)| {
        value
            .parse()
            .map_err(|_| "revision: expected an integer".to_owned())
    });
    parsed.transpose()
}

/// The gateway, if it may be forgotten; the error says why not.
fn forgettable<'a>(gateways: &'a [Gateway], name: &str) -> Result<&'a Gateway, String> {
    let gateway = find(gateways, name)?;
    match GatewayState::of(gateway) {
        GatewayState::Silent => Ok(gateway),
        _ => Err(format!(
            "{name} reported {} s ago: stop it, then it leaves the list",
            gateway.age.as_secs()
        )),
    }
}

/// A gateway by its name.
fn find<'a>(gateways: &'a [Gateway], name: &str) -> Result<&'a Gateway, String> {
    gateways
        .iter()
        .find(|gateway| gateway.report.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = gateways
                .iter()
                .map(|gateway| gateway.report.name.as_str())
                .collect();
            format!(
                "there is no gateway {name:?}; there are {}",
                names.join(", ")
            )
        })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use shards::meta::GatewayReport;

    use super::*;

    fn gateway(name: &str, revision: u64, age_s: u64, out_because: &str) -> Gateway {
        let report = GatewayReport {
            name: name.to_owned(),
            instance: "1".to_owned(),
            admin: "127.0.0.1:1".to_owned(),
            version: "1".to_owned(),
            revision,
            config_hash: "0".to_owned(),
            overrides: "[]".to_owned(),
            failures: "[]".to_owned(),
            out_because: out_because.to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
        };
        Gateway {
            report,
            age: Duration::from_secs(age_s),
        }
    }

    #[test]
    fn only_who_reported_lately_counts_as_obeying() {
        let gateways = [
            gateway("a", 7, 9, ""),
            gateway("b", 6, 0, "by w: y"),
            gateway("c", 9, 10, ""),
        ];
        let list: Value = serde_json::from_str(&list(&gateways, Some(7))).expect("JSON");
        let of = |field: &str| {
            let gateways = list["gateways"].as_array().expect("a list");
            gateways
                .iter()
                .map(|gateway| gateway[field].clone())
                .collect::<Vec<Value>>()
        };
        assert_eq!(of("obeys"), [true, false, false].map(Value::from));
        assert_eq!(of("state"), ["live", "out", "silent"].map(Value::from));
        assert_eq!(of("lastSeenMs"), [9_000, 0, 10_000].map(Value::from));
        assert!(forgettable(&gateways, "a").is_err() && forgettable(&gateways, "c").is_ok());
        assert!(forgettable(&gateways, "d").is_err_and(|why| why.contains("a, b, c")));
    }
}
