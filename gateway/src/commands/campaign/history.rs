//! `drawbridge campaign history`: versions and changes of state, newest first.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use market::ActivityId;
use serde_json::{Value, json};
use shards::meta::{CampaignChange, CampaignChangeKind, PastVersion};

use super::error::{CampaignError, end};
use crate::commands::block_on::block_on;
use crate::commands::published::published;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::StorageArguments;
use crate::text::printable;

/// Which activity.
#[derive(Debug, Args)]
pub struct HistoryOptions {
    /// The activity
    #[arg(value_name = "ID")]
    activity: ActivityId,
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was done to an activity.
struct Event {
    at: Timestamp,
    kind: &'static str,
    version: Option<u32>,
    rolled_back_to: Option<u32>,
    who: String,
    reason: Option<String>,
}

impl RunCommand for HistoryOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        end(block_on(self.list()))
    }
}

impl HistoryOptions {
    async fn list(&self) -> Result<String, CampaignError> {
        let installation = self.storage.open().await?;
        let versions = installation.versions(self.activity).await?;
        if versions.is_empty() {
            let catalogue = installation.catalogue().await?;
            published(&catalogue, self.activity).map_err(CampaignError::Refused)?;
        }
        let changes = installation.campaign_changes(self.activity).await?;
        let events = events(versions, &changes);
        Ok(if self.json {
            let events: Vec<_> = events.iter().map(Event::in_json).collect();
            format!("{:#}\n", Value::from(events))
        } else {
            events.iter().map(Event::line).collect()
        })
    }
}

/// Versions and changes, newest first. A rollback is shown with the version that it made.
fn events(versions: Vec<PastVersion>, changes: &[CampaignChange]) -> Vec<Event> {
    let of_version = |past: PastVersion| {
        let rolled_back = changes.iter().find_map(|change| match change.kind {
            CampaignChangeKind::Rollback { version, of } if version == past.version => {
                Some((of, change.why.clone()))
            }
            _ => None,
        });
        let (rolled_back_to, reason) = rolled_back.unzip();
        Event {
            at: past.at,
            kind: "version",
            version: Some(past.version),
            rolled_back_to,
            who: past.who,
            reason,
        }
    };
    let of_change = |change: &CampaignChange| match change.kind {
        CampaignChangeKind::Life(life) => Some(Event {
            at: change.at,
            kind: life.name(),
            version: None,
            rolled_back_to: None,
            who: change.who.clone(),
            reason: Some(change.why.clone()),
        }),
        CampaignChangeKind::Rollback { .. } => None,
    };
    let mut events: Vec<_> = changes.iter().filter_map(of_change).collect();
    events.extend(versions.into_iter().map(of_version));
    // Both lists are newest first, and the sort keeps that for equal times.
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}

impl Event {
    fn line(&self) -> String {
        let mut line = format!("{:.0}  {}", self.at, self.kind);
        if let Some(version) = self.version {
            let _ = write!(line, " {version}");
        }
        if let Some(of) = self.rolled_back_to {
            let _ = write!(line, ", repeats version {of}");
        }
        let _ = write!(line, "  by {}", printable(&self.who));
        if let Some(reason) = &self.reason {
            let _ = write!(line, ": {}", printable(reason));
        }
        line + "\n"
    }

    fn in_json(&self) -> Value {
        json!({
            "kind": self.kind,
            "version": self.version,
            "rolledBackTo": self.rolled_back_to,
            "at": self.at.to_string(),
            "who": self.who,
            "reason": self.reason,
        })
    }
}
