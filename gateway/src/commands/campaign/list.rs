//! `drawbridge campaign list`.
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use market::campaign::{Catalogue, Published};
use serde_json::{Value, json};

use super::error::{CampaignError, end};
use crate::commands::block_on::block_on;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::StorageArguments;

/// What is published.
#[derive(Debug, Args)]
pub struct ListOptions {
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RunCommand for ListOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        end(block_on(self.list()))
    }
}

impl ListOptions {
    async fn list(&self) -> Result<String, CampaignError> {
        let catalogue = self.storage.open().await?.catalogue().await?;
        let now = Timestamp::now();
        let mut campaigns: Vec<&Published> = catalogue.campaigns().map(|found| &**found).collect();
        campaigns.sort_by_key(|published| published.campaign.activity.id);
        Ok(if self.json {
            let list = campaigns.iter();
            let list: Vec<_> = list
                .map(|published| in_json(&catalogue, published, now))
                .collect();
            format!("{:#}\n", Value::from(list))
        } else {
            let lines = campaigns.iter();
            lines
                .map(|published| line(&catalogue, published, now))
                .collect()
        })
    }
}

fn line(catalogue: &Catalogue, published: &Published, now: Timestamp) -> String {
    let activity = &published.campaign.activity;
    format!(
        "{}  version {}  {}  {}\n",
        activity.id,
        published.version,
        catalogue.state(activity, now).name(),
        activity.name
    )
}

fn in_json(catalogue: &Catalogue, published: &Published, now: Timestamp) -> Value {
    let activity = &published.campaign.activity;
    json!({
        "activity": activity.id.get(),
        "version": published.version,
        "name": activity.name,
        "state": catalogue.state(activity, now).name(),
        "beginsAt": activity.begins_at.to_string(),
        "endsAt": activity.ends_at.to_string(),
    })
}
