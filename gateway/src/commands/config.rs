//! `drawbridge check-config` and `drawbridge config show`: the configuration that would be in
//! force, and the one that is. Both print a config file with the origin of each value.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::{REFUSED, complain, fail, say};
use super::run_command::RunCommand;
use super::server::{ReadOptions, text};
use super::storage::StorageArguments;
use crate::config::effective::{ShownKey, to_toml};
use crate::config::{Config, ConfigError, warnings};
use crate::text::printable_lines;

/// Which configuration to check.
#[derive(Debug, Args)]
pub struct CheckConfigOptions {
    #[command(flatten)]
    storage: StorageArguments,
}

/// What to do with a running server's configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show what is in force on a server, and where each value comes from; secrets are masked
    Show(ReadOptions),
}

impl RunCommand for ConfigCommand {
    fn run(&self) -> ExitCode {
        let ConfigCommand::Show(read) = self;
        read.show("/admin/config", show)
    }
}

fn show(shown: &Value) -> String {
    let mut lines = String::new();
    let field = |name| text(shown, name);
    let file = Some(field("file")).filter(|file| !file.is_empty());
    let _ = writeln!(
        lines,
        "# in force; config file: {}",
        file.unwrap_or("none".to_owned())
    );
    let _ = writeln!(
        lines,
        "# hash {}: the same on all gateways that are configured alike",
        field("hash")
    );
    for key in shown["needsRestart"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let _ = writeln!(lines, "# changed in the file, waits for a restart: {key}");
    }
    let filter = Some(field("logFilterSet")).filter(|filter| !filter.is_empty());
    if let Some(filter) = filter {
        let _ = writeln!(lines, "# set for a while: the log filter {filter}");
    }
    let keys: Vec<ShownKey> = serde_json::from_value(shown["keys"].clone()).unwrap_or_default();
    let _ = write!(lines, "\n{}", to_toml(&keys));
    printable_lines(&lines)
}

impl RunCommand for CheckConfigOptions {
    /// Exit code 0 when the configuration is good, 1 when it has faults, 2 when it cannot be read.
    fn run(&self) -> ExitCode {
        check(&self.storage)
    }
}

fn check(storage: &StorageArguments) -> ExitCode {
    let text = match Config::text(storage.config()) {
        Ok(text) => text,
        Err(error) => return fail(error),
    };
    match Config::of_text(&text, storage.overrides()) {
        Ok((config, effective)) => {
            let file = Config::file(storage.config())
                .map_or("none".to_owned(), |file| file.display().to_string());
            let head = format!(
                "# the configuration is good; config file: {file}\n# hash {}\n",
                effective.hash()
            );
            say(printable_lines(&format!(
                "{head}\n{}",
                to_toml(&effective.shown())
            )));
            // On standard error, so that the output can be used as a config file.
            for warning in warnings(&config) {
                complain(format_args!("{}: {warning}\n", warning.level()));
            }
            ExitCode::SUCCESS
        }
        Err(error @ ConfigError::Faults(_)) => {
            complain(format_args!("drawbridge: {error}\n"));
            ExitCode::from(REFUSED)
        }
        Err(error) => fail(error),
    }
}
