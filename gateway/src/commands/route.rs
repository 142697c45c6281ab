//! `drawbridge route USER...`: explains where users live.
use std::process::ExitCode;

use clap::Args;
use market::UserId;
use router::{SlotMap, crc32};
use shards::embedded::Folder;

use super::{Place, block_on, fail, say};
use crate::config::Storage;

/// Which users, in which installation.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// The user ids
    #[arg(required = true, value_name = "USER")]
    users: Vec<String>,
}

pub fn run(options: &Options) -> ExitCode {
    let map = match slot_map(options) {
        Ok(map) => map,
        Err(error) => return fail(error),
    };
    say(format_args!("slot map version {}: {} shards of {} tables\n", map.version(), map.shards(), map.tables()));
    for text in &options.users {
        let user = match UserId::new(text) {
            Ok(user) => user,
            Err(error) => return fail(format!("user id {text:?}: {error}")),
        };
        let route = map.route(user.as_str());
        say(format_args!(
            "{text}: crc32 {:08x} -> slot {} -> shard {}, table {}\n",
            crc32(user.as_str()),
            route.slot(),
            route.shard(),
            route.table()
        ));
    }
    ExitCode::SUCCESS
}

impl Options {
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

/// The map that the installation uses; before its first start the one that it would use.
fn slot_map(options: &Options) -> Result<SlotMap, Box<dyn std::error::Error>> {
    match options.place.load()?.storage {
        Storage::Embedded(embedded) => {
            let fixed = match Folder::existing(&embedded.data) {
                Ok(folder) => block_on(folder.meta_for_reading().slot_map())?,
                Err(_) => None,
            };
            let (version, shards, tables) = fixed.unwrap_or((1, embedded.shards, embedded.tables));
            Ok(SlotMap::even(version, shards, tables)?)
        }
        Storage::Cluster(cluster) => Ok(block_on(async { cluster.open().await.map(|cluster| cluster.map().clone()) })?),
    }
}
