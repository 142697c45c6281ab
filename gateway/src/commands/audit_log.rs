//! `drawbridge audit-log list`: who has changed what on a running server, and why.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::run_command::RunCommand;
use super::server::{ReadOptions, text};

/// What to do with the audit log. (`drawbridge audit` checks the stored data: that is another
/// thing.)
#[derive(Debug, Subcommand)]
pub enum AuditLogCommand {
    /// Show the latest 200 changes, newest first: who, what, why
    List(ReadOptions),
}

impl RunCommand for AuditLogCommand {
    fn run(&self) -> ExitCode {
        let AuditLogCommand::List(read) = self;
        read.show_list("/admin/audit_log", "entries", show)
    }
}

fn show(log: &Value) -> String {
    let mut lines = String::new();
    for entry in log["entries"].as_array().into_iter().flatten() {
        let field = |name| text(entry, name);
        let (at, what, detail, who, reason) = (
            field("at"),
            field("what"),
            field("detail"),
            field("who"),
            field("reason"),
        );
        let _ = writeln!(lines, "{at} {what} {detail} by {who}: {reason}");
    }
    if lines.is_empty() {
        "nothing has been changed yet\n".to_owned()
    } else {
        lines
    }
}
