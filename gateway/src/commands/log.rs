//! `drawbridge log show|set|clear`: what the gateways log, through one gateway's admin address.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::obey::{Change, Changing};
use super::server::{Look, seconds, text};

const PATH: &str = "/admin/log";

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which filter is set on a gateway
    Show(Look),
    /// Log by another filter than the configured one, on all gateways
    Set(Set),
    /// Log by the configured filter again, on all gateways
    Clear(Changing),
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
    changing: Changing,
}

pub fn run(command: &Command) -> ExitCode {
    match command {
        Command::Show(look) => look.show(PATH, show),
        Command::Set(Set {
            filter,
            lasts,
            changing,
        }) => changing.carry_out(change(
            Method::POST,
            json!({ "filter": filter, "forSeconds": lasts }),
        )),
        Command::Clear(changing) => changing.carry_out(change(Method::DELETE, json!({}))),
    }
}

fn change(method: Method, fields: Value) -> Change<'static> {
    Change {
        method,
        path: PATH,
        fields,
        about: ("log", "filter"),
        only: None,
    }
}

fn show(shown: &Value) -> String {
    match text(shown, "filterSet") {
        filter if filter.is_empty() => "the configured filter counts\n".to_owned(),
        filter => format!("{filter}\n"),
    }
}
