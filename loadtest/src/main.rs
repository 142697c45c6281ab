//! Load driver and benchmarks of the draw gateway.
//!
//! * `drive` loads a running gateway in a closed loop, `load` by a schedule.
//! * `verify` compares the draws that users received with the gateway's records, `audit` with the
//!   shards.
//! * `hello` is a bare HTTP server, the limit of the edge. `bench` measures the gateway next to its
//!   limits, `pair` two builds of it, `growth` how the cost of a draw grows.
//! * `soak` checks that nothing grows over time, `audit-load` that an audit does not disturb draws.
//!
//! All of them connect to this machine only.

mod audit;
mod bench;
mod call;
mod chunks;
mod cli;
mod connection;
mod cpu;
mod database;
mod drive;
mod error;
mod hello;
mod json;
mod keep;
mod load;
mod request;
mod response;
mod rounding;
mod tally;
mod target;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Drive(args) => drive::command(&args),
        Command::Load(args) => load::command(&args),
        Command::Verify(args) => verify::command(&args),
        Command::Audit(args) => audit::command(&args),
        Command::Hello(args) => hello::command(&args),
        Command::Bench(args) => bench::command(&args),
        Command::Pair(args) => bench::pair::command(&args),
        Command::Growth(args) => bench::growth::command(&args),
        Command::Soak(args) => bench::soak::command(&args),
        Command::AuditLoad(args) => bench::audit_load::command(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error}");
            error.exit_code()
        }
    }
}
