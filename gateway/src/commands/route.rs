//! `drawbridge route USER...`: explains on which shard and table users are.
use std::process::ExitCode;

use clap::Args;
use market::UserId;
use router::{SlotMap, crc32};
use serde_json::json;
use shards::store::counted;

use super::arguments;
use super::block_on::block_on;
use super::output::{fail, say, say_json};
use super::run_command::RunCommand;
use super::storage::{OpenError, StorageArguments};

/// Which users, in which installation.
#[derive(Debug, Args)]
pub struct RouteOptions {
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The user ids
    #[arg(required = true, value_name = "USER", value_parser = arguments::user)]
    users: Vec<UserId>,
}

impl RunCommand for RouteOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        match slot_map(self) {
            Ok(map) if self.json => say_json(&in_json(&map, &self.users)),
            Ok(map) => say(in_text(&map, &self.users)),
            Err(error) => return fail(error),
        }
        ExitCode::SUCCESS
    }
}

fn in_text(map: &SlotMap, users: &[UserId]) -> String {
    let (shards, tables) = (
        counted(map.shards(), "shard"),
        counted(map.tables(), "table"),
    );
    let head = format!("slot map version {}: {shards} of {tables}\n", map.version());
    let lines = users.iter().map(|user| {
        let (text, route) = (user.as_str(), map.route(user.as_str()));
        let (slot, shard, table) = (route.slot(), route.shard(), route.table());
        format!(
            "{text}: crc32 {:08x} -> slot {slot} -> shard {shard}, table {table}\n",
            crc32(text)
        )
    });
    std::iter::once(head).chain(lines).collect()
}

fn in_json(map: &SlotMap, users: &[UserId]) -> serde_json::Value {
    let users = users.iter().map(|user| {
        let (text, route) = (user.as_str(), map.route(user.as_str()));
        json!({
            "userId": text,
            "crc32": format!("{:08x}", crc32(text)),
            "slot": route.slot().get(),
            "shard": route.shard().get(),
            "table": route.table().get(),
        })
    });
    json!({
        "slotMap": {"version": map.version(), "shards": map.shards(), "tables": map.tables()},
        "users": users.collect::<Vec<_>>(),
    })
}

/// The map that the installation uses, or would use at its first start.
fn slot_map(options: &RouteOptions) -> Result<SlotMap, OpenError> {
    let storage = options.storage.load()?.storage;
    Ok(block_on(storage.slot_map())?)
}
