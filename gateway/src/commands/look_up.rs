//! `drawbridge order` and `drawbridge account`: what a user has drawn and may still draw, from
//! stored data, or from a running server for a caller who has only a token of it.
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use market::{ActivityId, OrderId, RequestId, UserId};
use serde_json::Value;
use shards::{LookUp, ReadError, ReadLimits};

use super::arguments::{IfGiven, request, user};
use super::block_on::block_on;
use super::output::{REFUSED, complain, fail, say};
use super::run_command::RunCommand;
use super::server::{AdminServer, ServerError, json_or, text};
use super::storage::{OpenError, StorageArguments};
use crate::admin::endpoints::look_ups::{account_json, order_json, order_key};
use crate::text::printable;

/// One question at a time.
pub(super) const LIMITS: ReadLimits = ReadLimits {
    connections_max: 1,
    queue_max: 1,
    timeout: Duration::from_secs(10),
};

const AFTER_HELP: &str = "With --admin or --token-file a running server is asked instead of the stored data; a viewer's token is enough.";

/// Which of a user's orders.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OrderOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    /// The draws of the call with this request id (Idempotency-Key)
    #[arg(long, value_name = "KEY", value_parser = request)]
    request: Option<RequestId>,
    /// The draw with this order id
    #[arg(long, value_name = "ID", conflicts_with = "request")]
    order: Option<OrderId>,
    /// The latest 100 of this activity, instead of those of all
    #[arg(long, value_name = "ID", conflicts_with_all = ["request", "order"])]
    activity: Option<ActivityId>,
    #[command(flatten)]
    common: LookUpOptions,
}

/// Which account.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AccountOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    /// The activity
    #[arg(long, value_name = "ID")]
    activity: ActivityId,
    #[command(flatten)]
    common: LookUpOptions,
}

/// Where to look, and how to print it.
#[derive(Debug, Args)]
pub struct LookUpOptions {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    storage: StorageArguments,
    /// Ask this server instead of the stored data
    #[command(flatten)]
    pub(super) server: IfGiven<AdminServer>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookUpError {
    #[error("{0}")]
    Nothing(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("{0}; `drawbridge health` and `drawbridge route USER` say more")]
    Read(#[from] ReadError),
}

/// What is said of an activity that no campaign has.
pub(super) fn unknown_activity(activity: ActivityId) -> String {
    let help = "`drawbridge campaign list` shows those that are";
    format!("no activity {activity} is published; {help}")
}

impl OrderOptions {
    async fn look_up(&self) -> Result<Value, LookUpError> {
        if let Some(server) = &self.common.server.0 {
            return Ok(server
                .get(&format!("/admin/orders?{}", self.query()))
                .await?);
        }
        let stored = self.common.open().await?;
        let key = order_key(self.request.clone(), self.order, self.activity)
            .expect("clap lets one in at most");
        let orders = stored.orders(&self.user, key.clone()).await?;
        let found = order_json(&key, &orders, stored.catalogue());
        found.map(|json| value(&json)).ok_or(LookUpError::Nothing(
            "this user has no such order".to_owned(),
        ))
    }

    fn query(&self) -> String {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let fields = [
            ("userId", Some(self.user.as_str().to_owned())),
            (
                "requestId",
                self.request
                    .as_ref()
                    .map(|request| request.as_str().to_owned()),
            ),
            ("orderId", number(self.order.map(OrderId::get))),
            ("activityId", number(self.activity.map(ActivityId::get))),
        ];
        query(fields)
    }
}

impl AccountOptions {
    async fn look_up(&self) -> Result<Value, LookUpError> {
        let activity = self.activity;
        if let Some(server) = &self.common.server.0 {
            let fields = [
                ("userId", Some(self.user.as_str().to_owned())),
                ("activityId", Some(activity.to_string())),
            ];
            return Ok(server
                .get(&format!("/admin/accounts?{}", query(fields)))
                .await?);
        }
        let stored = self.common.open().await?;
        let Some(published) = stored.catalogue().activity(activity) else {
            return Err(LookUpError::Nothing(unknown_activity(activity)));
        };
        let points = stored.points(&self.user).await?.unwrap_or_default();
        let account = stored.account(&self.user, activity).await?;
        Ok(value(&account_json(published, account, points)))
    }
}

impl LookUpOptions {
    /// The installation whose files are opened.
    pub(super) fn opened_storage(&self) -> Option<&StorageArguments> {
        self.server.0.is_none().then_some(&self.storage)
    }

    pub(super) async fn open(&self) -> Result<LookUp, OpenError> {
        Ok(self.storage.open().await?.look_up(LIMITS).await?)
    }
}

/// The query of a request to a server.
pub(super) fn query<'a>(fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given)
        .finish()
}

/// What a server would have answered.
pub(super) fn value(json: &str) -> Value {
    serde_json::from_str(json).expect("our own JSON")
}

impl RunCommand for OrderOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        self.common.opened_storage()
    }

    fn run(&self) -> ExitCode {
        let found = block_on(self.look_up());
        end(found.map(|found| json_or(self.common.json, &found, show_orders)))
    }
}

impl RunCommand for AccountOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        self.common.opened_storage()
    }

    fn run(&self) -> ExitCode {
        let found = block_on(self.look_up());
        end(found.map(|found| json_or(self.common.json, &found, show_account)))
    }
}

/// Prints what was found.
pub(super) fn end(result: Result<String, LookUpError>) -> ExitCode {
    match result {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(LookUpError::Nothing(why) | LookUpError::Server(ServerError::Refused(why))) => {
            complain(format_args!("drawbridge: {why}\n"));
            ExitCode::from(REFUSED)
        }
        Err(error) => fail(error),
    }
}

/// One line per draw. The record of a call for several draws has what they share beside their list.
fn show_orders(found: &Value) -> String {
    let records = match found["orders"].as_array() {
        Some(records) => records.iter().collect(),
        None => vec![found],
    };
    let mut lines = format!(
        "{:<30} {:>10} {:<20} {:>10} {:<9} {:<32} {}\n",
        "drawn", "activity", "order", "award", "state", "request", "title"
    );
    for record in records {
        let draws = match record["draws"].as_array() {
            Some(draws) => draws.iter().collect(),
            None => vec![record],
        };
        for draw in draws {
            let (at, activity, state) = (
                text(record, "createdAt"),
                text(record, "activityId"),
                text(record, "state"),
            );
            let (order, award, request, title) = (
                text(draw, "orderId"),
                text(draw, "awardId"),
                text(record, "requestId"),
                text(draw, "awardTitle"),
            );
            let line = format!(
                "{at:<30} {activity:>10} {order:<20} {award:>10} {state:<9} {request:<32} {title}"
            );
            let _ = writeln!(lines, "{}", line.trim_end());
        }
    }
    lines
}

fn show_account(account: &Value) -> String {
    let mut lines = String::new();
    for (name, value) in account.as_object().into_iter().flatten() {
        let value = value.to_string();
        let _ = writeln!(lines, "{:<20} {:>10}", printable(name), printable(&value));
    }
    lines
}
