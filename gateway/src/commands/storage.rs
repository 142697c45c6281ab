//! The installation that a command opens.
use std::path::{Path, PathBuf};

use clap::Args;
use settings::Override;
use shards::{Installation, InstallationError};

use super::output::complain;
use crate::config::{Config, ConfigError};

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
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    pub fn overrides(&self) -> Vec<Override> {
        self.data
            .iter()
            .map(|data| Override::option("storage.data", data, "--data"))
            .collect()
    }

    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), self.overrides())
    }

    /// Removes the side files that SQLite leaves in a data folder, so that its `*.sqlite` files may
    /// be copied.
    pub async fn fold_up(&self) {
        if let Ok(config) = self.load() {
            config.storage.fold_up().await;
        }
    }

    /// The installation that is there.
    pub async fn open(&self) -> Result<Installation, OpenError> {
        Ok(Installation::open(&self.load()?.storage).await?)
    }

    /// The same, up to date for changes.
    pub async fn open_for_changes(&self) -> Result<Installation, OpenError> {
        Ok(Installation::open_for_changes(&self.load()?.storage).await?)
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
pub async fn deliver(installation: &Installation) {
    if let Err(error) = installation.deliver().await {
        complain(format_args!(
            "the stock servers get the units later: {error}\n"
        ));
    }
}
