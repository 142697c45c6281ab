//! `drawbridge campaign diff`: what publishing a file would change.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use market::campaign::{Campaign, Change, changes};
use serde_json::{Value, json};

use super::error::{CampaignError, end};
use super::file::{read, refuse_file};
use super::summary::{in_json, in_text};
use crate::commands::block_on::block_on;
use crate::commands::output::{REFUSED, say};
use crate::commands::run_command::RunCommand;
use crate::commands::storage::StorageArguments;

/// A file to compare.
#[derive(Debug, Args)]
pub struct DiffOptions {
    /// The campaign file
    file: PathBuf,
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A file against what is published under its id.
struct Difference {
    campaign: Campaign,
    /// The published version, if there is one.
    version: Option<u32>,
    changes: Vec<Change>,
}

impl RunCommand for DiffOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        let campaign = match read(&self.file).map(|text| Campaign::parse(&text)) {
            Ok(Ok(campaign)) => campaign,
            Ok(Err(faults)) => return refuse_file(&self.file, &faults.to_string()),
            Err(error) => return end(Err(CampaignError::Failed(error))),
        };
        match block_on(self.compare(campaign)) {
            Ok(difference) => {
                say(if self.json {
                    format!("{:#}\n", difference.in_json())
                } else {
                    difference.in_text()
                });
                if difference.is_equal() {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::from(REFUSED)
                }
            }
            Err(error) => end(Err(error)),
        }
    }
}

impl DiffOptions {
    async fn compare(&self, campaign: Campaign) -> Result<Difference, CampaignError> {
        let catalogue = self.storage.open().await?.catalogue().await?;
        let published = catalogue.activity(campaign.activity.id);
        Ok(Difference {
            version: published.map(|published| published.version),
            changes: published
                .map(|published| changes(&published.campaign, &campaign))
                .unwrap_or_default(),
            campaign,
        })
    }
}

impl Difference {
    fn is_equal(&self) -> bool {
        self.version.is_some() && self.changes.is_empty()
    }

    fn in_text(&self) -> String {
        let activity = self.campaign.activity.id;
        match self.version {
            None => format!("activity {activity} is not published yet: the whole file is new\n"),
            Some(version) if self.is_equal() => {
                format!("activity {activity}: the file means the same as version {version}\n")
            }
            Some(version) => format!(
                "activity {activity}: against version {version}\n{}",
                in_text(&self.changes)
            ),
        }
    }

    fn in_json(&self) -> Value {
        json!({
            "activity": self.campaign.activity.id.get(),
            "version": self.version,
            "equal": self.is_equal(),
            "changes": in_json(&self.changes),
        })
    }
}
