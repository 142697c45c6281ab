//! `drawbridge breaker list|set|clear`: circuit breakers, through a gateway's admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::run_command::RunCommand;
use super::server::{ReadOptions, seconds, text};
use super::setting_change::{ChangeOptions, RequestedChange};

const PATH: &str = "/admin/breakers";

/// What to do with breakers.
#[derive(Debug, Subcommand)]
pub enum BreakerCommand {
    /// Show the breakers of a gateway
    List(ReadOptions),
    /// Set the mode of a breaker, on all gateways
    Set(SetBreakerOptions),
    /// Clear the mode of a breaker, on all gateways: it decides by itself again
    Clear(ClearBreakerOptions),
}

/// A breaker and its new mode.
#[derive(Debug, Args)]
pub struct SetBreakerOptions {
    /// shard-0, redis-1, ... as `list` shows them
    breaker: String,
    mode: ModeArgument,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    #[command(flatten)]
    changing: ChangeOptions,
}

/// A breaker that decides by itself again.
#[derive(Debug, Args)]
pub struct ClearBreakerOptions {
    /// shard-0, redis-1, ... as `list` shows them
    breaker: String,
    #[command(flatten)]
    changing: ChangeOptions,
}

/// Who decides whether a breaker lets calls in.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ModeArgument {
    /// The breaker, by what it sees
    Automatic,
    /// Refuse all
    ForcedOpen,
    /// Let all in
    ForcedClosed,
}

impl ModeArgument {
    const fn name(self) -> &'static str {
        match self {
            ModeArgument::Automatic => "automatic",
            ModeArgument::ForcedOpen => "forced_open",
            ModeArgument::ForcedClosed => "forced_closed",
        }
    }
}

impl RunCommand for BreakerCommand {
    fn run(&self) -> ExitCode {
        match self {
            BreakerCommand::List(read) => read.show_list(PATH, "breakers", show),
            BreakerCommand::Set(set) => set.run(),
            BreakerCommand::Clear(clear) => clear.run(),
        }
    }
}

impl SetBreakerOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "name": self.breaker,
            "mode": self.mode.name(),
            "forSeconds": self.lasts,
        });
        let about = ("breaker", self.breaker.as_str());
        self.changing.carry_out(RequestedChange {
            method: Method::POST,
            path: PATH,
            fields,
            about,
            only: None,
        })
    }
}

impl ClearBreakerOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "name": self.breaker,
        });
        let about = ("breaker", self.breaker.as_str());
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
    let mut lines = format!(
        "{:<10} {:<10} {:<14} {:<8} {}\n",
        "breaker", "state", "mode", "observe", "changed"
    );
    for breaker in list["breakers"].as_array().into_iter().flatten() {
        let field = |name| text(breaker, name);
        let until = Some(field("expiresAt")).filter(|text| !text.is_empty());
        let until = until.map_or(String::new(), |until| format!(" (until {until})"));
        let observe = if breaker["observe"] == true {
            "yes"
        } else {
            "no"
        };
        let (name, state, mode) = (field("name"), field("state"), field("mode"));
        let changed = format!("{} {}{until}", field("changedAt"), field("reason"));
        let _ = writeln!(
            lines,
            "{name:<10} {state:<10} {mode:<14} {observe:<8} {changed}"
        );
    }
    lines
}
