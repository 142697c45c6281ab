//! `drawbridge`: the draw gateway. One binary, a role per subcommand.
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    gateway::run(&gateway::Cli::parse())
}
