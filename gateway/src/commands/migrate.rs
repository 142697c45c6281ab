//! `drawbridge migrate`: creates and upgrades the databases of a cluster.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use shards::cluster::ClusterError;
use shards::store::check_durability;

use super::{Place, PlaceError, block_on, fail, say};
use crate::config::Storage;

/// Which cluster.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
}

pub fn run(options: &Options) -> ExitCode {
    match block_on(migrate(&options.place)) {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

async fn migrate(place: &Place) -> Result<String, PlaceError> {
    let Storage::Cluster(options) = place.load()?.storage else {
        return Ok("the embedded default is migrated at each start; nothing to do\n".to_owned());
    };
    options.migrate().await?;
    let mut text = format!("the meta database and {} shards are up to date\n", options.shards.len());
    for (number, shard) in options.shards.iter().enumerate() {
        for warning in check_durability(shard).await.map_err(ClusterError::Meta)? {
            let _ = writeln!(text, "shard {number}: {warning}");
        }
    }
    for (number, server) in options.redis.iter().enumerate() {
        if let Some(warning) = server.memory_warning().await {
            let _ = writeln!(text, "stock server {}: {warning}", number + 1);
        }
    }
    Ok(text)
}
