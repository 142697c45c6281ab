//! The command line: one subcommand per role. Exit code 0 for success, 1 when the answer is no,
//! 2 when the question could not be asked.
mod audit;
mod breaker;
mod campaign;
mod health;
mod migrate;
mod route;
mod serve;
mod server;
mod sit_out;
mod stock;
mod switch;

use std::fmt::Display;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use market::document::Override;
use shards::cluster::{ClusterError, Installation};
use shards::embedded::{Folder, FolderError};
use shards::store::StoreError;

use crate::config::{Config, ConfigError, Storage, warnings};

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
    Serve(serve::Options),
    /// Check a configuration and show what would be used
    CheckConfig(Place),
    /// Create or upgrade the databases of a cluster; does nothing when all is as it should be
    Migrate(migrate::Options),
    /// Check and publish campaign files
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Show and change the stock of prizes
    #[command(subcommand)]
    Stock(stock::Command),
    /// Show and set degrade switches of running servers
    #[command(subcommand)]
    Switch(switch::Command),
    /// Show and revoke the sitting out of users who asked too often
    #[command(subcommand)]
    SitOut(sit_out::Command),
    /// Show and set circuit breakers of a running server
    #[command(subcommand)]
    Breaker(breaker::Command),
    /// Ask a running server whether it is ready: exit code 0 or 1
    Health(health::Options),
    /// Explain where users live
    Route(route::Options),
    /// Check that nothing is lost, oversold or misplaced; works while the server runs
    Audit(audit::Options),
}

/// Which installation a command is about.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The config file [env: DRAWBRIDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; `storage.data` in the config file [env: DRAWBRIDGE_STORAGE_DATA]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

impl Place {
    fn overrides(&self) -> Vec<Override> {
        self.data.iter().map(|data| Override::option("storage.data", data, "--data")).collect()
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), self.overrides())
    }

    /// What looked into a data folder leaves no side files there, so that its `*.sqlite` files may
    /// be copied.
    async fn fold_up(&self) {
        let Ok(config) = self.load() else { return };
        if let Storage::Embedded(embedded) = config.storage
            && let Ok(folder) = Folder::existing(&embedded.data)
        {
            folder.fold_up().await;
        }
    }

    /// The installation that is there.
    async fn open(&self) -> Result<Installed, PlaceError> {
        match self.load()?.storage {
            Storage::Embedded(embedded) => Ok(Installed::Folder(Folder::existing(&embedded.data)?)),
            Storage::Cluster(options) => Ok(Installed::Cluster(options.open().await?)),
        }
    }
}

impl Command {
    /// The installation whose files it opens beside a server.
    fn place(&self) -> Option<&Place> {
        match self {
            Command::Campaign(command) => command.place(),
            Command::Stock(command) => Some(command.place()),
            Command::Audit(options) => Some(options.place()),
            Command::Route(options) => Some(options.place()),
            _ => None,
        }
    }
}

/// What a command works on.
enum Installed {
    /// The embedded default.
    Folder(Folder),
    /// A cluster.
    Cluster(Installation),
}

/// Why an installation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A database of it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The answer is no.
const NO: u8 = 1;
/// The question could not be asked.
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
        Command::CheckConfig(place) => check_config(&place),
        Command::Migrate(options) => migrate::run(&options),
        Command::Campaign(command) => campaign::run(command),
        Command::Stock(command) => stock::run(command),
        Command::Switch(command) => switch::run(&command),
        Command::SitOut(command) => sit_out::run(&command),
        Command::Breaker(command) => breaker::run(&command),
        Command::Health(options) => health::run(&options),
        Command::Route(options) => route::run(&options),
        Command::Audit(options) => audit::run(&options),
    }
}

fn check_config(place: &Place) -> ExitCode {
    match place.load() {
        Ok(config) => {
            say(format_args!("the configuration is good:\n{config:#?}\n"));
            for warning in warnings(&config) {
                say(format_args!("{}: {warning}\n", warning.level()));
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

/// Prints a text. Nobody may be reading (`audit | head`); that is no reason to fail.
fn say(text: impl Display) {
    let mut output = std::io::stdout().lock();
    let _ = write!(output, "{text}").and_then(|()| output.flush());
}

/// Prints a text on standard error.
fn complain(text: impl Display) {
    let _ = write!(std::io::stderr().lock(), "{text}");
}

/// Says on standard error why a command could not do its work.
fn fail(error: impl Display) -> ExitCode {
    complain(format_args!("drawbridge: {error}\n"));
    ExitCode::from(FAILED)
}

/// Runs a short command to its end.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(work)
}

/// A reason, which says something.
pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("say in a few words why, for whoever reads the record") } else { Ok(text.into()) }
}

/// What is kept beside a change.
#[derive(Debug, Args)]
pub struct ForTheRecord {
    /// Why, for the record
    #[arg(long, value_parser = reason)]
    pub(super) reason: String,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long)]
    who: Option<String>,
}

impl ForTheRecord {
    pub(super) fn who(&self) -> String {
        self.who.clone().unwrap_or_else(operator)
    }
}

/// Who is at the keyboard, for the record.
fn operator() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
