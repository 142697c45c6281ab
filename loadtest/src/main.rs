//! Load driver and benchmarks of the draw gateway.
//!
//! * `drive` loads a running gateway in a closed loop, `load` by a schedule.
//! * `verify` compares the draws that users received with the gateway's records, `audit` with the
//!   shards.
//! * `hello` is a bare HTTP server, the limit of the edge. `bench` measures the gateway next to its
//!   limits, `pair` two builds of it, `mixed` other calls beside draws, `growth` how the cost of a
//!   draw grows.
//! * `soak` checks that nothing grows over time, `audit-load` and `export-load` that an audit and an
//!   export do not disturb draws.
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
mod mix;
mod request;
mod response;
mod rounding;
mod signed;
mod tally;
mod target;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, LoadCommand};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        LoadCommand::Drive(args) => drive::command(&args),
        LoadCommand::Load(args) => load::command(&args),
        LoadCommand::Verify(args) => verify::command(&args),
        LoadCommand::Audit(args) => audit::command(&args),
        LoadCommand::Hello(args) => hello::command(&args),
        LoadCommand::Bench(args) => bench::command(&args),
        LoadCommand::Pair(args) => bench::pair::command(&args),
        LoadCommand::Mixed(args) => bench::mixed::command(&args),
        LoadCommand::Growth(args) => bench::growth::command(&args),
        LoadCommand::Soak(args) => bench::soak::command(&args),
        LoadCommand::AuditLoad(args) => bench::audit_load::command(&args),
        LoadCommand::ExportLoad(args) => bench::export_load::command(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error}");
            error.exit_code()
        }
    }
}
