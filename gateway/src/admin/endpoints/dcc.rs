//! `dcc/update_config`: how the reference changes a switch.
use hyper::StatusCode;
use market::switches::{Setting, Share, Switch};
use shards::meta::{SwitchChange, SwitchTo};

use super::look_ups::field;
use crate::admin::call::AdminCall;
use crate::admin::respond::fault;
use crate::admin::state::Admin;
use crate::edge::HttpResponse;

impl Admin {
    /// `dcc/update_config` of the reference: `degradeSwitch` and `rateLimiterSwitch` are `open`
    /// or `close`. An open degrade switch turns draws off, an open limiter switch limits on.
    pub(super) async fn update_config(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let field = |name: &str| field::<String>(&query, name).map(Option::unwrap_or_default);
        let (key, value) = match (field("key"), field("value")) {
            (Ok(key), Ok(value)) => (key, value),
            (Err(why), _) | (_, Err(why)) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let (switch, share) = match (key.as_str(), value.as_str()) {
            ("degradeSwitch", "open") => (Switch::Draw, Share::OFF),
            ("degradeSwitch", "close") => (Switch::Draw, Share::ON),
            ("rateLimiterSwitch", "open") => (Switch::Limits, Share::ON),
            ("rateLimiterSwitch", "close") => (Switch::Limits, Share::OFF),
            ("degradeSwitch" | "rateLimiterSwitch", _) => {
                return fault(StatusCode::BAD_REQUEST, "value: expected open or close");
            }
            _ => {
                return fault(
                    StatusCode::BAD_REQUEST,
                    "key: expected degradeSwitch or rateLimiterSwitch",
                );
            }
        };
        let setting = Setting {
            switch,
            activity: None,
            share,
            observe: false,
            expires_at: None,
        };
        let change = SwitchChange {
            to: SwitchTo::Set(setting),
            who: caller.who(Some("dcc/update_config")),
            why: key,
        };
        self.change_switch(change).await
    }
}
