//! `/admin/log`: the log filter of the gateways, for a limited time.
use std::future::{Ready, ready};

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json as value_of;

use crate::admin::call::AdminCall;
use crate::admin::fleet;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::edge::HttpResponse;
use crate::fleet::kinds::{LOG, LOG_FILTER};

/// A request to log by another filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetLogFilter {
    filter: String,
    who: Option<String>,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    here: bool,
}

impl Admin {
    /// The filter that is set on this gateway; `null` where the configured one is in force.
    pub(super) fn show_log(&self, _: AdminCall) -> Ready<HttpResponse> {
        let shown = value_of!({ "filterSet": self.reloader.shown().log_filter_set });
        ready(json(StatusCode::OK, shown.to_string()))
    }

    pub(super) async fn set_log(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let SetLogFilter {
            filter,
            who,
            reason,
            for_seconds,
            here,
        } = match read(request).await {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let asked = fleet::SettingRequest {
            kind: LOG,
            target: LOG_FILTER.to_owned(),
            value: Some(filter.into()),
            for_seconds,
            who,
            why: reason,
            what: "log filter set".to_owned(),
            here,
        };
        self.change_fleet(&caller, asked).await
    }

    pub(super) async fn clear_log(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        match read::<fleet::PlainRequest>(request).await {
            Ok(asked) => {
                self.change_fleet(
                    &caller,
                    asked.clearing(LOG, LOG_FILTER, "log filter cleared"),
                )
                .await
            }
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }
}
