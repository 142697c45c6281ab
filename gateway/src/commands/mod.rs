//! The command line: one subcommand per task. Exit code 0 for success, 1 for a refusal or a negative
//! result, 2 when the command could not do its work.
//!
//! `command_line` parses the arguments and starts the command; it is the only file that imports
//! the commands. The commands share `output` (what they print and their exit codes), `storage`
//! (the installation), `record` (who changes what and why), `server` and `obey` (requests to a
//! running server).
mod admin_address;
mod announce;
mod arguments;
mod audit;
mod audit_log;
mod block_on;
mod breaker;
mod campaign;
mod chances;
mod command_line;
mod completions;
mod config;
mod cooldown;
mod gateways;
mod health;
mod held_folder;
mod jobs;
mod limits;
mod log;
mod look_up;
mod migrate;
mod obey;
mod output;
mod progress;
mod record;
mod reload;
mod route;
mod serve;
mod server;
mod stock;
mod storage;
mod switch;

pub use command_line::{Cli, run};
