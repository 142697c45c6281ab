//! `drawbridge log show|set|clear`: what the gateways log, through one gateway's admin address.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::obey::{Change, Waiting, carry_out};
use super::server::{Server, end, json_or, seconds, text};
use super::{ForTheRecord, block_on};

const PATH: &str = "/admin/log";

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which filter is set on a gateway
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Log by another filter than the configured one, on all gateways
    Set(Set),
    /// Log by the configured filter again, on all gateways
    Clear(Clear),
}

/// Another filter.
#[derive(Debug, Args)]
pub struct Set {
    /// debug, or by the part of the program: shards=debug,info
    filter: String,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    #[command(flatten)]
    record: ForTheRecord,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    server: Server,
}

/// The configured one.
#[derive(Debug, Args)]
pub struct Clear {
    #[command(flatten)]
    record: ForTheRecord,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    server: Server,
}

pub fn run(command: &Command) -> ExitCode {
    match command {
        Command::Show { json, server } => end(block_on(server.get(PATH)).map(|shown| {
            json_or(*json, &shown, |shown| match text(shown, "filterSet") {
                filter if filter.is_empty() => "the configured filter counts\n".to_owned(),
                filter => format!("{filter}\n"),
            })
        })),
        Command::Set(Set { filter, lasts, record, waiting, server }) => {
            let body = json!({
                "filter": filter,
                "who": record.who(),
                "reason": record.reason,
                "forSeconds": lasts,
                "here": waiting.here,
            });
            change(server, waiting, Method::POST, body)
        }
        Command::Clear(Clear { record, waiting, server }) => {
            let body = json!({ "who": record.who(), "reason": record.reason, "here": waiting.here });
            change(server, waiting, Method::DELETE, body)
        }
    }
}

fn change(server: &Server, waiting: &Waiting, method: Method, body: serde_json::Value) -> ExitCode {
    carry_out(server, waiting, Change { method, path: PATH, body, about: ("log", "filter"), only: None })
}
