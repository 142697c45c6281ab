//! The audit: looks whether what is stored keeps the invariants that the draws promise.
//!
//! It reads beside a running server, or when none runs, and changes nothing. Everything inside
//! one shard is judged in one snapshot of that shard:
//!
//! * `draws` folds the accounts and orders of a table, in order, one user at a time;
//! * `campaigns` says whether an order can have come from the campaign version it names;
//! * `stock` compares units in orders, in counters and in stock.
//!
//! Meta file and shards have no common instant, so what is compared across them is read in an
//! order that makes each comparison safe whatever happens in between:
//!
//! * Campaign versions are only ever added, and an order names one that was there before it. So
//!   they are read after the shard's snapshot was taken.
//! * A prize's total is never below what is issued of it at that moment: an addition is recorded
//!   before its units can be drawn, a withdrawal after its units can be drawn no more. Issued
//!   units only grow. So totals are read after the orders, and then even additions and
//!   withdrawals in between cannot make sound stock look oversold.
//! * What is left in a running server's stock it tells from time to time. That is only compared
//!   when nothing moves for long enough.
//!
//! A snapshot keeps SQLite from shortening the shard's write-ahead log, which grows meanwhile.
mod campaigns;
mod draws;
mod report;
mod rows;
mod stock;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use router::{MapError, SlotMap};
use tokio::time::{Instant, sleep};

use self::campaigns::Versions;
use self::draws::{Fold, Place};
use self::report::Checks;
pub use self::report::{Check, LISTED_MAX, Report};
use self::rows::stored_row;
use self::stock::{Counts, Look, Sum};
use crate::embedded::{Folder, FolderError};
use crate::meta::Meta;
use crate::store::{Access, Columns, Connection, Database, SqliteConnection, SqliteFile, StoreError, TableStatements};

/// A sum that is wrong for this long while nothing moves is wrong. A running server tells its
/// view of the stock six times in it.
const QUIET: Duration = Duration::from_secs(3);

/// Where draws go on, waiting longer for a quiet moment is no use.
const QUIET_AWAITED: Duration = Duration::from_secs(6);

const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Why the audit could not look.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A database file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
    /// The lock file cannot be looked at.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The stored layout is none that the program can have fixed.
    #[error("meta.sqlite: {0}")]
    Map(#[from] MapError),
    /// There are shards, but nothing says which users they have.
    #[error("meta.sqlite does not say how users are spread, but {} is there", .0.display())]
    NoMap(PathBuf),
}

/// Audits a data folder. An error means that it could not look, not that something is wrong.
pub async fn audit(folder: &Folder) -> Result<Report, AuditError> {
    let mut audit = Audit::open(folder).await?;
    audit.learn_versions().await?;
    for shard in 0..audit.shards() {
        audit.check_shard(shard).await?;
    }
    audit.check_totals().await?;
    audit.check_sum().await?;
    Ok(audit.checks.report())
}

/// How users are spread; `None` when no server ever ran here.
async fn slot_map(
    folder: &Folder,
    meta: &Meta<SqliteFile>,
    meta_file: &SqliteFile,
) -> Result<Option<SlotMap>, AuditError> {
    let Some((version, shards, tables)) = meta.slot_map().await.map_err(|error| file_error(meta_file, error))? else {
        let shard = folder.shard(0, Access::Read).path;
        return if shard.exists() { Err(AuditError::NoMap(shard)) } else { Ok(None) };
    };
    Ok(Some(SlotMap::even(version, shards, tables)?))
}

struct Audit<'f> {
    folder: &'f Folder,
    meta: Meta<SqliteFile>,
    meta_file: SqliteFile,
    map: Option<SlotMap>,
    checks: Checks,
    versions: Versions,
    /// The orders of all shards that took a unit of stock.
    issued: Counts,
}

impl<'f> Audit<'f> {
    async fn open(folder: &'f Folder) -> Result<Self, AuditError> {
        let (meta, meta_file) = (folder.meta_for_reading(), folder.meta_file(Access::Read));
        let map = slot_map(folder, &meta, &meta_file).await?;
        let (checks, versions, issued) = (Checks::new(), Versions::default(), Counts::new());
        Ok(Self { folder, meta, meta_file, map, checks, versions, issued })
    }

    fn shards(&self) -> u16 {
        self.map.as_ref().map_or(0, SlotMap::shards)
    }

    async fn learn_versions(&mut self) -> Result<(), AuditError> {
        let stored = self.meta.versions().await.map_err(|error| file_error(&self.meta_file, error))?;
        self.versions.learn(&stored, &mut self.checks.orders_match_their_campaign);
        Ok(())
    }

    async fn check_shard(&mut self, shard: u16) -> Result<(), AuditError> {
        let Some(map) = self.map.clone() else { return Ok(()) };
        let file = self.folder.shard(shard, Access::Read);
        let failed = |error| file_error(&file, error);
        let mut connection = file.connect().await.map_err(failed)?;
        connection.begin_snapshot().await.map_err(failed)?;
        // The first statement takes the snapshot; the versions must be read after it.
        let counters = read_counts(&mut connection, SqliteFile::DIALECT.shard.read_issued).await.map_err(failed)?;
        self.learn_versions().await?;
        let mut stocked = Counts::new();
        for table in 0..map.tables() {
            let sql = SqliteFile::DIALECT.table(table);
            let place = Place { shard, table };
            let (versions, checks, stocked) = (&self.versions, &mut self.checks, &mut stocked);
            let fold = Fold { place, map: &map, versions, checks, stocked, history: None };
            scan_draws(&mut connection, &sql, fold).await.map_err(failed)?;
            self.check_requests(&mut connection, &sql, place).await.map_err(failed)?;
        }
        connection.rollback().await.map_err(failed)?;
        stock::check_counters(&mut self.checks.issued_counters_match_orders, shard, &stocked, &counters);
        stock::add(&mut self.issued, &stocked);
        Ok(())
    }

    async fn check_requests(
        &mut self,
        connection: &mut SqliteConnection,
        sql: &TableStatements,
        place: Place,
    ) -> Result<(), StoreError> {
        let check = &mut self.checks.one_order_per_request;
        let each = |row: &<SqliteConnection as Connection>::Row| {
            let (user, request, orders) = (row.text(0)?, row.text(1)?, row.integer(2)?);
            check.violation(|| format!("{place}: user {user:?} has {orders} orders under request id {request:?}"));
            Ok(())
        };
        connection.scan(&sql.scan_repeated_requests, each).await
    }

    /// Compares the orders of all shards, which were read before, with the totals of now.
    async fn check_totals(&mut self) -> Result<(), AuditError> {
        let totals = self.totals().await?;
        stock::check_oversold(&mut self.checks.stock_not_oversold, &self.issued, &totals);
        Ok(())
    }

    async fn totals(&self) -> Result<Counts, AuditError> {
        let failed = |error| file_error(&self.meta_file, error);
        let mut connection = self.meta_file.connect().await.map_err(failed)?;
        read_counts(&mut connection, SqliteFile::DIALECT.meta.read_totals).await.map_err(failed)
    }

    async fn check_sum(&mut self) -> Result<(), AuditError> {
        let sum = self.settled_sum().await?;
        sum.note(&mut self.checks.stock_adds_up);
        Ok(())
    }

    /// Waits for a moment at which the sum can be judged. A sum that is right needs no more than
    /// two looks that agree; a wrong one may come from a view of the stock that is a little old,
    /// until nothing has moved for a while.
    async fn settled_sum(&self) -> Result<Sum, AuditError> {
        let begun = Instant::now();
        let (mut before, mut still_since) = (self.look().await?, begun);
        loop {
            let look = self.look().await?;
            let now = Instant::now();
            if look == before {
                let sum = look.sum();
                if !look.held || matches!(sum, Sum::Right(_)) || now - still_since >= QUIET {
                    return Ok(sum);
                }
            } else {
                (before, still_since) = (look, now);
            }
            if now - begun >= QUIET_AWAITED {
                return Ok(Sum::Unknown("draws go on: no quiet moment was found".to_owned()));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn look(&self) -> Result<Look, AuditError> {
        let held = self.folder.is_held()?;
        let pictures = self.meta.pictures().await.map_err(|error| file_error(&self.meta_file, error))?;
        let mut issued = Counts::new();
        for shard in 0..self.shards() {
            let file = self.folder.shard(shard, Access::Read);
            let failed = |error| file_error(&file, error);
            let mut connection = file.connect().await.map_err(failed)?;
            let counters = read_counts(&mut connection, SqliteFile::DIALECT.shard.read_issued).await.map_err(failed)?;
            stock::add(&mut issued, &counters);
        }
        let totals = self.totals().await?;
        Ok(Look { held, pictures, issued, totals })
    }
}

fn file_error(file: &SqliteFile, error: StoreError) -> AuditError {
    AuditError::File { path: file.path.clone(), error }
}

/// Folds all draws of a table.
async fn scan_draws<C: Connection>(
    connection: &mut C,
    sql: &TableStatements,
    mut fold: Fold<'_>,
) -> Result<(), StoreError> {
    let each = |row: &C::Row| {
        fold.row(&stored_row(row)?);
        Ok(())
    };
    connection.scan(&sql.scan_draws, each).await?;
    fold.finish();
    Ok(())
}

/// Reads rows of activity, award and a number.
async fn read_counts<C: Connection>(connection: &mut C, sql: &str) -> Result<Counts, StoreError> {
    let rows = connection.rows(sql, "[]").await?;
    rows.iter().map(|row| Ok(((row.integer(0)?, row.integer(1)?), row.integer(2)?))).collect()
}
