//! `drawbridge cooldown list|set|clear`: users who may not draw for a while, through a running
//! server's admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use market::UserId;
use serde_json::{Value, json};

use super::arguments::user;
use super::block_on::block_on;
use super::run_command::RunCommand;
use super::server::{ReadOptions, end, seconds, text};
use super::setting_change::{ChangeOptions, RequestedChange};

const PATH: &str = "/admin/cooldowns";

/// What to do with cooldowns.
#[derive(Debug, Subcommand)]
pub enum CooldownCommand {
    /// Show who is in cooldown on a gateway, and until when
    List(ReadOptions),
    /// Let a user not draw for a while, on all gateways
    Set(SetCooldownOptions),
    /// Let a user draw again, on all gateways
    Clear {
        /// The user's id
        #[arg(value_parser = user)]
        user: UserId,
        #[command(flatten)]
        changing: ChangeOptions,
    },
}

/// A user and the length of the cooldown.
#[derive(Debug, Args)]
pub struct SetCooldownOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    /// For so long: 90s, 10m, 2h; at most 7 days
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: u64,
    #[command(flatten)]
    changing: ChangeOptions,
}

impl RunCommand for CooldownCommand {
    fn run(&self) -> ExitCode {
        match self {
            CooldownCommand::List(ReadOptions { json, server }) => {
                let list = block_on(server.get(PATH));
                end(list.map(|list| {
                    if *json {
                        format!("{list}\n")
                    } else {
                        show(&list)
                    }
                }))
            }
            CooldownCommand::Set(set) => set.run(),
            CooldownCommand::Clear { user, changing } => {
                let fields = json!({ "userId": user.as_str() });
                let about = ("cooldown", user.as_str());
                changing.carry_out(RequestedChange {
                    method: Method::DELETE,
                    path: PATH,
                    fields,
                    about,
                    only: None,
                })
            }
        }
    }
}

impl SetCooldownOptions {
    fn run(&self) -> ExitCode {
        let fields = json!({
            "userId": self.user.as_str(),
            "forSeconds": self.lasts,
        });
        let about = ("cooldown", self.user.as_str());
        self.changing.carry_out(RequestedChange {
            method: Method::POST,
            path: PATH,
            fields,
            about,
            only: None,
        })
    }
}

fn show(list: &Value) -> String {
    let users = list["users"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut lines = match text(list, "count").as_str() {
        "1" => "1 user is in cooldown".to_owned(),
        count => format!("{count} users are in cooldown"),
    };
    if list["count"].as_u64() > Some(users.len() as u64) {
        let _ = write!(lines, "; {} of those who came in last:", users.len());
    }
    lines.push('\n');
    for user in users {
        let by_hand = if user["byHand"] == true {
            "  by hand"
        } else {
            ""
        };
        let _ = writeln!(
            lines,
            "until {}  {}{by_hand}",
            text(user, "until"),
            text(user, "userId")
        );
    }
    lines
}
