//! `drawbridge`: the draw gateway. One binary, a role per subcommand.
mod admin;
mod api;
mod commands;
mod config;
mod edge;
mod identity;
mod limits;
mod metrics;
mod reload;
mod trace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::run(commands::Cli::parse())
}
