//! `drawbridge migrate`: creates and upgrades the databases of a cluster.
use std::process::ExitCode;

use clap::Args;
use shards::Migrated;

use super::block_on::block_on;
use super::output::{fail, refuse, say};
use super::record::{one_line, operator, reason};
use super::storage::{OpenError, StorageArguments};

/// Which cluster.
#[derive(Debug, Args)]
pub struct MigrateOptions {
    #[command(flatten)]
    place: StorageArguments,
    /// Go on although the meta database is older than the shards, because there is no newer copy:
    /// raise its run numbers above theirs, and print what else it lacks
    #[arg(long, requires = "reason")]
    accept_older_meta: bool,
    /// Why, for the record
    #[arg(long, value_name = "WHY", requires = "accept_older_meta", value_parser = reason)]
    reason: Option<String>,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long, value_name = "NAME", requires = "accept_older_meta", value_parser = one_line)]
    who: Option<String>,
}

pub fn run(options: &MigrateOptions) -> ExitCode {
    match block_on(migrate(options)) {
        Ok(Migrated { done, strangers }) => {
            say(done
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>());
            if strangers.is_empty() {
                ExitCode::SUCCESS
            } else {
                refuse(strangers.join("\n"))
            }
        }
        Err(error) => fail(error),
    }
}

async fn migrate(asked: &MigrateOptions) -> Result<Migrated, OpenError> {
    let storage = asked.place.load()?.storage;
    let who = asked.who.clone().unwrap_or_else(operator);
    let accepted = asked.reason.as_deref().filter(|_| asked.accept_older_meta);
    Ok(storage.migrate(accepted.map(|why| (&*who, why))).await?)
}
