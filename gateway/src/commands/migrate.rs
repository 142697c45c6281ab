//! `drawbridge migrate`: creates and upgrades the databases of a cluster.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use shards::cluster::{self, ClusterError};
use shards::store::{check_durability, counted};

use super::{
    InstallationError, InstallationOptions, block_on, fail, one_line, operator, reason, refuse, say,
};
use crate::config::StorageConfig;

/// Which cluster.
#[derive(Debug, Args)]
pub struct MigrateOptions {
    #[command(flatten)]
    place: InstallationOptions,
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

/// What a migration did, and whether gateways can start on it.
#[derive(Default)]
struct Migrated {
    done: String,
    strangers: Vec<String>,
}

pub fn run(options: &MigrateOptions) -> ExitCode {
    match block_on(migrate(options)) {
        Ok(Migrated { done, strangers }) => {
            say(done);
            if strangers.is_empty() {
                ExitCode::SUCCESS
            } else {
                refuse(strangers.join("\n"))
            }
        }
        Err(error) => fail(error),
    }
}

async fn migrate(asked: &MigrateOptions) -> Result<Migrated, InstallationError> {
    let StorageConfig::Cluster(options) = asked.place.load()?.storage else {
        let done = "the embedded default is migrated at each start; nothing to do\n".to_owned();
        return Ok(Migrated {
            done,
            ..Migrated::default()
        });
    };
    let mut text = String::new();
    match &asked.reason {
        Some(why) if asked.accept_older_meta => {
            let who = asked.who.clone().unwrap_or_else(operator);
            for told in options.accept_older_meta(&who, why).await? {
                let _ = writeln!(text, "{told}");
            }
        }
        _ => options.migrate().await?,
    }
    let shards = counted(
        u16::try_from(options.shards.len()).unwrap_or(u16::MAX),
        "shard",
    );
    let _ = writeln!(text, "the meta database and {shards} are up to date");
    for warning in warnings(&options).await? {
        let _ = writeln!(text, "{warning}");
    }
    // With those, gateways would not start: it is reported now.
    let strangers = options.open().await?.strangers().await;
    Ok(Migrated {
        done: text,
        strangers,
    })
}

/// What is wrong with the settings of databases and stock servers, one line each.
async fn warnings(options: &cluster::Options) -> Result<Vec<String>, ClusterError> {
    let mut warnings = Vec::new();
    let shards = options
        .shards
        .iter()
        .enumerate()
        .map(|(number, shard)| (format!("shard {number}"), shard));
    for (name, database) in
        std::iter::once(("meta database".to_owned(), &options.meta)).chain(shards)
    {
        let found = check_durability(database)
            .await
            .map_err(ClusterError::Meta)?;
        warnings.extend(
            found
                .into_iter()
                .map(|warning| format!("{name}: {warning}")),
        );
    }
    for (number, server) in (1..).zip(&options.redis) {
        warnings.extend(
            server
                .memory_warning()
                .await
                .map(|warning| format!("stock server {number}: {warning}")),
        );
    }
    Ok(warnings)
}
