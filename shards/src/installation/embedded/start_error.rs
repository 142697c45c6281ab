//! Why an embedded server does not start.
use router::MapError;

use super::folder::FolderError;
use crate::installation::founding::FoundingError;
use crate::store::{StoreError, counted};

/// Why the embedded server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configured layout is impossible.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The folder was laid out differently.
    #[error(
        "the data folder has {} of {}, the configuration says {shards} of {tables}: they are fixed at the first start; \
         configure storage.shards = {found_shards} and storage.tables = {found_tables}, or name another folder: --data DIR",
        counted(*found_shards, "shard"), counted(*found_tables, "table")
    )]
    Layout {
        /// Shards that exist.
        found_shards: u16,
        /// Tables that exist.
        found_tables: u16,
        /// Shards configured.
        shards: u16,
        /// Tables configured.
        tables: u16,
    },
    /// Files do not belong together.
    #[error(
        "the files of the data folder do not belong together: restore files of one moment\n{0}"
    )]
    Unfit(FoundingError),
    /// The meta file is older than a shard: ids would be given out twice.
    #[error(
        "meta.sqlite is older than shard-{shard}.sqlite (was it restored or removed?): restore files of one moment"
    )]
    MetaBehind {
        /// The shard that is newer.
        shard: u16,
    },
    /// A shard file is older than the meta file: draws that were answered are not in it.
    #[error(
        "shard-{shard}.sqlite is older than meta.sqlite (start or stop {found} of {known}; was it restored or \
         replaced?): draws that were answered are missing in it. Put the newest one back, or restore all files of \
         one moment"
    )]
    ShardBehind {
        /// The older shard.
        shard: u16,
        /// The last start or stop that is recorded in it.
        found: u32,
        /// The last one that is recorded in the meta file.
        known: u32,
    },
    /// The folder or one of its files.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Metrics cannot be registered.
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The meta file.
    #[error("meta.sqlite: {0}")]
    Meta(#[from] StoreError),
}
