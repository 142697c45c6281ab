//! `drawbridge sit-out list|revoke`: users who were refused too often, through a running server's
//! admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Subcommand;
use hyper::Method;
use market::UserId;
use market::ids::InvalidId;
use serde_json::Value;

use super::server::{Server, end, text};
use super::{ForTheRecord, block_on};

/// What to do with users who sit out. Each gateway has its own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who sits out on a gateway, and until when
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Let a user draw again
    Revoke {
        /// The user's id
        #[arg(value_parser = user)]
        user: UserId,
        #[command(flatten)]
        record: ForTheRecord,
        #[command(flatten)]
        server: Server,
    },
}

fn user(text: &str) -> Result<UserId, InvalidId> {
    UserId::new(text)
}

pub fn run(command: &Command) -> ExitCode {
    end(match command {
        Command::List { server } => block_on(server.get("/admin/sitting_out")).map(|list| show(&list)),
        Command::Revoke { user, record, server } => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("userId", user.as_str())
                .append_pair("who", &record.who())
                .append_pair("reason", &record.reason)
                .finish();
            let path = format!("/admin/sitting_out?{query}");
            block_on(server.call(Method::DELETE, &path, String::new())).map(|_| "the user may draw again\n".to_owned())
        }
    })
}

fn show(list: &Value) -> String {
    let mut lines = format!("{} users sit out\n", text(list, "count"));
    for user in list["users"].as_array().into_iter().flatten() {
        let _ = writeln!(lines, "until {}  {}", text(user, "until"), text(user, "userId"));
    }
    lines
}
