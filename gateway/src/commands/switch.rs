//! `drawbridge switch list|set|clear|history`: degrade switches, through a running server's admin
//! address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use market::ActivityId;
use market::switches::{Share, Switch};
use serde_json::{Value, json};

use super::run_command::RunCommand;
use super::server::{ReadOptions, seconds, text};
use super::setting_change::{ChangeOptions, RequestedChange};

/// What to do with switches.
#[derive(Debug, Subcommand)]
pub enum SwitchCommand {
    /// Show the switches
    List(ReadOptions),
    /// Set a switch, and wait until all gateways obey
    Set(SetSwitchOptions),
    /// Clear a setting, and wait until all gateways obey
    Clear(ClearSwitchOptions),
    /// Show the changes with who, when and why, newest first
    History(ReadOptions),
}

/// A switch and its new state.
#[derive(Debug, Args)]
pub struct SetSwitchOptions {
    #[arg(help = Switch::names("or"))]
    switch: Switch,
    /// on, off, or for a share of the users: 30%
    value: Share,
    /// In this activity only; the stricter of this and the setting for all applies
    #[arg(long)]
    activity: Option<ActivityId>,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    /// Only count what it would do; do nothing
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    changing: ChangeOptions,
}

/// A switch whose setting is cleared.
#[derive(Debug, Args)]
pub struct ClearSwitchOptions {
    #[arg(help = Switch::names("or"))]
    switch: Switch,
    /// Clear the setting of this activity instead of that for all
    #[arg(long)]
    activity: Option<ActivityId>,
    #[command(flatten)]
    changing: ChangeOptions,
}

impl RunCommand for SwitchCommand {
    fn run(&self) -> ExitCode {
        match self {
            SwitchCommand::List(read) => read.show_list("/admin/switches", "switches", show),
            SwitchCommand::Set(set) => set.run(),
            SwitchCommand::Clear(clear) => clear.run(),
            SwitchCommand::History(read) => {
                read.show_list("/admin/switches/history", "changes", past)
            }
        }
    }
}

impl SetSwitchOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "name": self.switch.name(),
            "value": self.value.to_string(),
            "activity": self.activity.map(ActivityId::get),
            "forSeconds": self.lasts,
            "observe": self.observe,
        });
        let about = ("switch", self.switch.name());
        self.changing.carry_out(RequestedChange {
            method: Method::POST,
            path: "/admin/switches",
            fields,
            about,
            only: None,
        })
    }
}

impl ClearSwitchOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "name": self.switch.name(),
            "activity": self.activity.map(ActivityId::get),
        });
        let about = ("switch", self.switch.name());
        self.changing.carry_out(RequestedChange {
            method: Method::DELETE,
            path: "/admin/switches",
            fields,
            about,
            only: None,
        })
    }
}

fn show(list: &Value) -> String {
    let mut lines = format!(
        "{:<14} {:>10}  {:<14} {:<7} {}\n",
        "switch", "activity", "value", "origin", "until"
    );
    for setting in list["switches"].as_array().into_iter().flatten() {
        let activity = Some(text(setting, "activity"))
            .filter(|text| !text.is_empty())
            .unwrap_or("all".to_owned());
        let (name, value, until) = (
            text(setting, "name"),
            value_of(setting),
            text(setting, "expiresAt"),
        );
        let origin = text(setting, "origin");
        let line = format!("{name:<14} {activity:>10}  {value:<14} {origin:<7} {until}");
        let _ = writeln!(lines, "{}", line.trim_end());
    }
    lines
}

/// As it is stored: `30%`, `observe 30%`.
fn value_of(setting: &Value) -> String {
    let observe = if setting["observe"] == json!(true) {
        "observe "
    } else {
        ""
    };
    format!("{observe}{}", text(setting, "value"))
}

fn past(history: &Value) -> String {
    if history["changes"].as_array().is_none_or(Vec::is_empty) {
        return "no switch has been set yet\n".to_owned();
    }
    let mut lines = String::new();
    for change in history["changes"].as_array().into_iter().flatten() {
        let field = |name| text(change, name);
        let activity = Some(field("activity")).filter(|text| !text.is_empty());
        let place = activity.map_or(String::new(), |activity| format!(" in activity {activity}"));
        let until = Some(field("expiresAt")).filter(|text| !text.is_empty());
        let until = until.map_or(String::new(), |until| format!(" until {until}"));
        let (at, name, before, value) = (
            field("at"),
            field("name"),
            field("before"),
            value_of(change),
        );
        let _ = writeln!(
            lines,
            "{at} {name}{place}: {before} -> {value}{until} by {}: {}",
            field("who"),
            field("reason")
        );
    }
    lines
}
