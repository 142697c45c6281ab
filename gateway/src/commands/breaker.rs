//! `drawbridge breaker list|set`: circuit breakers of one server, through its admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::server::{Server, ServerError, end, seconds, text};
use super::{ForTheRecord, block_on};

const PATH: &str = "/admin/breakers";

/// What to do with breakers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the breakers of a server stand
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Tell a breaker of a server what to do; other servers have breakers of their own
    Set(Set),
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
    let list = match command {
        Command::List { server } => block_on(server.get(PATH)),
        Command::Set(set) => block_on(set.send()),
    };
    end(list.map(|list| show(&list)))
}

impl Set {
    async fn send(&self) -> Result<Value, ServerError> {
        let body = json!({
            "name": self.breaker,
            "mode": self.mode.name(),
            "who": self.record.who(),
            "reason": self.record.reason,
            "forSeconds": self.lasts,
        });
        self.server.call(Method::POST, PATH, body.to_string()).await
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
