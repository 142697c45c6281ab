//! `drawbridge breaker list|set|clear`: circuit breakers, through a gateway's admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::obey::{Change, Waiting, carry_out};
use super::server::{Server, end, seconds, text};
use super::{ForTheRecord, block_on};

const PATH: &str = "/admin/breakers";

/// What to do with breakers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the breakers of a gateway stand
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Tell a breaker what to do, on all gateways
    Set(Set),
    /// Take back what is set for a breaker, on all gateways: it decides itself again
    Clear(Clear),
}

/// A breaker and its new mode.
#[derive(Debug, Args)]
pub struct Set {
    /// shard-0, redis-1, ... as `list` shows them
    breaker: String,
    mode: Mode,
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

/// A breaker that decides itself again.
#[derive(Debug, Args)]
pub struct Clear {
    /// shard-0, redis-1, ... as `list` shows them
    breaker: String,
    #[command(flatten)]
    record: ForTheRecord,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    server: Server,
}

/// Who decides whether a breaker lets calls in.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Mode {
    /// The breaker, by what it sees
    Automatic,
    /// Refuse all
    ForcedOpen,
    /// Let all in
    ForcedClosed,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Mode::Automatic => "automatic",
            Mode::ForcedOpen => "forced_open",
            Mode::ForcedClosed => "forced_closed",
        }
    }
}

pub fn run(command: &Command) -> ExitCode {
    match command {
        Command::List { json, server } => {
            let list = block_on(server.get(PATH));
            end(list.map(|list| if *json { format!("{}\n", list["breakers"]) } else { show(&list) }))
        }
        Command::Set(set) => set.run(),
        Command::Clear(clear) => clear.run(),
    }
}

impl Set {
    fn run(&self) -> ExitCode {
        let body = json!({
            "name": self.breaker,
            "mode": self.mode.name(),
            "who": self.record.who(),
            "reason": self.record.reason,
            "forSeconds": self.lasts,
            "here": self.waiting.here,
        });
        let about = ("breaker", self.breaker.as_str());
        let change = Change { method: Method::POST, path: PATH, body, about, only: None };
        carry_out(&self.server, &self.waiting, change)
    }
}

impl Clear {
    fn run(&self) -> ExitCode {
        let body = json!({
            "name": self.breaker,
            "who": self.record.who(),
            "reason": self.record.reason,
            "here": self.waiting.here,
        });
        let about = ("breaker", self.breaker.as_str());
        let change = Change { method: Method::DELETE, path: PATH, body, about, only: None };
        carry_out(&self.server, &self.waiting, change)
    }
}

fn show(list: &Value) -> String {
    let mut lines = format!("{:<10} {:<10} {:<14} {:<8} {}\n", "breaker", "state", "mode", "observe", "changed");
    for breaker in list["breakers"].as_array().into_iter().flatten() {
        let field = |name| text(breaker, name);
        let until = Some(field("expiresAt")).filter(|text| !text.is_empty());
        let until = until.map_or(String::new(), |until| format!(" (until {until})"));
        let observe = if breaker["observe"] == true { "yes" } else { "no" };
        let (name, state, mode) = (field("name"), field("state"), field("mode"));
        let changed = format!("{} {}{until}", field("changedAt"), field("reason"));
        let _ = writeln!(lines, "{name:<10} {state:<10} {mode:<14} {observe:<8} {changed}");
    }
    lines
}
