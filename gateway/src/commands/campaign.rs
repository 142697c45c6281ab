//! `drawbridge campaign`: campaign files, and the life of the activities that they describe. One
//! file for each subcommand.
mod blacklist;
mod check;
mod diff;
mod error;
mod file;
mod forecast;
mod history;
mod life;
mod list;
mod publish;
mod rewards;
mod rollback;
mod show;
mod summary;

use std::process::ExitCode;

use clap::Subcommand;

use super::run_command::RunCommand;
use super::storage::StorageArguments;

/// What to do with campaigns.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Check a file: print its odds, what unlocks when and what it may cost
    Check(check::CheckOptions),
    /// Simulate a file: what it may cost, which prizes run out, who reaches a guarantee
    Forecast(forecast::ForecastOptions),
    /// Compare a file with what is published under its id: exit code 0 when both mean the same
    Diff(diff::DiffOptions),
    /// Store a file as a new version; a running server follows within two seconds
    Publish(publish::PublishOptions),
    /// Publish an older version again, as a new version; the stock stays as it is
    Rollback(rollback::RollbackOptions),
    /// Stop draws until the activity is resumed; a new version does not end a pause
    Pause(life::PauseOptions),
    /// End a pause
    Resume(life::ResumeOptions),
    /// Stop draws for ever
    Close(life::CloseOptions),
    /// Users who get the award of rule_blacklist, beside those whom the file names
    #[command(subcommand)]
    Blacklist(blacklist::BlacklistCommand),
    /// Show one activity: its state, version, times and what is left
    Show(show::ShowOptions),
    /// List an activity's versions and changes, with who made them and why
    History(history::HistoryOptions),
    /// List what is published
    List(list::ListOptions),
}

impl CampaignCommand {
    fn arguments(&self) -> &dyn RunCommand {
        match self {
            Self::Check(options) => options,
            Self::Forecast(options) => options,
            Self::Diff(options) => options,
            Self::Publish(options) => options,
            Self::Rollback(options) => options,
            Self::Pause(options) => options,
            Self::Resume(options) => options,
            Self::Close(options) => options,
            Self::Blacklist(command) => command.arguments(),
            Self::Show(options) => options,
            Self::History(options) => options,
            Self::List(options) => options,
        }
    }
}

impl RunCommand for CampaignCommand {
    fn storage(&self) -> Option<&StorageArguments> {
        self.arguments().storage()
    }

    fn run(&self) -> ExitCode {
        self.arguments().run()
    }
}
