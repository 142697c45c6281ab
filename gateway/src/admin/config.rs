//! `/admin/config`: the configuration in force.
use hyper::StatusCode;

use super::respond::json;
use super::state::Admin;
use crate::edge::HttpResponse;

impl Admin {
    pub(super) fn show_config(&self) -> HttpResponse {
        json(
            StatusCode::OK,
            serde_json::to_string(&self.reloader.shown()).expect("plain values"),
        )
    }
}
