//! `drawbridge campaign publish`.
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use market::ActivityId;
use market::campaign::{Campaign, Change, changes, trial};
use serde_json::json;
use shards::meta::Publication;
use shards::{Installation, InstallationOptions};

use super::error::{CampaignError, end};
use super::file::{read, refuse_file};
use super::forecast;
use super::summary::{in_json, in_text};
use crate::commands::block_on::block_on;
use crate::commands::output::{complain, say};
use crate::commands::record::operator;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::{StorageArguments, deliver};
use crate::text::printable;

/// A file to publish.
#[derive(Debug, Args)]
pub struct PublishOptions {
    /// The campaign file
    file: PathBuf,
    #[command(flatten)]
    storage: StorageArguments,
    /// Publish it as a trial under this activity id, from which only its `testers` draw
    #[arg(long, value_name = "ID")]
    trial: Option<ActivityId>,
    /// Publish without asking; without a terminal nothing is asked
    #[arg(long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RunCommand for PublishOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        match block_on(self.publish()) {
            Err(CampaignError::Refused(why)) => {
                // It may quote what others wrote.
                let lines: Vec<_> = why.lines().map(printable).collect();
                refuse_file(&self.file, &lines.join("\n"))
            }
            done => end(done),
        }
    }
}

/// What is published already under the id of a file.
struct Current {
    version: u32,
    changes: Vec<Change>,
    same_text: bool,
}

impl PublishOptions {
    async fn publish(&self) -> Result<String, CampaignError> {
        let text = read(&self.file).map_err(CampaignError::Failed)?;
        let refused = |error: &dyn std::fmt::Display| CampaignError::Refused(error.to_string());
        let text = match self.trial {
            Some(id) => trial(&text, id).map_err(|error| refused(&error))?,
            None => text,
        };
        // Before a folder is created for it.
        let campaign = Campaign::parse(&text).map_err(|error| refused(&error))?;
        if let Some(summary) = forecast::of_publication(&campaign).filter(|_| !self.json) {
            say(summary);
        }
        let storage = self.storage.load()?.storage;
        let current = current(&storage, &campaign, &text).await;
        if let Some(current) = current.as_ref().filter(|current| !current.same_text) {
            self.ask(current, &campaign)?;
        }
        let (installation, made) = Installation::open_for_publication(&storage).await?;
        let publication = installation.publish(&text, &operator()).await?;
        deliver(&installation).await;
        let made = storage.folder().filter(|_| made);
        let changes = current.map(|current| current.changes).unwrap_or_default();
        Ok(if self.json {
            let Publication {
                activity,
                version,
                new,
            } = publication;
            format!(
                "{:#}\n",
                json!({
                    "activity": activity.get(),
                    "version": version,
                    "new": new,
                    "madeFolder": made.map(|folder| folder.display().to_string()),
                    "changes": in_json(&changes),
                })
            )
        } else {
            let made = made.map(|folder| format!("made the data folder {}\n", folder.display()));
            let done = describe(publication);
            format!("{}{done}{}", made.unwrap_or_default(), in_text(&changes))
        })
    }

    /// Asks a person; a program has decided already.
    fn ask(&self, current: &Current, campaign: &Campaign) -> Result<(), CampaignError> {
        let on_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if self.yes || !on_terminal {
            return Ok(());
        }
        let activity = campaign.activity.id;
        let Current {
            version, changes, ..
        } = current;
        let what = if changes.is_empty() {
            "  nothing but comments or their order\n".to_owned()
        } else {
            in_text(changes)
        };
        complain(format_args!(
            "activity {activity}: against version {version} this changes\n{what}publish it? [y/N] "
        ));
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        let agreed = ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str());
        if read.is_ok() && agreed {
            Ok(())
        } else {
            Err(CampaignError::NotConfirmed)
        }
    }
}

/// What is published now. Where that cannot be read the publication itself says why.
async fn current(
    storage: &InstallationOptions,
    campaign: &Campaign,
    text: &str,
) -> Option<Current> {
    let activity = campaign.activity.id;
    let installation = Installation::open(storage).await.ok()?;
    let catalogue = installation.catalogue().await.ok()?;
    let published = catalogue.activity(activity)?;
    let stored = installation.version(activity, published.version).await;
    Some(Current {
        version: published.version,
        changes: changes(&published.campaign, campaign),
        same_text: stored.is_ok_and(|stored| stored.is_some_and(|stored| stored.text == text)),
    })
}

/// What a publication did.
pub(super) fn describe(publication: Publication) -> String {
    let Publication {
        activity,
        version,
        new,
    } = publication;
    if new {
        format!("activity {activity}: published version {version}\n")
    } else {
        format!("activity {activity}: version {version} is this file already; nothing to do\n")
    }
}
