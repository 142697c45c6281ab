//! The command line: one subcommand per task. Exit code 0 for success, 1 for a refusal or a
//! negative result, 2 when the command could not do its work.
//!
//! A subcommand is a file with its arguments, which implement `RunCommand`, and three lines here:
//! the module, the variant, and the arm of `arguments`. The commands share `output` (what they
//! print and their exit codes), `storage` (the installation), `record` (who changes what and why),
//! `server` (requests to a running server), `setting_change` (changes that all gateways obey) and
//! `user_change` (changes of a user's rows).
mod admin_address;
mod announce;
mod arguments;
mod audit;
mod audit_log;
mod block_on;
mod breaker;
mod campaign;
mod chances;
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
mod output;
mod points;
mod progress;
mod published;
mod record;
mod reload;
mod report;
mod results;
mod route;
mod run_command;
mod serve;
mod server;
mod setting_change;
mod stock;
mod storage;
mod switch;
mod user_change;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use self::block_on::block_on;
use self::completions::CompletionsOptions;
use self::run_command::RunCommand;

/// A sharded, high-throughput draw gateway.
#[derive(Debug, Parser)]
#[command(name = "drawbridge", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: DrawbridgeCommand,
}

/// All subcommands.
#[derive(Debug, Subcommand)]
enum DrawbridgeCommand {
    /// Serve draws until a signal stops the server
    Serve(serve::ServeOptions),
    /// Check a configuration and show what would be used
    CheckConfig(config::CheckConfigOptions),
    /// Create or upgrade the databases of a cluster; does nothing when they are up to date
    Migrate(migrate::MigrateOptions),
    /// Check and publish campaign files; pause, close and show campaigns
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// Show and change the stock of prizes
    #[command(subcommand)]
    Stock(stock::StockCommand),
    /// Give users chances; works while the server runs
    #[command(subcommand)]
    Chances(chances::ChancesCommand),
    /// Show, change and freeze users' points; works while the server runs
    #[command(subcommand)]
    Points(points::PointsCommand),
    /// Show and set degrade switches of running servers
    #[command(subcommand)]
    Switch(switch::SwitchCommand),
    /// Show, set and clear cooldowns: users who may not draw for a while
    #[command(subcommand)]
    Cooldown(cooldown::CooldownCommand),
    /// Show and set the limits of running servers
    #[command(subcommand)]
    Limits(limits::LimitsCommand),
    /// Show and set what running servers log
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Have running servers read their configuration again
    Reload(reload::ReloadOptions),
    /// Show and set circuit breakers of running servers
    #[command(subcommand)]
    Breaker(breaker::BreakerCommand),
    /// Show the gateways: which revision each obeys, and what it could not obey
    Gateways(gateways::GatewaysOptions),
    /// Show the periodic jobs: who runs each, its latest round, what is left to do
    Jobs(jobs::JobsOptions),
    /// Ask a running server whether it is ready: exit code 0 or 1
    Health(health::HealthOptions),
    /// Show the configuration of a running server
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Show who has changed what on running servers, and why
    #[command(subcommand)]
    AuditLog(audit_log::AuditLogCommand),
    /// Show what a user has drawn; works while the server runs
    Order(look_up::OrderOptions),
    /// Show how often a user may still draw; works while the server runs
    Account(look_up::AccountOptions),
    /// Write who won what, from all shards; works while the server runs
    Results(results::ResultsOptions),
    /// Show what was drawn in an activity and what it cost; works while the server runs
    Report(report::ReportOptions),
    /// Explain on which shard and table users are
    Route(route::RouteOptions),
    /// Check that nothing is lost, oversold or misplaced; works while the server runs
    Audit(audit::AuditOptions),
    /// Print what a shell needs to complete commands and options
    Completions(CompletionsOptions),
}

impl DrawbridgeCommand {
    fn arguments(&self) -> &dyn RunCommand {
        match self {
            Self::Serve(options) => options,
            Self::CheckConfig(options) => options,
            Self::Migrate(options) => options,
            Self::Campaign(options) => options,
            Self::Stock(options) => options,
            Self::Chances(options) => options,
            Self::Points(options) => options,
            Self::Switch(options) => options,
            Self::Cooldown(options) => options,
            Self::Limits(options) => options,
            Self::Log(options) => options,
            Self::Reload(options) => options,
            Self::Breaker(options) => options,
            Self::Gateways(options) => options,
            Self::Jobs(options) => options,
            Self::Health(options) => options,
            Self::Config(options) => options,
            Self::AuditLog(options) => options,
            Self::Order(options) => options,
            Self::Account(options) => options,
            Self::Results(options) => options,
            Self::Report(options) => options,
            Self::Route(options) => options,
            Self::Audit(options) => options,
            Self::Completions(options) => options,
        }
    }
}

/// Here, because only here all commands are known.
impl RunCommand for CompletionsOptions {
    fn run(&self) -> ExitCode {
        completions::print(self, Cli::command())
    }
}

/// Runs a command line.
pub fn run(cli: &Cli) -> ExitCode {
    let command = cli.command.arguments();
    let code = command.run();
    if let Some(storage) = command.storage() {
        block_on(storage.fold_up());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_documented() {
        let page = include_str!("../../../docs/commands.md");
        for command in Cli::command().get_subcommands() {
            let written = format!("`drawbridge {}", command.get_name());
            // The whole name, not the beginning of a longer one.
            let has = |end: char| page.contains(&format!("{written}{end}"));
            assert!(has('`') || has(' '), "docs/commands.md lacks {written}`");
        }
    }
}
