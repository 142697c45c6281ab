//! `/admin/reload`: has the gateways read their configuration again.
use hyper::StatusCode;
use serde_json::Value;

use crate::admin::attribution::{Attribution, cut};
use crate::admin::call::AdminCall;
use crate::admin::fleet;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::admin::token::AdminCaller;
use crate::edge::HttpResponse;
use crate::fleet::kinds::{RELOAD, RELOAD_ALL};
use crate::reload::Reloaded;

impl Admin {
    pub(super) async fn reload(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        match read::<fleet::PlainRequest>(request).await {
            Ok(asked) if asked.here => self.reload_here(&caller, asked).await,
            Ok(asked) => {
                let fleet::PlainRequest { who, reason, here } = asked;
                let for_seconds = Some(fleet::EVENT_KEPT.as_secs());
                let (target, what) = (RELOAD_ALL.to_owned(), "reload".to_owned());
                let value = Some(Value::Bool(true));
                let asked = fleet::SettingRequest {
                    kind: RELOAD,
                    target,
                    value,
                    for_seconds,
                    who,
                    why: reason,
                    what,
                    here,
                };
                self.change_fleet(&caller, asked).await
            }
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    /// Has this process alone read it, and returns the outcome of each section.
    async fn reload_here(&self, caller: &AdminCaller, asked: fleet::PlainRequest) -> HttpResponse {
        let record = Attribution {
            who: asked.who,
            reason: asked.reason,
        };
        let (who, why) = match record.checked(caller) {
            Ok(record) => record,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let reloaded = self.reloader.reload();
        self.fleet
            .reloaded(reloaded.as_ref().is_ok_and(Reloaded::is_whole));
        match reloaded {
            Ok(reloaded) => {
                let summary = cut(reloaded.summary());
                self.shards
                    .note(&who, "reload here".to_owned(), summary, &why)
                    .await;
                let mut answer = serde_json::to_value(&reloaded).expect("plain values");
                answer["here"] = self.fleet.name().into();
                json(StatusCode::OK, answer.to_string())
            }
            Err(error) => fault(StatusCode::BAD_REQUEST, &error),
        }
    }
}
