//! All commands, and which code runs each.
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use super::block_on::block_on;
use super::storage::StorageArguments;
use super::{
    audit, audit_log, breaker, campaign, chances, completions, config, cooldown, gateways, health,
    jobs, limits, log, look_up, migrate, reload, route, serve, server, stock, switch,
};

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
    /// Give users chances; works while the server runs
    #[command(subcommand)]
    Chances(chances::Command),
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

impl Command {
    /// The installation whose files the command opens beside a server.
    fn place(&self) -> Option<&StorageArguments> {
        match self {
            Command::Campaign(command) => command.place(),
            Command::Stock(command) => Some(command.place()),
            Command::Chances(command) => command.place(),
            Command::Audit(options) => Some(options.place()),
            Command::Route(options) => Some(options.place()),
            Command::Order(options) => options.place(),
            Command::Account(options) => options.place(),
            _ => None,
        }
    }
}

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
        Command::Chances(command) => chances::run(&command),
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
        Command::Completions(options) => completions::run(&options, Cli::command()),
    }
}
