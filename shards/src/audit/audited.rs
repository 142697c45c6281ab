//! What the audit reads: an installation with either back end.
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use router::{MapError, SlotMap};

use crate::installation::cluster::Cluster;
use crate::installation::embedded::{Folder, FolderError};
use crate::stock::Snapshot;
use crate::stock::cluster::Spread;
use crate::store::tables::issued::COUNTERS;
use crate::store::{Access, Database, MysqlDatabase, SqliteFile, StoreError, named};

/// A page takes some milliseconds. A table that has lost its key is sorted for each page.
const PAGE_TIMEOUT: Duration = Duration::from_mins(10);

/// Why the audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A database cannot be read.
    #[error("{}", named(name, error))]
    Database {
        /// Which.
        name: String,
        /// Why.
        error: StoreError,
    },
    /// The lock file cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The program cannot have written the stored layout.
    #[error("the meta database: {0}")]
    Map(#[from] MapError),
    /// There are shards, but nothing says how users are spread over them.
    #[error("meta.sqlite does not say how users are spread, but {} exists", .0.display())]
    NoMap(PathBuf),
}

/// What the audit needs of an installation.
pub(super) trait Audited: Sync {
    type Database: Database;

    /// How long the audit waits for a quiet moment, in which the stock can be checked to the unit.
    const QUIET_AWAITED: Duration;

    fn meta(&self) -> Self::Database;
    fn shard(&self, shard: u16) -> Self::Database;
    fn meta_name(&self) -> String;
    fn shard_name(&self, shard: u16) -> String;
    /// How users are spread; `None` when no server has ever run here.
    fn map(&self) -> impl Future<Output = Result<Option<SlotMap>, AuditError>> + Send;
    /// Whether a process holds stock now, and the stock there.
    fn stock(
        &self,
    ) -> impl Future<Output = Result<(bool, Result<Vec<Snapshot>, String>), AuditError>> + Send;
    /// Whether that is the stock at the moment of the call, not an earlier one.
    const STOCK_IS_OF_NOW: bool;
    /// The statement that reads what each lane of a shard has issued, where lanes have counters of
    /// their own: rows of activity, award, lane, units.
    const ISSUED_BY_LANE: Option<&'static str>;
    /// How the stock is spread over servers, where it is.
    fn spread(&self) -> Option<Spread>;

    /// The error of the meta database.
    fn meta_failed(&self, error: StoreError) -> AuditError {
        AuditError::Database {
            name: self.meta_name(),
            error,
        }
    }

    /// The error of a shard.
    fn shard_failed(&self, shard: u16, error: StoreError) -> AuditError {
        AuditError::Database {
            name: self.shard_name(shard),
            error,
        }
    }
}

impl Audited for Folder {
    type Database = SqliteFile;

    const QUIET_AWAITED: Duration = Duration::from_secs(6);

    fn meta(&self) -> SqliteFile {
        self.meta_file(Access::Read)
    }

    fn shard(&self, shard: u16) -> SqliteFile {
        Folder::shard(self, shard, Access::Read)
    }

    fn meta_name(&self) -> String {
        Audited::meta(self).path.display().to_string()
    }

    fn shard_name(&self, shard: u16) -> String {
        Audited::shard(self, shard).path.display().to_string()
    }

    async fn map(&self) -> Result<Option<SlotMap>, AuditError> {
        let found = self.meta_for_reading().layout().slot_map().await;
        let found = found.map_err(|error| self.meta_failed(error))?;
        let Some((version, shards, tables)) = found else {
            let shard = Audited::shard(self, 0).path;
            return if shard.exists() {
                Err(AuditError::NoMap(shard))
            } else {
                Ok(None)
            };
        };
        Ok(Some(SlotMap::even(version, shards, tables)?))
    }

    async fn stock(&self) -> Result<(bool, Result<Vec<Snapshot>, String>), AuditError> {
        let held = self.is_held()?;
        let snapshots = self.meta_for_reading().stock_snapshots().read().await;
        let snapshots = snapshots.map_err(|error| self.meta_failed(error))?;
        Ok((held, Ok(snapshots)))
    }

    /// The server stores it at intervals.
    const STOCK_IS_OF_NOW: bool = false;

    const ISSUED_BY_LANE: Option<&'static str> = None;

    fn spread(&self) -> Option<Spread> {
        None
    }
}

impl Audited for Cluster {
    type Database = MysqlDatabase;

    /// The outcome of grants of dead batches is decided in this time.
    const QUIET_AWAITED: Duration = Duration::from_secs(15);

    fn meta(&self) -> MysqlDatabase {
        Cluster::meta(self).database().clone()
    }

    fn shard(&self, shard: u16) -> MysqlDatabase {
        self.shards()[usize::from(shard)].with(|options| options.statement_timeout = PAGE_TIMEOUT)
    }

    fn meta_name(&self) -> String {
        "the meta database".to_owned()
    }

    fn shard_name(&self, shard: u16) -> String {
        format!("shard {shard}")
    }

    async fn map(&self) -> Result<Option<SlotMap>, AuditError> {
        Ok(Some(Cluster::map(self).clone()))
    }

    async fn stock(&self) -> Result<(bool, Result<Vec<Snapshot>, String>), AuditError> {
        Ok((true, self.snapshots().await))
    }

    const STOCK_IS_OF_NOW: bool = true;

    const ISSUED_BY_LANE: Option<&'static str> = Some(COUNTERS.read_by_lane);

    fn spread(&self) -> Option<Spread> {
        Some(Cluster::spread(self))
    }
}
