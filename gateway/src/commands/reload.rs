//! `drawbridge reload`: has the gateways read their configuration again.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::block_on::block_on;
use super::output::{REFUSED, fail, say};
use super::run_command::RunCommand;
use super::server::text;
use super::setting_change::{ChangeOptions, RequestedChange};

const PATH: &str = "/admin/reload";

/// A reload. With `--here` only the gateway that is asked reloads, and the outcome of each section
/// is printed.
#[derive(Debug, Args)]
pub struct ReloadOptions {
    #[command(flatten)]
    changing: ChangeOptions,
}

impl RunCommand for ReloadOptions {
    fn run(&self) -> ExitCode {
        let ReloadOptions { changing } = self;
        if changing.is_here() {
            return match block_on(changing.ask(Method::POST, PATH, json!({}))) {
                Ok(reloaded) => report(&reloaded),
                Err(error) => fail(error),
            };
        }
        let about = ("reload", "all");
        changing.carry_out(RequestedChange {
            method: Method::POST,
            path: PATH,
            fields: json!({}),
            about,
            only: None,
        })
    }
}

/// Prints the outcome of each section; exit code 1 when one of them stays as it was.
fn report(reloaded: &Value) -> ExitCode {
    let mut lines = String::new();
    let mut failed = false;
    for section in reloaded["sections"].as_array().into_iter().flatten() {
        let why = Some(text(section, "why")).filter(|why| !why.is_empty());
        failed |= why.is_some();
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        let _ = writeln!(
            lines,
            "{:<14} {}{why}",
            text(section, "name"),
            text(section, "outcome")
        );
    }
    for key in reloaded["needsRestart"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let _ = writeln!(lines, "waits for a restart: {key}");
    }
    say(lines);
    if failed {
        ExitCode::from(REFUSED)
    } else {
        ExitCode::SUCCESS
    }
}
