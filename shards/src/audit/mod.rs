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

use std::future::Future;
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
use crate::cluster::Installation;
use crate::embedded::{Folder, FolderError};
use crate::meta::Meta;
use crate::stock::Picture;
use crate::store::{Access, Columns, Connection, Database, MysqlDatabase, SqliteFile, StoreError, TableStatements};

/// A sum that is wrong for this long while nothing moves is wrong. A running server tells its
/// view of the stock six times in it.
const QUIET: Duration = Duration::from_secs(3);

const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A table is read in one statement, which may take long.
const SCAN_TIMEOUT: Duration = Duration::from_hours(1);

/// Why the audit could not look.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A database cannot be read.
    #[error("{name}: {error}")]
    Database {
        /// Which.
        name: String,
        /// Why.
        error: StoreError,
    },
    /// The lock file cannot be looked at.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The stored layout is none that the program can have fixed.
    #[error("the meta database: {0}")]
    Map(#[from] MapError),
    /// There are shards, but nothing says which users they have.
    #[error("meta.sqlite does not say how users are spread, but {} is there", .0.display())]
    NoMap(PathBuf),
}

/// An installation, as the audit sees it.
trait Audited: Sync {
    type Database: Database;

    /// Where draws go on, waiting longer for a quiet moment is no use.
    const QUIET_AWAITED: Duration;

    fn meta(&self) -> Self::Database;
    fn shard(&self, shard: u16) -> Self::Database;
    fn meta_name(&self) -> String;
    fn shard_name(&self, shard: u16) -> String;
    /// How users are spread; `None` when no server ever ran here.
    fn map(&self) -> impl Future<Output = Result<Option<SlotMap>, AuditError>> + Send;
    /// Whether somebody holds stock now, and how it stands there.
    fn stock(&self) -> impl Future<Output = Result<(bool, Result<Vec<Picture>, String>), AuditError>> + Send;
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
        let found = self.meta_for_reading().slot_map().await;
        let found = found.map_err(|error| AuditError::Database { name: self.meta_name(), error })?;
        let Some((version, shards, tables)) = found else {
            let shard = Audited::shard(self, 0).path;
            return if shard.exists() { Err(AuditError::NoMap(shard)) } else { Ok(None) };
        };
        Ok(Some(SlotMap::even(version, shards, tables)?))
    }

    async fn stock(&self) -> Result<(bool, Result<Vec<Picture>, String>), AuditError> {
        let held = self.is_held()?;
        let pictures = self.meta_for_reading().pictures().await;
        Ok((held, Ok(pictures.map_err(|error| AuditError::Database { name: self.meta_name(), error })?)))
    }
}

impl Audited for Installation {
    type Database = MysqlDatabase;

    /// Grants of batches that died are decided in this time.
    const QUIET_AWAITED: Duration = Duration::from_secs(15);

    fn meta(&self) -> MysqlDatabase {
        Installation::meta(self).database().clone()
    }

    fn shard(&self, shard: u16) -> MysqlDatabase {
        MysqlDatabase { statement_timeout: SCAN_TIMEOUT, ..self.shards()[usize::from(shard)].clone() }
    }

    fn meta_name(&self) -> String {
        "the meta database".to_owned()
    }

    fn shard_name(&self, shard: u16) -> String {
        format!("shard {shard}")
    }

    async fn map(&self) -> Result<Option<SlotMap>, AuditError> {
        Ok(Some(Installation::map(self).clone()))
    }

    async fn stock(&self) -> Result<(bool, Result<Vec<Picture>, String>), AuditError> {
        Ok((true, self.pictures().await))
    }
}

/// Audits a data folder. An error means that it could not look, not that something is wrong.
pub async fn audit(folder: &Folder) -> Result<Report, AuditError> {
    run(folder).await
}

/// Audits a cluster. An error means that it could not look, not that something is wrong.
pub async fn audit_cluster(cluster: &Installation) -> Result<Report, AuditError> {
    run(cluster).await
}

async fn run<A: Audited>(place: &A) -> Result<Report, AuditError> {
    let mut audit = Audit::open(place).await?;
    audit.learn_versions().await?;
    for shard in 0..audit.shards() {
        audit.check_shard(shard).await?;
    }
    audit.check_totals().await?;
    audit.check_sum().await?;
    Ok(audit.checks.report())
}

struct Audit<'a, A: Audited> {
    place: &'a A,
    meta: Meta<A::Database>,
    map: Option<SlotMap>,
    checks: Checks,
    versions: Versions,
    /// The orders of all shards that took a unit of stock.
    issued: Counts,
}

impl<'a, A: Audited> Audit<'a, A> {
    async fn open(place: &'a A) -> Result<Self, AuditError> {
        let (checks, versions, issued) = (Checks::new(), Versions::default(), Counts::new());
        Ok(Self { place, meta: Meta::new(place.meta()), map: place.map().await?, checks, versions, issued })
    }

    fn shards(&self) -> u16 {
        self.map.as_ref().map_or(0, SlotMap::shards)
    }

    fn meta_failed(&self, error: StoreError) -> AuditError {
        AuditError::Database { name: self.place.meta_name(), error }
    }

    async fn learn_versions(&mut self) -> Result<(), AuditError> {
        let stored = self.meta.versions().await.map_err(|error| self.meta_failed(error))?;
        self.versions.learn(&stored, &mut self.checks.orders_match_their_campaign);
        Ok(())
    }

    async fn check_shard(&mut self, shard: u16) -> Result<(), AuditError> {
        let Some(map) = self.map.clone() else { return Ok(()) };
        let name = self.place.shard_name(shard);
        let failed = |error| AuditError::Database { name: name.clone(), error };
        let mut connection = self.place.shard(shard).connect().await.map_err(failed)?;
        connection.begin_snapshot().await.map_err(failed)?;
        // The first statement takes the snapshot; the versions must be read after it.
        let counters = read_counts(&mut connection, A::Database::DIALECT.shard.read_issued).await.map_err(failed)?;
        self.learn_versions().await?;
        let mut stocked = Counts::new();
        for table in 0..map.tables() {
            let sql = A::Database::DIALECT.table(table);
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

    async fn check_requests<C: Connection>(
        &mut self,
        connection: &mut C,
        sql: &TableStatements,
        place: Place,
    ) -> Result<(), StoreError> {
        let check = &mut self.checks.one_order_per_request;
        let each = |row: &C::Row| {
            let (user, request, seq, orders) = (row.text(0)?, row.text(1)?, row.integer(2)?, row.integer(3)?);
            check.violation(|| {
                format!("{place}: user {user:?} has {orders} orders under request id {request:?}, place {seq}")
            });
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
        let mut connection = self.place.meta().connect().await.map_err(|error| self.meta_failed(error))?;
        let totals = read_counts(&mut connection, A::Database::DIALECT.meta.read_totals).await;
        totals.map_err(|error| self.meta_failed(error))
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
                let waits = matches!(sum, Sum::Unknown(_)) && now - begun < A::QUIET_AWAITED;
                if !look.held || matches!(sum, Sum::Right(_)) || (now - still_since >= QUIET && !waits) {
                    return Ok(sum);
                }
            } else {
                (before, still_since) = (look, now);
            }
            if now - begun >= A::QUIET_AWAITED {
                return Ok(Sum::Unknown("draws go on: no quiet moment was found".to_owned()));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn look(&self) -> Result<Look, AuditError> {
        let (held, pictures) = self.place.stock().await?;
        let mut issued = Counts::new();
        for shard in 0..self.shards() {
            let failed = |error| AuditError::Database { name: self.place.shard_name(shard), error };
            let mut connection = self.place.shard(shard).connect().await.map_err(failed)?;
            let counters =
                read_counts(&mut connection, A::Database::DIALECT.shard.read_issued).await.map_err(failed)?;
            stock::add(&mut issued, &counters);
        }
        let totals = self.totals().await?;
        Ok(Look { held, pictures, issued, totals })
    }
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
