//! What all subcommands have in common.
use std::process::ExitCode;

use super::storage::StorageArguments;

/// A subcommand with its arguments.
pub(super) trait RunCommand {
    /// The installation whose files the command opens beside a server, if it opens any. Their side
    /// files are folded up after the command.
    fn storage(&self) -> Option<&StorageArguments> {
        None
    }

    /// Does the work, prints what came of it, and returns the exit code.
    fn run(&self) -> ExitCode;
}
