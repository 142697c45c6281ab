//! `drawbridge limits list`: limits of a running server, through its admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::block_on;
use super::server::{Server, end, text};

/// What to do with limits.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the limits of a gateway, as they are configured and as they are
    List {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: Server,
    },
}

pub fn run(command: &Command) -> ExitCode {
    let Command::List { json, server } = command;
    let list = block_on(server.get("/admin/limits"));
    end(list.map(|list| if *json { format!("{list}\n") } else { show(&list) }))
}

fn show(list: &Value) -> String {
    let limits = list["limits"].as_array().map(Vec::as_slice).unwrap_or_default();
    if limits.is_empty() {
        return "there are no limits\n".to_owned();
    }
    let mut lines = format!("{:<26} {:<36} {}\n", "limit", "in force", "origin");
    for limit in limits {
        let origin = match (text(limit, "origin").as_str(), text(limit, "expiresAt")) {
            ("override", until) if until.is_empty() => {
                format!("override; configured: {}", in_words(&limit["configured"]))
            }
            ("override", until) => {
                format!("override until {until}; configured: {}", in_words(&limit["configured"]))
            }
            (origin, _) => origin.to_owned(),
        };
        let _ = writeln!(lines, "{:<26} {:<36} {origin}", text(limit, "target"), in_words(&limit["inForce"]));
    }
    lines
}

/// `20/s, burst 40, observed`.
fn in_words(limit: &Value) -> String {
    if limit.is_null() {
        return "none".to_owned();
    }
    let observed = if limit["observe"] == true { ", only observed" } else { "" };
    format!("{}/s, burst {}{observed}", text(limit, "perSecond"), text(limit, "burst"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_is_shown_as_it_is_and_as_it_is_configured() {
        let limit = json!({"perSecond": 2.5, "burst": 3, "observe": true});
        let list = json!({"limits": [
            {"target": "gateway", "origin": "configuration", "inForce": limit, "configured": limit},
            {"target": "user", "origin": "override", "inForce": null, "configured": limit, "expiresAt": "2026-01-01T00:00:00Z"},
        ]});
        let lines: Vec<String> =
            show(&list).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "limit in force origin",
                "gateway 2.5/s, burst 3, only observed configuration",
                "user none override until 2026-01-01T00:00:00Z; configured: 2.5/s, burst 3, only observed",
            ]
        );
        assert_eq!(show(&json!({"limits": []})), "there are no limits\n");
    }
}
