//! The options of an installation, and what they show before it is opened.
use std::path::Path;

use router::SlotMap;

use super::cluster::ClusterOptions;
use super::embedded::{EmbeddedOptions, Folder, FolderError};
use super::error::InstallationError;
use super::migrated::Migrated;
use super::sizes::GatewaySizes;
use crate::store::{ConversionProgress, counted};

/// Which installation.
#[derive(Debug, Clone)]
pub enum InstallationOptions {
    /// A folder of SQLite files; stock in memory.
    Embedded(EmbeddedOptions),
    /// MySQL or MariaDB databases; stock in Redis.
    Cluster(Box<ClusterOptions>),
}

/// File descriptors of a back end besides those of its connections: for jobs, and for connections
/// that are made while others end.
const SPARE_DESCRIPTORS: usize = 8;

impl InstallationOptions {
    /// Creates and upgrades the databases. With `accept_older_meta`, (who, why), it accepts a meta
    /// database that lacks what the shards know. Counts converted rows in `progress`.
    pub async fn migrate(
        &self,
        accept_older_meta: Option<(&str, &str)>,
        progress: &ConversionProgress,
    ) -> Result<Migrated, InstallationError> {
        match self {
            Self::Embedded(_) => Ok(Migrated {
                done: vec![
                    "the embedded default is migrated at each start; nothing to do".to_owned(),
                ],
                strangers: Vec::new(),
            }),
            Self::Cluster(options) => Ok(options
                .migrate_and_report(accept_older_meta, progress)
                .await?),
        }
    }

    /// How users are spread; before the first start, how they would be.
    pub async fn slot_map(&self) -> Result<SlotMap, InstallationError> {
        match self {
            Self::Embedded(options) => embedded_map(options).await,
            Self::Cluster(options) => Ok(options.open().await?.map().clone()),
        }
    }

    /// Removes the side files of databases that a command has read, so that the files may be
    /// copied.
    pub async fn fold_up(&self) {
        if let Self::Embedded(options) = self
            && let Ok(folder) = Folder::existing(&options.data)
        {
            folder.fold_up().await;
        }
    }

    /// The folder of this installation, if it has one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded(options) => Some(&options.data),
            Self::Cluster(_) => None,
        }
    }

    /// A short description of where draws are stored.
    pub fn summary(&self) -> String {
        match self {
            Self::Embedded(options) => format!("data in {}", options.data.display()),
            Self::Cluster(options) => {
                let number =
                    |count: usize, what| counted(u16::try_from(count).unwrap_or(u16::MAX), what);
                let (shards, servers) = (options.shards.len(), options.redis.len());
                format!(
                    "{}, {}",
                    number(shards, "shard"),
                    number(servers, "stock server")
                )
            }
        }
    }

    /// The file descriptors that a gateway of these sizes needs for storage.
    pub fn descriptors(&self, sizes: &GatewaySizes) -> usize {
        let reads = sizes.reads.connections_max;
        match self {
            Self::Embedded(options) => options.descriptors(reads, SPARE_DESCRIPTORS),
            Self::Cluster(options) => options.descriptors(reads, SPARE_DESCRIPTORS),
        }
    }
}

async fn embedded_map(options: &EmbeddedOptions) -> Result<SlotMap, InstallationError> {
    let fixed = match Folder::existing(&options.data) {
        Ok(folder) => folder.meta_for_reading().layout().slot_map().await?,
        Err(FolderError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let (version, shards, tables) = fixed.unwrap_or((1, options.shards, options.tables));
    Ok(SlotMap::even(version, shards, tables)?)
}
