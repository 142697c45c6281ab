//! `/admin/config`: the configuration in force.
use std::future::{Ready, ready};

use hyper::StatusCode;

use crate::admin::call::AdminCall;
use crate::admin::respond::json;
use crate::admin::state::Admin;
use crate::edge::HttpResponse;

impl Admin {
    pub(super) fn show_config(&self, _: AdminCall) -> Ready<HttpResponse> {
        let shown = serde_json::to_string(&self.reloader.shown()).expect("plain values");
        ready(json(StatusCode::OK, shown))
    }
}
