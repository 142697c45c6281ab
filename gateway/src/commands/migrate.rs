//! `drawbridge migrate`: creates and upgrades the databases of a cluster.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use shards::cluster::ClusterError;
use shards::store::check_durability;

use super::{Place, PlaceError, block_on, fail, one_line, operator, reason, say};
use crate::config::Storage;

/// Which cluster.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Go on although the meta database is older than the shards, because there is no newer copy: raise its run
    /// numbers above theirs, and say what else it lacks
    #[arg(long, requires = "reason")]
    accept_older_meta: bool,
    /// Why, for the record
    #[arg(long, requires = "accept_older_meta", value_parser = reason)]
    reason: Option<String>,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long, requires = "accept_older_meta", value_parser = one_line)]
    who: Option<String>,
}

pub fn run(options: &Options) -> ExitCode {
    match block_on(migrate(options)) {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

async fn migrate(asked: &Options) -> Result<String, PlaceError> {
    let Storage::Cluster(options) = asked.place.load()?.storage else {
        return Ok("the embedded default is migrated at each start; nothing to do\n".to_owned());
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
    let _ = writeln!(text, "the meta database and {} shards are up to date", options.shards.len());
    let shards = options.shards.iter().enumerate().map(|(number, shard)| (format!("shard {number}"), shard));
    for (name, database) in std::iter::once(("meta database".to_owned(), &options.meta)).chain(shards) {
        for warning in check_durability(database).await.map_err(ClusterError::Meta)? {
            let _ = writeln!(text, "{name}: {warning}");
        }
    }
    for (number, server) in options.redis.iter().enumerate() {
        if let Some(warning) = server.memory_warning().await {
            let _ = writeln!(text, "stock server {}: {warning}", number + 1);
        }
    }
    Ok(text)
}
