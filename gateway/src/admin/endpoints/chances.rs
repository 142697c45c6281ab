//! `/admin/chances`: gives a user chances. `drawbridge chances grant` does the same in a lane of
//! its own where no server holds the data.
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use jiff::Timestamp;
use market::grant::{ChanceCount, GrantAsk, InvalidChances};
use market::switches::{Effect, Switch};
use market::{ActivityId, RechargeOrder, Refusal, RequestId, UserId};
use serde::{Deserialize, Serialize};
use shards::{CommandError, Shards};

use crate::admin::attribution::Attribution;
use crate::admin::call::AdminCall;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::admin::token::AdminCaller;
use crate::answer::{Code, Failure};
use crate::edge::HttpResponse;

/// A request to give a user chances.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ChancesRequest {
    /// Who gets them.
    pub user_id: String,
    /// In which activity.
    pub activity_id: u64,
    /// How many.
    pub chances: u64,
    /// Why, for the audit log.
    pub reason: String,
    /// The idempotency key.
    pub request_id: String,
    /// Who, for the audit log.
    pub who: Option<String>,
}

/// The same, with fields that are valid.
#[derive(Debug)]
pub struct CheckedChances {
    user: UserId,
    request: RequestId,
    ask: GrantAsk,
    who: String,
    why: String,
}

/// Chances that were given, as they are shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChancesGiven {
    recharge_order_id: String,
    request_id: String,
    activity_id: u64,
    chances: u32,
    /// What the account was granted in all; null where it cannot be read just now.
    total_granted: Option<u32>,
    /// Whether the same request was carried out earlier, and this one changed nothing.
    repeated: bool,
}

impl ChancesRequest {
    /// Checks the fields; the error names the one that is wrong.
    pub fn checked(self, caller: &AdminCaller) -> Result<CheckedChances, String> {
        let activity = ActivityId::new(self.activity_id);
        let count = u32::try_from(self.chances).map_err(|_| InvalidChances);
        let ask = GrantAsk {
            activity: activity
                .ok_or("activityId: expected an integer from 1 to 9223372036854775807")?,
            chances: count
                .and_then(ChanceCount::new)
                .map_err(|error| format!("chances: {error}, found {}", self.chances))?,
        };
        let record = Attribution {
            who: self.who,
            reason: self.reason,
        };
        let (who, why) = record.checked(caller)?;
        Ok(CheckedChances {
            user: UserId::new(&self.user_id).map_err(|error| format!("userId: {error}"))?,
            request: RequestId::new(&self.request_id)
                .map_err(|error| format!("requestId: {error}"))?,
            ask,
            who,
            why,
        })
    }
}

/// Why no chances are known to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChancesError {
    /// The switch `read_only` is on for the user.
    #[error("nothing is written for this user while the switch read_only is on")]
    ReadOnly,
    /// The command was refused, or it failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl CheckedChances {
    /// Gives the chances, and notes who did so and why in the audit log.
    pub async fn give(&self, shards: &Shards) -> Result<ChancesGiven, ChancesError> {
        if self.is_read_only(shards) {
            return Err(ChancesError::ReadOnly);
        }
        let given = self.carry_out(shards).await;
        self.note(shards, &given).await;
        let (order, repeated) = given?;
        // The chances are given, whether the account can be read just now or not.
        let account = shards.account(&self.user, order.activity).await;
        Ok(ChancesGiven {
            recharge_order_id: order.id.to_string(),
            request_id: order.request.as_str().to_owned(),
            activity_id: order.activity.get(),
            chances: order.chances,
            total_granted: account.ok().flatten().map(|account| account.granted),
            repeated,
        })
    }

    /// Whether the switch `read_only` keeps this user's rows as they are.
    fn is_read_only(&self, shards: &Shards) -> bool {
        let catalogue = shards.catalogue();
        let (activity, now) = (self.ask.activity, Timestamp::now());
        let effect = catalogue
            .switches()
            .effect(Switch::ReadOnly, activity, &self.user, now);
        effect == Some(Effect::Applied)
    }

    /// Gives the chances. Returns the record of it, and whether an earlier call gave them.
    async fn carry_out(&self, shards: &Shards) -> Result<(RechargeOrder, bool), CommandError> {
        let (user, request) = (self.user.clone(), self.request.clone());
        shards.execute_ask(user, request, self.ask).await
    }

    /// Writes the entry of the audit log. A process may die between the commit and its entry; then
    /// the repeat of the request writes the entry.
    async fn note(&self, shards: &Shards, given: &Result<(RechargeOrder, bool), CommandError>) {
        let Some((what, detail)) = self.entry(given) else {
            return;
        };
        let is_repeat = matches!(given, Ok((_, true)));
        if !(is_repeat && is_noted(shards, &detail).await) {
            shards.note(&self.who, what, detail, &self.why).await;
        }
    }

    /// What the audit log says, and its detail: of what has changed something or may have.
    fn entry(
        &self,
        given: &Result<(RechargeOrder, bool), CommandError>,
    ) -> Option<(String, String)> {
        let GrantAsk { activity, chances } = self.ask;
        let (user, what) = (
            self.user.as_str(),
            format!("chances grant {} in {activity}", chances.get()),
        );
        match given {
            Ok((order, is_repeat)) => {
                let remark = if *is_repeat { " (repeated)" } else { "" };
                let detail = format!("{user}, recharge order {}", order.id);
                Some((format!("{what}{remark}"), detail))
            }
            Err(CommandError::OutcomeUnknown) => Some((
                format!("{what} (unconfirmed)"),
                format!("{user}, request id {}", self.request.as_str()),
            )),
            Err(_) => None,
        }
    }

    /// Why no chances are given, and what helps.
    pub fn explain(&self, error: ChancesError) -> String {
        match error {
            ChancesError::Command(CommandError::Refused(Refusal::ActivityUnknown)) => format!(
                "no activity {} is published; `drawbridge campaign list` shows those that are",
                self.ask.activity
            ),
            ChancesError::Command(CommandError::OutcomeUnknown) => {
                format!("{error}: ask again with the same request id")
            }
            error => error.to_string(),
        }
    }
}

/// Whether one of the latest entries of the audit log is about this recharge order.
async fn is_noted(shards: &Shards, detail: &str) -> bool {
    let latest = shards.audit_log().await.unwrap_or_default();
    latest.iter().any(|entry| entry.detail == detail)
}

impl Admin {
    pub(super) async fn give_chances(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let asked = read::<ChancesRequest>(request).await;
        let asked = match asked.and_then(|asked| asked.checked(&caller)) {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        match asked.give(&self.shards).await {
            Ok(given) => {
                let (who, repeated) = (caller.name, given.repeated);
                tracing::info!(who, repeated, "chances are given to a user");
                let given = serde_json::to_string(&given).expect("plain values");
                json(StatusCode::OK, given)
            }
            Err(error) => failed(error, &asked.explain(error)),
        }
    }
}

/// A command that was not carried out, with the code that players know.
fn failed(error: ChancesError, why: &str) -> HttpResponse {
    let Failure {
        code,
        retry_after_s,
        ..
    } = match error {
        ChancesError::ReadOnly => Code::ReadOnly.into(),
        ChancesError::Command(error) => error.into(),
    };
    let body = serde_json::json!({ "error": why, "code": code.as_str() });
    let mut response = json(code.status(), body.to_string());
    if let Some(seconds) = retry_after_s.or(code.retry_after_s()) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::token::Role;

    fn request() -> ChancesRequest {
        ChancesRequest {
            user_id: "u1".to_owned(),
            activity_id: 7,
            chances: 3,
            reason: "a mishap".to_owned(),
            request_id: "k".to_owned(),
            who: Some("bob".to_owned()),
        }
    }

    fn checked(request: ChancesRequest) -> Result<CheckedChances, String> {
        let caller = AdminCaller {
            name: "alice".to_owned(),
            role: Role::Operator,
            is_person: true,
        };
        request.checked(&caller)
    }

    fn wrong(change: impl FnOnce(&mut ChancesRequest)) -> String {
        let mut request = request();
        change(&mut request);
        checked(request).expect_err("a field is wrong")
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (error, field) in [
            (wrong(|asked| asked.user_id = " u".to_owned()), "userId: "),
            (wrong(|asked| asked.activity_id = 0), "activityId: expected"),
            (
                wrong(|asked| asked.activity_id = 1 << 63),
                "activityId: expected an integer from 1 to 9223372036854775807",
            ),
            (wrong(|asked| asked.chances = 0), "chances: expected"),
            (
                wrong(|asked| asked.chances = 1_000_001),
                "chances: expected",
            ),
            (wrong(|asked| asked.chances = u64::MAX), "chances: expected"),
            (
                wrong(|asked| asked.reason = " ".to_owned()),
                "reason: is empty",
            ),
            (
                wrong(|asked| asked.reason = "a\nb".to_owned()),
                "reason: has",
            ),
            (
                wrong(|asked| asked.request_id = String::new()),
                "requestId: ",
            ),
        ] {
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn what_has_changed_nothing_is_in_no_audit_log() {
        let asked = checked(request()).expect("valid");
        let refused = |error| asked.entry(&Err(error));
        assert_eq!(
            refused(CommandError::Refused(Refusal::TooManyChances)),
            None
        );
        assert_eq!(refused(CommandError::TooOld), None);
        let unconfirmed = refused(CommandError::OutcomeUnknown);
        let expected = ("chances grant 3 in 7 (unconfirmed)", "u1, request id k");
        assert_eq!(unconfirmed, Some((expected.0.into(), expected.1.into())));
        assert_eq!(asked.who, r#"alice (as "bob")"#);
    }
}
