//! `drawbridge limits list|set|clear`: limits of running servers, through a gateway's admin
//! address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::run_command::RunCommand;
use super::server::{ReadOptions, seconds, text};
use super::setting_change::{ChangeOptions, RequestedChange};

const PATH: &str = "/admin/limits";

/// What to do with limits.
#[derive(Debug, Subcommand)]
pub enum LimitsCommand {
    /// Show the limits of a gateway, configured and in force
    List(ReadOptions),
    /// Set a limit instead of the configured one, on all gateways
    Set(SetLimitOptions),
    /// Have the configured limit apply again, on all gateways
    Clear(ClearLimitOptions),
}

/// A limit and its rate.
#[derive(Debug, Args)]
pub struct SetLimitOptions {
    /// gateway, address, user or route.NAME, such as route.draw
    target: String,
    /// Requests a second, such as 5 or 0.5; off for none
    rate: String,
    /// How many may come at once [default: the rate, rounded up]
    #[arg(long)]
    burst: Option<u32>,
    /// Only count what it would refuse; refuse nothing
    #[arg(long)]
    observe: bool,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    #[command(flatten)]
    changing: ChangeOptions,
}

/// A limit that is as configured again.
#[derive(Debug, Args)]
pub struct ClearLimitOptions {
    /// gateway, address, user or route.NAME, such as route.draw
    target: String,
    #[command(flatten)]
    changing: ChangeOptions,
}

impl RunCommand for LimitsCommand {
    fn run(&self) -> ExitCode {
        match self {
            LimitsCommand::List(read) => read.show_list(PATH, "limits", show),
            LimitsCommand::Set(set) => set.run(),
            LimitsCommand::Clear(clear) => clear.run(),
        }
    }
}

impl SetLimitOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "target": self.target,
            "limit": self.limit(),
            "forSeconds": self.lasts,
        });
        let about = ("limit", self.target.as_str());
        self.changing.carry_out(RequestedChange {
            method: Method::POST,
            path: PATH,
            fields,
            about,
            only: None,
        })
    }

    /// The limit as the admin API takes it.
    fn limit(&self) -> Value {
        let mut limit = if self.rate == "off" {
            json!({ "off": true })
        } else {
            json!({ "perSecond": self.rate })
        };
        if let Some(burst) = self.burst {
            limit["burst"] = burst.into();
        }
        if self.observe {
            limit["observe"] = true.into();
        }
        limit
    }
}

impl ClearLimitOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "target": self.target,
        });
        let about = ("limit", self.target.as_str());
        self.changing.carry_out(RequestedChange {
            method: Method::DELETE,
            path: PATH,
            fields,
            about,
            only: None,
        })
    }
}

fn show(list: &Value) -> String {
    let limits = list["limits"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
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
                format!(
                    "override until {until}; configured: {}",
                    in_words(&limit["configured"])
                )
            }
            (origin, _) => origin.to_owned(),
        };
        let _ = writeln!(
            lines,
            "{:<26} {:<36} {origin}",
            text(limit, "target"),
            in_words(&limit["inForce"])
        );
    }
    lines
}

/// `20/s, burst 40, observed`.
fn in_words(limit: &Value) -> String {
    if limit.is_null() {
        return "none".to_owned();
    }
    let observed = if limit["observe"] == true {
        ", only observed"
    } else {
        ""
    };
    format!(
        "{}/s, burst {}{observed}",
        text(limit, "perSecond"),
        text(limit, "burst")
    )
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
        let lines: Vec<String> = show(&list)
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
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
