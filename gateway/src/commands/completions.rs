//! `drawbridge completions SHELL`: what a shell needs to complete our commands and options.
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::output::say;

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsOptions {
    /// The shell; source what is printed: `source <(drawbridge completions bash)`
    shell: Shell,
}

/// Prints what the shell needs.
pub(super) fn print(options: &CompletionsOptions, mut drawbridge: Command) -> ExitCode {
    let mut script = Vec::new();
    generate(options.shell, &mut drawbridge, "drawbridge", &mut script);
    say(String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
