//! An operator's change of a user's rows: the user's lane executes it, and the audit log has who
//! did it and why. `drawbridge` does the same in a lane of its own where no server holds the data.
use hyper::header::RETRY_AFTER;
use jiff::Timestamp;
use market::recharge::Recharges;
use market::switches::{Effect, Switch};
use market::{ActivityId, RechargeOrder, RequestId, TypedAsk, UserId};
use shards::{CommandError, Shards};

use super::respond::json;
use crate::answer::{Code, Failure};
use crate::edge::HttpResponse;

/// A change whose fields are valid.
#[derive(Debug)]
pub struct UserChange<A> {
    /// Whose rows.
    pub user: UserId,
    /// The idempotency key.
    pub request: RequestId,
    /// What is asked for.
    pub ask: A,
    /// In which activity, if it is about one.
    pub activity: Option<ActivityId>,
    /// For the audit log: what.
    pub what: String,
    /// For the audit log: who.
    pub who: String,
    /// For the audit log: why.
    pub why: String,
}

/// Why a change is not known to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserChangeError {
    /// The switch `read_only` is on for the user.
    #[error("nothing is written for this user while the switch read_only is on")]
    ReadOnly,
    /// The command was refused, or it failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A change that was made: its record, and whether an earlier call made it.
pub type Changed = (RechargeOrder, bool);

impl<A: TypedAsk<Made = Recharges> + Clone> UserChange<A> {
    /// Makes the change, and notes it in the audit log.
    pub async fn carry_out(&self, shards: &Shards) -> Result<Changed, UserChangeError> {
        if self.is_read_only(shards) {
            return Err(UserChangeError::ReadOnly);
        }
        let changed = self.execute(shards).await;
        self.note(shards, &changed).await;
        Ok(changed?)
    }

    /// Whether the switch `read_only` keeps this user's rows as they are.
    fn is_read_only(&self, shards: &Shards) -> bool {
        let catalogue = shards.catalogue();
        let effect = catalogue.switches().effect(
            Switch::ReadOnly,
            self.activity,
            &self.user,
            Timestamp::now(),
        );
        effect == Some(Effect::Applied)
    }

    async fn execute(&self, shards: &Shards) -> Result<Changed, CommandError> {
        let (user, request) = (self.user.clone(), self.request.clone());
        let (made, is_repeat) = shards.execute_ask(user, request, self.ask.clone()).await?;
        let order = made.first().ok_or(CommandError::DataRefused)?;
        Ok((order.clone(), is_repeat))
    }

    /// Writes the entry of the audit log. A process may die between the commit and its entry; then
    /// the repeat of the request writes the entry.
    async fn note(&self, shards: &Shards, changed: &Result<Changed, CommandError>) {
        let Some((what, detail)) = self.entry(changed) else {
            return;
        };
        let is_repeat = matches!(changed, Ok((_, true)));
        if !(is_repeat && is_noted(shards, &detail).await) {
            shards.note(&self.who, what, detail, &self.why).await;
        }
    }
}

impl<A> UserChange<A> {
    /// What the audit log says, and its detail: of what has changed something or may have.
    fn entry(&self, changed: &Result<Changed, CommandError>) -> Option<(String, String)> {
        let (user, what) = (self.user.as_str(), &self.what);
        match changed {
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
}

impl UserChangeError {
    /// What is wrong, and what helps.
    pub fn explain(&self) -> String {
        match self {
            Self::Command(CommandError::OutcomeUnknown) => {
                format!("{self}: ask again with the same request id")
            }
            error => error.to_string(),
        }
    }

    /// The answer of the admin address, with the code that players know.
    pub(super) fn response(self, why: &str) -> HttpResponse {
        let Failure {
            code,
            retry_after_s,
            ..
        } = match self {
            Self::ReadOnly => Code::ReadOnly.into(),
            Self::Command(error) => error.into(),
        };
        let body = serde_json::json!({ "error": why, "code": code.as_str() });
        let mut response = json(code.status(), body.to_string());
        if let Some(seconds) = retry_after_s.or(code.retry_after_s()) {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Whether one of the latest entries of the audit log is about this recharge order.
async fn is_noted(shards: &Shards, detail: &str) -> bool {
    let latest = shards.audit_log().await.unwrap_or_default();
    latest.iter().any(|entry| entry.detail == detail)
}

#[cfg(test)]
mod tests {
    use market::Refusal;

    use super::*;

    #[test]
    fn what_has_changed_nothing_is_in_no_audit_log() {
        let change = UserChange {
            user: UserId::new("u1").expect("a user"),
            request: RequestId::new("k").expect("a key"),
            ask: (),
            activity: None,
            what: "points freeze".to_owned(),
            who: "alice".to_owned(),
            why: "a doubt".to_owned(),
        };
        let refused = |error| change.entry(&Err(error));
        assert_eq!(
            refused(CommandError::Refused(Refusal::TooManyChances)),
            None
        );
        assert_eq!(refused(CommandError::TooOld), None);
        let unconfirmed = refused(CommandError::OutcomeUnknown);
        let expected = ("points freeze (unconfirmed)", "u1, request id k");
        assert_eq!(unconfirmed, Some((expected.0.into(), expected.1.into())));
    }
}
