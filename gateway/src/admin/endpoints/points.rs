//! `/admin/points`: shows, changes and freezes the points of a user. `drawbridge points` does the
//! same in a lane of its own where no server holds the data.
use hyper::StatusCode;
use market::adjust::{PointsAsk, PointsChange};
use market::campaign::Catalogue;
use market::points::{Amount, Points, PointsAccount, PointsEntry};
use market::{RequestId, UserId};
use serde::{Deserialize, Serialize};
use shards::{LedgerPage, PageSize, Shards};

use super::look_ups::user;
use crate::admin::attribution::Attribution;
use crate::admin::call::AdminCall;
use crate::admin::respond::{fault, json, read, shard_unavailable};
use crate::admin::state::Admin;
use crate::admin::token::AdminCaller;
use crate::admin::user_change::{UserChange, UserChangeError};
use crate::edge::HttpResponse;
use crate::http::endpoints::credit_ledger::EntryView;

/// The latest entries of the ledger are shown, as many as one page has.
const SHOWN: LedgerPage = LedgerPage {
    size: PageSize::MAX,
    before: None,
};

/// A request to change a user's points.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PointsRequest {
    /// Whose.
    pub user_id: String,
    /// How.
    pub action: PointsAction,
    /// With `adjust`: `12.50` adds, `-5` takes.
    pub amount: Option<String>,
    /// Why, for the audit log.
    pub reason: String,
    /// The idempotency key.
    pub request_id: String,
    /// Who, for the audit log.
    pub who: Option<String>,
}

/// What to do with a user's points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointsAction {
    /// Add or take some.
    Adjust,
    /// Have nothing taken.
    Freeze,
    /// End that.
    Unfreeze,
}

/// The same, with fields that are valid.
#[derive(Debug)]
pub struct CheckedPoints(UserChange<PointsAsk>);

/// A change that was made, as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsChanged {
    recharge_order_id: String,
    request_id: String,
    /// Null where the account was frozen or unfrozen.
    amount: Option<Amount>,
    /// As it is now; both are null where it cannot be read just now.
    balance: Option<Points>,
    frozen: Option<bool>,
    /// Whether the same request was carried out earlier, and this one changed nothing.
    repeated: bool,
}

/// Reads what an adjustment adds or takes: `12.50`, `-5`.
pub fn adjustment(text: &str) -> Result<PointsChange, String> {
    let (number, is_taken) = match text.strip_prefix('-') {
        Some(number) => (number, true),
        None => (text, false),
    };
    let points: Points = number
        .parse()
        .map_err(|error| format!("{error}, or less than 0 to take them"))?;
    if points.is_zero() {
        return Err("0 points change nothing".to_owned());
    }
    Ok(if is_taken {
        PointsChange::Take(points)
    } else {
        PointsChange::Add(points)
    })
}

impl PointsRequest {
    /// Checks the fields; the error names the one that is wrong.
    pub fn checked(self, caller: &AdminCaller) -> Result<CheckedPoints, String> {
        let (change, what) = match (self.action, self.amount) {
            (PointsAction::Adjust, Some(amount)) => {
                let change = adjustment(&amount).map_err(|error| format!("amount: {error}"))?;
                (change, format!("points adjust {amount}"))
            }
            (PointsAction::Adjust, None) => return Err("amount: is missing".to_owned()),
            (PointsAction::Freeze | PointsAction::Unfreeze, Some(_)) => {
                return Err("amount: goes with adjust only".to_owned());
            }
            (PointsAction::Freeze, None) => (PointsChange::Freeze, "points freeze".to_owned()),
            (PointsAction::Unfreeze, None) => {
                (PointsChange::Unfreeze, "points unfreeze".to_owned())
            }
        };
        let record = Attribution {
            who: self.who,
            reason: self.reason,
        };
        let (who, why) = record.checked(caller)?;
        Ok(CheckedPoints(UserChange {
            user: UserId::new(&self.user_id).map_err(|error| format!("userId: {error}"))?,
            request: RequestId::new(&self.request_id)
                .map_err(|error| format!("requestId: {error}"))?,
            ask: PointsAsk { change },
            activity: None,
            what,
            who,
            why,
        }))
    }
}

impl CheckedPoints {
    /// Makes the change, and notes who did so and why in the audit log.
    pub async fn change(&self, shards: &Shards) -> Result<PointsChanged, UserChangeError> {
        let Self(change) = self;
        let (order, repeated) = change.carry_out(shards).await?;
        // It is made, whether the account can be read just now or not.
        let account = shards.points(&change.user).await.ok();
        let account = account.map(Option::unwrap_or_default);
        Ok(PointsChanged {
            recharge_order_id: order.id.to_string(),
            request_id: order.request.as_str().to_owned(),
            amount: order.points,
            balance: account.map(|account| account.balance),
            frozen: account.map(|account| account.frozen),
            repeated,
        })
    }
}

/// A user's points, and the latest entries of the ledger.
pub fn points_json(
    account: PointsAccount,
    latest: &[PointsEntry],
    catalogue: &Catalogue,
) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        balance: Points,
        frozen: bool,
        /// How many the ledger has.
        entry_count: u64,
        entries: Vec<EntryView<'a>>,
    }
    let shown = Shown {
        balance: account.balance,
        frozen: account.frozen,
        entry_count: account.entries,
        entries: latest
            .iter()
            .map(|entry| EntryView::new(entry, catalogue))
            .collect(),
    };
    serde_json::to_string(&shown).expect("plain values")
}

impl Admin {
    pub(super) async fn show_points(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let user = match user(&query) {
            Ok(user) => user,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        tracing::info!(who = caller.name, "points of a user are looked up");
        let account = self.shards.points(&user).await;
        let latest = self.shards.ledger(&user, SHOWN).await;
        match (account, latest) {
            (Ok(account), Ok((latest, _))) => {
                let account = account.unwrap_or_default();
                let shown = points_json(account, &latest, &self.shards.catalogue());
                json(StatusCode::OK, shown)
            }
            (Err(error), _) | (_, Err(error)) => shard_unavailable(error),
        }
    }

    pub(super) async fn change_points(
        &self,
        AdminCall {
            caller, request, ..
        }: AdminCall,
    ) -> HttpResponse {
        let asked = read::<PointsRequest>(request).await;
        let asked = match asked.and_then(|asked| asked.checked(&caller)) {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        match asked.change(&self.shards).await {
            Ok(changed) => {
                let (who, repeated) = (caller.name, changed.repeated);
                tracing::info!(who, repeated, "points of a user are changed");
                let changed = serde_json::to_string(&changed).expect("plain values");
                json(StatusCode::OK, changed)
            }
            Err(error) => error.response(&error.explain()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::token::Role;

    fn request(action: PointsAction, amount: Option<&str>) -> PointsRequest {
        PointsRequest {
            user_id: "u1".to_owned(),
            action,
            amount: amount.map(str::to_owned),
            reason: "a mishap".to_owned(),
            request_id: "k".to_owned(),
            who: None,
        }
    }

    fn checked(request: PointsRequest) -> Result<(PointsChange, String), String> {
        let caller = AdminCaller {
            name: "alice".to_owned(),
            role: Role::Operator,
            is_person: true,
        };
        let CheckedPoints(change) = request.checked(&caller)?;
        Ok((change.ask.change, change.what))
    }

    #[test]
    fn amounts_add_and_take() {
        let points = |hundredths| Points::from_hundredths(hundredths).expect("points");
        for (text, change) in [
            ("12.50", PointsChange::Add(points(1_250))),
            ("0.01", PointsChange::Add(points(1))),
            ("-5", PointsChange::Take(points(500))),
        ] {
            let asked = checked(request(PointsAction::Adjust, Some(text)));
            assert_eq!(asked, Ok((change, format!("points adjust {text}"))));
        }
        for bad in [
            "",
            "-",
            "0",
            "-0",
            "0.00",
            "--5",
            "+5",
            "1.234",
            "1e3",
            "five",
            " 5",
            "NaN",
            "10000000000000.01",
        ] {
            let why = checked(request(PointsAction::Adjust, Some(bad))).expect_err(bad);
            assert!(why.starts_with("amount: "), "{bad}: {why}");
        }
    }

    #[test]
    fn an_amount_goes_with_an_adjustment() {
        for (action, amount) in [
            (PointsAction::Adjust, None),
            (PointsAction::Freeze, Some("5")),
            (PointsAction::Unfreeze, Some("5")),
        ] {
            let why = checked(request(action, amount)).expect_err("a wrong request");
            assert!(why.starts_with("amount: "), "{why}");
        }
        let frozen = checked(request(PointsAction::Freeze, None));
        assert_eq!(
            frozen,
            Ok((PointsChange::Freeze, "points freeze".to_owned()))
        );
    }
}
