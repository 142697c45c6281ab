//! `drawbridge campaign pause|resume|close`: what operators decide beside the file.
use std::process::ExitCode;

use clap::Args;
use market::ActivityId;
use market::campaign::LifeChange;
use shards::meta::LifeError;

use super::error::{CampaignError, end};
use crate::commands::block_on::block_on;
use crate::commands::published::published;
use crate::commands::record::AttributionOptions;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::StorageArguments;

/// Which activity, and why.
#[derive(Debug, Args)]
struct LifeOptions {
    /// The activity
    #[arg(value_name = "ID")]
    activity: ActivityId,
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    storage: StorageArguments,
}

/// A subcommand for one change.
macro_rules! life_commands {
    ($($(#[$doc:meta])* $name:ident = $change:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Args)]
        pub struct $name {
            #[command(flatten)]
            options: LifeOptions,
        }

        impl RunCommand for $name {
            fn storage(&self) -> Option<&StorageArguments> {
                Some(&self.options.storage)
            }

            fn run(&self) -> ExitCode {
                end(block_on(self.options.make(LifeChange::$change)))
            }
        }
    )*};
}

life_commands! {
    /// A pause.
    PauseOptions = Pause;
    /// The end of a pause.
    ResumeOptions = Resume;
    /// The end of an activity.
    CloseOptions = Close;
}

impl LifeOptions {
    async fn make(&self, change: LifeChange) -> Result<String, CampaignError> {
        let installation = self.storage.open_for_changes().await?;
        let (activity, who) = (self.activity, self.record.who());
        let record = (&*who, &*self.record.reason);
        let changed = installation.change_life(activity, change, record).await;
        let changed = match changed {
            Err(LifeError::Unknown(activity)) => {
                // With the activities that are there.
                let catalogue = installation.catalogue().await?;
                published(&catalogue, activity).map_err(CampaignError::Refused)?;
                return Err(LifeError::Unknown(activity).into());
            }
            changed => changed?,
        };
        Ok(format!("activity {activity}: {}\n", said(change, changed)))
    }
}

const fn said(change: LifeChange, changed: bool) -> &'static str {
    match (change, changed) {
        (LifeChange::Pause, true) => {
            "paused; running servers follow within two seconds, and draws get ERR_BIZ_003"
        }
        (LifeChange::Pause, false) => "is paused already; nothing to do",
        (LifeChange::Resume, true) => "resumed; running servers follow within two seconds",
        (LifeChange::Resume, false) => "is not paused; nothing to do",
        (LifeChange::Close, true) => {
            "closed for ever; running servers follow within two seconds, and draws get ERR_BIZ_003"
        }
        (LifeChange::Close, false) => "is closed already; nothing to do",
    }
}
