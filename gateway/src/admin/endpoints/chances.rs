//! `/admin/chances`: gives a user chances. `drawbridge chances grant` does the same in a lane of
//! its own where no server holds the data.
use hyper::StatusCode;
use market::grant::{ChanceCount, GrantAsk, InvalidChances};
use market::{ActivityId, Refusal, RequestId, UserId};
use serde::{Deserialize, Serialize};
use shards::{CommandError, Shards};

use crate::admin::attribution::Attribution;
use crate::admin::call::AdminCall;
use crate::admin::respond::{fault, json, read};
use crate::admin::state::Admin;
use crate::admin::token::AdminCaller;
use crate::admin::user_change::{UserChange, UserChangeError};
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
pub struct CheckedChances(UserChange<GrantAsk>);

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
        Ok(CheckedChances(UserChange {
            user: UserId::new(&self.user_id).map_err(|error| format!("userId: {error}"))?,
            request: RequestId::new(&self.request_id)
                .map_err(|error| format!("requestId: {error}"))?,
            activity: Some(ask.activity),
            what: format!("chances grant {} in {}", ask.chances.get(), ask.activity),
            ask,
            who,
            why,
        }))
    }
}

impl CheckedChances {
    /// Gives the chances, and notes who did so and why in the audit log.
    pub async fn give(&self, shards: &Shards) -> Result<ChancesGiven, UserChangeError> {
        let Self(change) = self;
        let (order, repeated) = change.carry_out(shards).await?;
        // The chances are given, whether the account can be read just now or not.
        let account = shards.account(&change.user, change.ask.activity).await;
        Ok(ChancesGiven {
            recharge_order_id: order.id.to_string(),
            request_id: order.request.as_str().to_owned(),
            activity_id: change.ask.activity.get(),
            chances: order.chances,
            total_granted: account.ok().flatten().map(|account| account.granted),
            repeated,
        })
    }

    /// Why no chances are given, and what helps.
    pub fn explain(&self, error: UserChangeError) -> String {
        match error {
            UserChangeError::Command(CommandError::Refused(Refusal::ActivityUnknown)) => format!(
                "no activity {} is published; `drawbridge campaign list` shows those that are",
                self.0.ask.activity
            ),
            error => error.explain(),
        }
    }
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
            Err(error) => error.response(&asked.explain(error)),
        }
    }
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
    fn the_audit_log_has_the_caller_and_the_name_that_was_said() {
        let CheckedChances(change) = checked(request()).expect("valid");
        assert_eq!(change.who, r#"alice (as "bob")"#);
        assert_eq!(change.what, "chances grant 3 in 7");
    }
}
