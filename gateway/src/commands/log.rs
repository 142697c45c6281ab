//! `drawbridge log show|set|clear`: what the gateways log, through one gateway's admin address.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::run_command::RunCommand;
use super::server::{ReadOptions, seconds, text};
use super::setting_change::{ChangeOptions, RequestedChange};

const PATH: &str = "/admin/log";

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Show which filter is set on a gateway
    Show(ReadOptions),
    /// Log by another filter than the configured one, on all gateways
    Set(SetFilterOptions),
    /// Log by the configured filter again, on all gateways
    Clear(ChangeOptions),
}

/// Another filter.
#[derive(Debug, Args)]
pub struct SetFilterOptions {
    /// debug, or by the part of the program: shards=debug,info
    filter: String,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    #[command(flatten)]
    changing: ChangeOptions,
}

impl RunCommand for LogCommand {
    fn run(&self) -> ExitCode {
        match self {
            LogCommand::Show(read) => read.show(PATH, show),
            LogCommand::Set(SetFilterOptions {
                filter,
                lasts,
                changing,
            }) => changing.carry_out(change(
                Method::POST,
                json!({ "filter": filter, "forSeconds": lasts }),
            )),
            LogCommand::Clear(changing) => changing.carry_out(change(Method::DELETE, json!({}))),
        }
    }
}

fn change(method: Method, fields: Value) -> RequestedChange<'static> {
    RequestedChange {
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
