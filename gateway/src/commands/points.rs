//! `drawbridge points`: shows, changes and freezes a user's points.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use market::UserId;
use serde_json::Value;
use shards::Shards;

use super::arguments::user;
use super::block_on::block_on;
use super::look_up::{LookUpError, LookUpOptions, end, query, value};
use super::run_command::RunCommand;
use super::server::{json_or, text};
use super::storage::StorageArguments;
use super::user_change::{AFTER_HELP, ChangeRequest, NotChanged, UserChangeOptions};
use crate::admin::endpoints::points::{PointsAction, PointsRequest, adjustment, points_json};
use crate::admin::token::AdminCaller;

/// What to do with points.
#[derive(Debug, Subcommand)]
pub enum PointsCommand {
    /// Show a user's points and the latest entries of the ledger
    Show(ShowOptions),
    /// Add points, or take them: 12.50, -5; the same request id again changes nothing
    Adjust(AdjustOptions),
    /// Have nothing taken from a user's points until `unfreeze`
    Freeze(FreezeOptions),
    /// End a freeze
    Unfreeze(FreezeOptions),
}

/// Whose points.
#[derive(Debug, Args)]
pub struct ShowOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    #[command(flatten)]
    common: LookUpOptions,
}

/// Points for a user.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AdjustOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    /// How many points, with at most two decimals; less than 0 to take them
    #[arg(value_name = "AMOUNT", value_parser = amount, allow_negative_numbers = true)]
    amount: String,
    #[command(flatten)]
    common: UserChangeOptions,
}

/// A user whose points are frozen or not.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct FreezeOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    #[command(flatten)]
    common: UserChangeOptions,
}

/// An amount as it is written.
fn amount(text: &str) -> Result<String, String> {
    adjustment(text).map(|_| text.to_owned())
}

impl ChangeRequest for PointsRequest {
    const PATH: &'static str = "/admin/points";

    async fn execute(self, caller: &AdminCaller, shards: &Shards) -> Result<Value, NotChanged> {
        let request = self.checked(caller).map_err(NotChanged::Refused)?;
        match request.change(shards).await {
            Ok(changed) => Ok(serde_json::to_value(changed).expect("plain values")),
            Err(error) => Err(NotChanged::new(error, error.explain())),
        }
    }
}

impl ShowOptions {
    async fn look_up(&self) -> Result<Value, LookUpError> {
        if let Some(server) = &self.common.server.0 {
            let fields = [("userId", Some(self.user.as_str().to_owned()))];
            return Ok(server
                .get(&format!("/admin/points?{}", query(fields)))
                .await?);
        }
        let stored = self.common.open().await?;
        let account = stored.points(&self.user).await?.unwrap_or_default();
        let latest = stored.latest_entries(&self.user).await?;
        Ok(value(&points_json(account, &latest, stored.catalogue())))
    }
}

/// Has a change made that these options describe.
fn change(
    user: &UserId,
    action: PointsAction,
    amount: Option<&String>,
    common: &UserChangeOptions,
) -> ExitCode {
    let request = |key: &market::RequestId| PointsRequest {
        user_id: user.as_str().to_owned(),
        action,
        amount: amount.cloned(),
        reason: common.record.reason.clone(),
        request_id: key.as_str().to_owned(),
        who: Some(common.record.who()),
    };
    common.run(user, request, show_change)
}

impl RunCommand for PointsCommand {
    fn storage(&self) -> Option<&StorageArguments> {
        match self {
            Self::Show(show) => show.common.opened_storage(),
            Self::Adjust(adjust) => adjust.common.opened_storage(),
            Self::Freeze(freeze) | Self::Unfreeze(freeze) => freeze.common.opened_storage(),
        }
    }

    fn run(&self) -> ExitCode {
        match self {
            Self::Show(options) => {
                let found = block_on(options.look_up());
                end(found.map(|found| json_or(options.common.json, &found, show)))
            }
            Self::Adjust(AdjustOptions {
                user,
                amount,
                common,
            }) => change(user, PointsAction::Adjust, Some(amount), common),
            Self::Freeze(FreezeOptions { user, common }) => {
                change(user, PointsAction::Freeze, None, common)
            }
            Self::Unfreeze(FreezeOptions { user, common }) => {
                change(user, PointsAction::Unfreeze, None, common)
            }
        }
    }
}

/// A number of points, with two decimals.
fn points(found: &Value, name: &str) -> String {
    let number = found[name].as_f64();
    number.map_or_else(String::new, |number| format!("{number:.2}"))
}

fn show_change(changed: &Value) -> String {
    let done = match (changed["amount"].is_null(), changed["repeated"] == true) {
        (false, false) => format!("adjusted by {} points", points(changed, "amount")),
        (false, true) => format!(
            "nothing to do: {} points were adjusted earlier",
            points(changed, "amount")
        ),
        (true, false) => "changed".to_owned(),
        (true, true) => "nothing to do: it was changed earlier".to_owned(),
    };
    let now = match (changed["balance"].is_null(), changed["frozen"] == true) {
        (true, _) => "the account cannot be read just now".to_owned(),
        (false, is_frozen) => {
            let frozen = if is_frozen { ", frozen" } else { "" };
            format!("the balance is {}{frozen}", points(changed, "balance"))
        }
    };
    format!(
        "{done}; {now}\nrecharge order {}, request id {}\n",
        text(changed, "rechargeOrderId"),
        text(changed, "requestId")
    )
}

fn show(found: &Value) -> String {
    let frozen = if found["frozen"] == true {
        ", frozen"
    } else {
        ""
    };
    let mut lines = format!(
        "{} points{frozen}, {} entries\n",
        points(found, "balance"),
        text(found, "entryCount")
    );
    let entries = found["entries"].as_array().into_iter().flatten();
    for (index, entry) in entries.enumerate() {
        if index == 0 {
            let _ = writeln!(
                lines,
                "{:<30} {:>10} {:<9} {:>14} {:>14} for",
                "at", "entry", "trade", "amount", "balance"
            );
        }
        let _ = writeln!(
            lines,
            "{:<30} {:>10} {:<9} {:>14} {:>14} {}",
            text(entry, "createdAt"),
            text(entry, "entryId"),
            text(entry, "tradeName"),
            points(entry, "amount"),
            points(entry, "balance"),
            text(entry, "businessNo"),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn points_are_shown_with_two_decimals() {
        let entry = json!({
            "createdAt": "2026-12-01T00:00:00+00:00", "entryId": "2", "tradeName": "exchange",
            "amount": -5.0, "balance": 7.5, "businessNo": "17",
        });
        let found = json!({"balance": 7.5, "frozen": true, "entryCount": 2, "entries": [entry]});
        let lines = show(&found);
        assert!(
            lines.starts_with("7.50 points, frozen, 2 entries\n"),
            "{lines}"
        );
        assert!(lines.contains("-5.00           7.50 17\n"), "{lines}");
        let changed = json!({
            "amount": 12.5, "balance": 20.0, "frozen": false, "repeated": false,
            "rechargeOrderId": "9", "requestId": "k",
        });
        assert_eq!(
            show_change(&changed),
            "adjusted by 12.50 points; the balance is 20.00\nrecharge order 9, request id k\n"
        );
    }
}
