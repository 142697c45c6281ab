//! `drawbridge switch list|set|history`: degrade switches, through a running server's admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use market::ActivityId;
use market::switches::{Share, Switch};
use serde_json::{Value, json};

use super::server::{Server, ServerError, end, seconds, text};
use super::{ForTheRecord, block_on};

/// What to do with switches.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the switches stand
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Set a switch on all gateways, within a second
    Set(Set),
    /// Show who set what, when and why, newest first
    History {
        #[command(flatten)]
        server: Server,
    },
}

/// A switch and its new state.
#[derive(Debug, Args)]
pub struct Set {
    /// draw, fallback_only, read_only, signin, exchange or limits
    switch: Switch,
    /// on, off, or for a share of the users: 30%
    value: Share,
    /// In this activity only
    #[arg(long)]
    activity: Option<ActivityId>,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    /// Only count what it would do; do nothing
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    record: ForTheRecord,
    #[command(flatten)]
    server: Server,
}

pub fn run(command: &Command) -> ExitCode {
    end(match command {
        Command::List { server } => block_on(server.get("/admin/switches")).map(|list| show(&list)),
        Command::Set(set) => block_on(set.send()).map(|list| show(&list)),
        Command::History { server } => block_on(server.get("/admin/switches/history")).map(|changes| past(&changes)),
    })
}

impl Set {
    async fn send(&self) -> Result<Value, ServerError> {
        let body = json!({
            "name": self.switch.name(),
            "value": self.value.to_string(),
            "activity": self.activity.map(ActivityId::get),
            "who": self.record.who(),
            "reason": self.record.reason,
            "forSeconds": self.lasts,
            "observe": self.observe,
        });
        self.server.call(Method::POST, "/admin/switches", body.to_string()).await
    }
}

fn show(list: &Value) -> String {
    let mut lines = format!("{:<14} {:>10}  {:<14} {}\n", "switch", "activity", "value", "until");
    for setting in list["switches"].as_array().into_iter().flatten() {
        let activity = Some(text(setting, "activity")).filter(|text| !text.is_empty()).unwrap_or("all".to_owned());
        let (name, value, until) = (text(setting, "name"), value_of(setting), text(setting, "expiresAt"));
        let _ = writeln!(lines, "{}", format!("{name:<14} {activity:>10}  {value:<14} {until}").trim_end());
    }
    lines
}

/// As it is kept: `30%`, `observe 30%`.
fn value_of(setting: &Value) -> String {
    let observe = if setting["observe"] == json!(true) { "observe " } else { "" };
    format!("{observe}{}", text(setting, "value"))
}

fn past(history: &Value) -> String {
    let mut lines = String::new();
    for change in history["changes"].as_array().into_iter().flatten() {
        let field = |name| text(change, name);
        let activity = Some(field("activity")).filter(|text| !text.is_empty());
        let place = activity.map_or(String::new(), |activity| format!(" in activity {activity}"));
        let until = Some(field("expiresAt")).filter(|text| !text.is_empty());
        let until = until.map_or(String::new(), |until| format!(" until {until}"));
        let (at, name, before, value) = (field("at"), field("name"), field("before"), value_of(change));
        let _ =
            writeln!(lines, "{at} {name}{place}: {before} -> {value}{until} by {}: {}", field("who"), field("reason"));
    }
    lines
}
