//! The options of an embedded installation.
use std::path::PathBuf;

use super::folder::{Folder, FolderError, Held};

/// A SQLite connection has its file and two side files.
const FILES_PER_CONNECTION: usize = 3;

/// An embedded installation.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The data folder.
    pub data: PathBuf,
    /// Shard files; fixed at the first start.
    pub shards: u16,
    /// Tables in each; fixed at the first start.
    pub tables: u16,
    /// Whether the operator named the folder. If the default one is missing, a command was probably
    /// started in the wrong place.
    pub data_is_named: bool,
}

impl EmbeddedOptions {
    /// The folder to publish into. It is made when the operator named it and it is missing. Returns
    /// whether it was made.
    pub(crate) fn folder_for_publication(&self) -> Result<(Folder, bool), FolderError> {
        match Folder::existing(&self.data) {
            Err(FolderError::Missing(_)) if self.data_is_named => {
                Ok((Folder::create(&self.data)?, true))
            }
            found => Ok((found?, false)),
        }
    }

    /// Makes the folder when it is missing, and takes its lock for this process.
    pub(crate) async fn hold(&self) -> Result<Held, FolderError> {
        let folder = Folder::create(&self.data)?;
        if let Some(warning) = folder.access_warning() {
            tracing::warn!("{warning}");
        }
        folder.hold_for_server().await
    }

    /// The file descriptors that a server needs with `readers` reading connections per shard.
    pub(crate) fn descriptors(&self, reads: usize, spare: usize) -> usize {
        FILES_PER_CONNECTION * (usize::from(self.shards) * (1 + reads) + spare)
    }
}
