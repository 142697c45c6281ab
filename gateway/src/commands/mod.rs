//! The command line: one subcommand per task. Exit code 0 for success, 1 for a refusal or a negative
//! result, 2 when the command could not do its work.
mod admin_address;
mod announce;
mod arguments;
mod audit;
mod audit_log;
mod breaker;
mod campaign;
mod completions;
mod config;
mod cooldown;
mod gateways;
mod health;
mod jobs;
mod limits;
mod log;
mod look_up;
mod migrate;
mod obey;
mod progress;
mod reload;
mod route;
mod serve;
mod server;
mod stock;
mod switch;

use std::fmt::Display;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use settings::Override;
use shards::{Installation, InstallationError};

use crate::config::{Config, ConfigError};
use crate::text::is_unprintable;

/// A sharded, high-throughput draw gateway.
#[derive(Debug, Parser)]
#[command(name = "drawbridge", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve draws until told to stop
    Serve(serve::ServeOptions),
    /// Check a configuration and show what would be used
    CheckConfig(StorageArguments),
    /// Create or upgrade the databases of a cluster; does nothing when they are up to date
    Migrate(migrate::MigrateOptions),
    /// Check and publish campaign files
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Show and change the stock of prizes
    #[command(subcommand)]
    Stock(stock::Command),
    /// Show and set degrade switches of running servers
    #[command(subcommand)]
    Switch(switch::Command),
    /// Show, set and clear cooldowns: users who may not draw for a while
    #[command(subcommand)]
    Cooldown(cooldown::Command),
    /// Show and set the limits of running servers
    #[command(subcommand)]
    Limits(limits::Command),
    /// Show and set what running servers log
    #[command(subcommand)]
    Log(log::Command),
    /// Have running servers read their configuration again
    Reload(reload::ReloadOptions),
    /// Show and set circuit breakers of running servers
    #[command(subcommand)]
    Breaker(breaker::Command),
    /// Show the gateways: which revision each obeys, and what it could not obey
    Gateways(gateways::Gateways),
    /// Show the periodic jobs: who runs each, its latest round, what is left to do
    Jobs(server::Look),
    /// Ask a running server whether it is ready: exit code 0 or 1
    Health(health::HealthOptions),
    /// Show the configuration of a running server
    #[command(subcommand)]
    Config(config::Command),
    /// Show who has changed what on running servers, and why
    #[command(subcommand)]
    AuditLog(audit_log::Command),
    /// Show what a user has drawn; works while the server runs
    Order(look_up::OrderOptions),
    /// Show how often a user may still draw; works while the server runs
    Account(look_up::AccountOptions),
    /// Explain on which shard and table users are
    Route(route::RouteOptions),
    /// Check that nothing is lost, oversold or misplaced; works while the server runs
    Audit(audit::AuditOptions),
    /// Print what a shell needs to complete commands and options
    Completions(completions::CompletionsOptions),
}

/// Which installation a command is about.
#[derive(Debug, Clone, Args)]
pub struct StorageArguments {
    /// The config file [env: DRAWBRIDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; `storage.data` in the config file [env: DRAWBRIDGE_STORAGE_DATA]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

impl StorageArguments {
    fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    fn overrides(&self) -> Vec<Override> {
        self.data
            .iter()
            .map(|data| Override::option("storage.data", data, "--data"))
            .collect()
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), self.overrides())
    }

    /// Removes the side files that SQLite leaves in a data folder, so that its `*.sqlite` files may
    /// be copied.
    async fn fold_up(&self) {
        if let Ok(config) = self.load() {
            config.storage.fold_up().await;
        }
    }

    /// The installation that is there.
    async fn open(&self) -> Result<Installation, OpenError> {
        Ok(Installation::open(&self.load()?.storage).await?)
    }

    /// The same, up to date for changes.
    async fn open_for_changes(&self) -> Result<Installation, OpenError> {
        Ok(Installation::open_for_changes(&self.load()?.storage).await?)
    }
}

impl Command {
    /// The installation whose files the command opens beside a server.
    fn place(&self) -> Option<&StorageArguments> {
        match self {
            Command::Campaign(command) => command.place(),
            Command::Stock(command) => Some(command.place()),
            Command::Audit(options) => Some(options.place()),
            Command::Route(options) => Some(options.place()),
            Command::Order(options) => options.place(),
            Command::Account(options) => options.place(),
            _ => None,
        }
    }
}

/// Why an installation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is there.
    #[error(transparent)]
    Installation(#[from] InstallationError),
}

/// Brings units to the stock servers now. A gateway would do it as well, a moment later, so a
/// failure is no reason to worry.
async fn deliver(installation: &Installation) {
    if let Err(error) = installation.deliver().await {
        complain(format_args!(
            "the stock servers get the units later: {error}\n"
        ));
    }
}

/// Exit code of a refusal or a negative result.
const NO: u8 = 1;
/// Exit code of a command that could not do its work.
const FAILED: u8 = 2;

/// Runs a command line.
pub fn run(cli: Cli) -> ExitCode {
    let place = cli.command.place().cloned();
    let code = execute(cli.command);
    if let Some(place) = place {
        block_on(place.fold_up());
    }
    code
}

fn execute(command: Command) -> ExitCode {
    match command {
        Command::Serve(options) => serve::run(&options),
        Command::CheckConfig(place) => config::check(&place),
        Command::Migrate(options) => migrate::run(&options),
        Command::Campaign(command) => campaign::run(command),
        Command::Stock(command) => stock::run(command),
        Command::Switch(command) => switch::run(&command),
        Command::Cooldown(command) => cooldown::run(&command),
        Command::Limits(command) => limits::run(&command),
        Command::Log(command) => log::run(&command),
        Command::Reload(options) => reload::run(&options),
        Command::Breaker(command) => breaker::run(&command),
        Command::Gateways(gateways) => gateways::run(&gateways),
        Command::Jobs(look) => jobs::run(&look),
        Command::Config(command) => config::run(&command),
        Command::AuditLog(command) => audit_log::run(&command),
        Command::Order(options) => look_up::run_order(&options),
        Command::Account(options) => look_up::run_account(&options),
        Command::Health(options) => health::run(&options),
        Command::Route(options) => route::run(&options),
        Command::Audit(options) => audit::run(&options),
        Command::Completions(options) => completions::run(&options),
    }
}

/// Prints on standard output. A closed pipe (`audit | head`) is no failure.
fn say(text: impl Display) {
    let mut output = std::io::stdout().lock();
    let _ = write!(output, "{text}").and_then(|()| output.flush());
}

/// Prints on standard error.
fn complain(text: impl Display) {
    let _ = write!(std::io::stderr().lock(), "{text}");
}

/// Prints JSON, indented.
fn say_json(value: &impl Serialize) {
    say(format_args!(
        "{}\n",
        serde_json::to_string_pretty(value).expect("plain values")
    ));
}

/// Prints on standard error why a request was refused.
fn refuse(why: impl Display) -> ExitCode {
    complain(format_args!("drawbridge: {why}\n"));
    ExitCode::from(NO)
}

/// Prints on standard error why a command could not do its work.
fn fail(error: impl Display) -> ExitCode {
    complain(format_args!("drawbridge: {error}\n"));
    ExitCode::from(FAILED)
}

/// Runs a short command to its end.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime can be started").block_on(work)
}

/// Parses a reason, which must not be empty.
pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err("say in a few words why, for whoever reads the record")
    } else {
        one_line(text)
    }
}

/// Parses a string for the audit log, without characters that could affect a reader's terminal.
pub(super) fn one_line(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("expected a name"),
        text if text.contains(is_unprintable) => {
            Err("expected one line without control and format characters")
        }
        text => Ok(text.to_owned()),
    }
}

/// Who makes a change and why, for the audit log.
#[derive(Debug, Args)]
pub struct ForTheRecord {
    /// Why, for the record
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub(super) reason: String,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long, value_name = "NAME", value_parser = one_line)]
    who: Option<String>,
}

impl ForTheRecord {
    pub(super) fn who(&self) -> String {
        self.who.clone().unwrap_or_else(operator)
    }
}

/// The name of the user who runs the command.
fn operator() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
