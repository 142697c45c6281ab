//! `drawbridge migrate`: creates and upgrades the databases of a cluster.
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use shards::{ConversionProgress, Migrated};

use super::block_on::block_on;
use super::output::{fail, refuse, say};
use super::progress::{rate, watched};
use super::record::{name, operator, reason};
use super::run_command::RunCommand;
use super::storage::{OpenError, StorageArguments};

/// Which cluster.
#[derive(Debug, Args)]
pub struct MigrateOptions {
    #[command(flatten)]
    storage: StorageArguments,
    /// Go on although the meta database is older than the shards, because there is no newer copy:
    /// raise its run numbers above theirs, and print what else it lacks
    #[arg(long, requires = "reason")]
    accept_older_meta: bool,
    /// Why, for the record
    #[arg(long, value_name = "WHY", requires = "accept_older_meta", value_parser = reason)]
    reason: Option<String>,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long, value_name = "NAME", requires = "accept_older_meta", value_parser = name)]
    who: Option<String>,
}

impl RunCommand for MigrateOptions {
    fn run(&self) -> ExitCode {
        match block_on(migrate(self)) {
            Ok(Migrated { done, strangers }) => {
                for line in done {
                    say(format_args!("{line}\n"));
                }
                if strangers.is_empty() {
                    ExitCode::SUCCESS
                } else {
                    refuse(strangers.join("\n"))
                }
            }
            Err(error) => fail(error),
        }
    }
}

async fn migrate(asked: &MigrateOptions) -> Result<Migrated, OpenError> {
    let storage = asked.storage.load()?.storage;
    let who = asked.who.clone().unwrap_or_else(operator);
    let accepted = asked.reason.as_deref().filter(|_| asked.accept_older_meta);
    let accepted = accepted.map(|why| (&*who, why));
    let progress = ConversionProgress::default();
    let work = storage.migrate(accepted, &progress);
    Ok(watched(|passed| line(&progress, passed), work).await?)
}

/// How far a conversion is. Shards are converted one after the other.
fn line(progress: &ConversionProgress, passed: Duration) -> String {
    let (tables, done, calls) = (progress.tables(), progress.tables_done(), progress.calls());
    if tables == 0 {
        return "migrate: looking at the databases".to_owned();
    }
    let rate = rate(calls, passed);
    format!(
        "migrate: {done} of {tables} tables of the shards so far, {calls} calls, {rate} a second"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_nothing_of_a_conversion_before_there_is_one() {
        let progress = ConversionProgress::default();
        assert_eq!(
            line(&progress, Duration::ZERO),
            "migrate: looking at the databases"
        );
    }
}
