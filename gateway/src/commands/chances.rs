//! `drawbridge chances grant`: gives a user chances.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use market::grant::ChanceCount;
use market::{ActivityId, UserId};
use serde_json::Value;
use shards::Shards;

use super::arguments::user;
use super::run_command::RunCommand;
use super::server::text;
use super::storage::StorageArguments;
use super::user_change::{AFTER_HELP, ChangeRequest, NotChanged, UserChangeOptions};
use crate::admin::endpoints::chances::ChancesRequest;
use crate::admin::token::AdminCaller;

/// What to do with chances.
#[derive(Debug, Subcommand)]
pub enum ChancesCommand {
    /// Give a user chances; the same request id again changes nothing
    Grant(GrantOptions),
}

/// Chances for a user.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GrantOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    /// The activity
    activity: ActivityId,
    /// How many chances, 1 to 1,000,000
    #[arg(value_name = "N")]
    chances: ChanceCount,
    #[command(flatten)]
    common: UserChangeOptions,
}

impl ChangeRequest for ChancesRequest {
    const PATH: &'static str = "/admin/chances";

    async fn execute(self, caller: &AdminCaller, shards: &Shards) -> Result<Value, NotChanged> {
        let request = self.checked(caller).map_err(NotChanged::Refused)?;
        match request.give(shards).await {
            Ok(given) => Ok(serde_json::to_value(given).expect("plain values")),
            Err(error) => Err(NotChanged::new(error, request.explain(error))),
        }
    }
}

impl RunCommand for ChancesCommand {
    fn storage(&self) -> Option<&StorageArguments> {
        let Self::Grant(grant) = self;
        grant.common.opened_storage()
    }

    fn run(&self) -> ExitCode {
        let Self::Grant(grant) = self;
        let record = &grant.common.record;
        grant.common.run(
            &grant.user,
            |key| ChancesRequest {
                user_id: grant.user.as_str().to_owned(),
                activity_id: grant.activity.get(),
                chances: grant.chances.get().into(),
                reason: record.reason.clone(),
                request_id: key.as_str().to_owned(),
                who: Some(record.who()),
            },
            show,
        )
    }
}

fn show(given: &Value) -> String {
    let total = match given["totalGranted"].as_u64() {
        Some(total) => format!("{total} are granted in all"),
        None => "the account cannot be read just now".to_owned(),
    };
    let (chances, activity) = (text(given, "chances"), text(given, "activityId"));
    let done = if given["repeated"] == true {
        format!("nothing to do: {chances} chances in activity {activity} were granted earlier")
    } else {
        format!("granted {chances} chances in activity {activity}")
    };
    format!(
        "{done}; {total}\nrecharge order {}, request id {}\n",
        text(given, "rechargeOrderId"),
        text(given, "requestId")
    )
}
