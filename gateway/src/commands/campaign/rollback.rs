//! `drawbridge campaign rollback`: the rules of an older version with the stock of now.
use std::process::ExitCode;

use clap::Args;
use market::ActivityId;
use market::campaign::{Campaign, changes};
use serde_json::json;

use super::error::{CampaignError, end};
use super::publish::describe;
use super::summary::{in_json, in_text};
use crate::commands::block_on::block_on;
use crate::commands::published::published;
use crate::commands::record::AttributionOptions;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::{StorageArguments, deliver};

/// Which version returns, and why.
#[derive(Debug, Args)]
pub struct RollbackOptions {
    /// The activity
    #[arg(value_name = "ID")]
    activity: ActivityId,
    /// The version to publish again
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    to: u32,
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RunCommand for RollbackOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        end(block_on(self.roll_back()))
    }
}

impl RollbackOptions {
    async fn roll_back(&self) -> Result<String, CampaignError> {
        let (activity, to) = (self.activity, self.to);
        let installation = self.storage.open_for_changes().await?;
        let catalogue = installation.catalogue().await?;
        let before = published(&catalogue, activity).map_err(CampaignError::Refused)?;
        let Some(old) = installation.version(activity, to).await? else {
            let why = format!(
                "activity {activity} has no version {to}; its current one is {}",
                before.version
            );
            return Err(CampaignError::Refused(why));
        };
        let old = Campaign::parse(&old.text)
            .map_err(|error| CampaignError::Refused(error.to_string()))?;
        let changes = changes(&before.campaign, &old);
        let who = self.record.who();
        let record = (&*who, &*self.record.reason);
        let publication = installation.roll_back(activity, to, record).await?;
        deliver(&installation).await;
        let done = if publication.new {
            let version = publication.version;
            format!(
                "activity {activity}: published version {version}, which repeats version {to}\n"
            )
        } else {
            describe(publication)
        };
        Ok(if self.json {
            let value = json!({
                "activity": activity.get(),
                "version": publication.version,
                "rolledBackTo": to,
                "new": publication.new,
                "changes": in_json(&changes),
            });
            format!("{value:#}\n")
        } else {
            format!("{done}{}", in_text(&changes))
        })
    }
}
