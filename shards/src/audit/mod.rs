//! The audit: looks whether what is stored keeps the invariants that the draws promise.
//!
//! It reads beside a running server, or when none runs, and changes nothing. Table pairs are read
//! in pages of users (`pages`), each in a snapshot of some milliseconds, a few tables at a time; so
//! it needs little memory, keeps nothing from being purged or checkpointed, and refuses no draw.
//! `draws` walks through the pages, user by user, and tells the checks of what it passes; they are
//! one a file in `checks`. `repair` mends the one kind of fault that is safe to mend.
//!
//! What is compared across pages, shards and the meta database has no common instant, so it is read
//! in an order that makes each comparison safe whatever happens in between:
//!
//! * Campaign versions and run numbers are only ever added, and an order names ones that were there
//!   before it. So they are read after the orders (`known`).
//! * A shard's counters of issued units and the orders that took them grow together. So the
//!   counters are read before the orders and after them.
//! * A prize's total is never below what is issued of it at that moment: an addition is recorded
//!   before its units can be drawn, a withdrawal after its units can be drawn no more. Issued
//!   units only grow. So totals are read after the orders, and then even additions and
//!   withdrawals in between cannot make sound stock look oversold.
//! * What is left in a running stock is compared within the bounds that the counters before and
//!   after it leave (`checks::stock_adds_up`).
mod campaigns;
mod checks;
mod draws;
mod known;
mod made;
mod pages;
mod progress;
mod repair;
mod report;
mod rows;
mod stock;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use router::{MapError, SlotMap};
use tokio::time::{Instant, sleep};

use self::checks::DrawChecks;
use self::checks::issued_counters_match_orders::{ShardUnits, issued_counters_match_orders};
use self::checks::segments_match_operations::{self as segments, segments_match_operations};
use self::checks::stock_adds_up::{Look, StockAddsUp};
use self::checks::stock_not_oversold::stock_not_oversold;
use self::draws::{Context, Place, Walk};
use self::known::Learner;
use self::pages::{GIANT_ORDERS_MAX, Giant, PagedTables, Pages, ROWS_MAX};
pub use self::progress::Progress;
pub use self::repair::RepairError;
pub use self::report::{Check, LISTED_MAX, Report, Verdict};
use self::stock::Counts;
use crate::installation::cluster::Cluster;
use crate::installation::embedded::{Folder, FolderError};
use crate::installation::opened::{BackEnd, Installation};
use crate::meta::{Meta, StockOperationStatements};
use crate::stock::Snapshot;
use crate::stock::cluster::Spread;
use crate::store::statements::statement;
use crate::store::tables::issued::{COUNTERS, IssuedStatements};
use crate::store::{
    Access, Columns, Connection, Database, MysqlDatabase, SqliteFile, StoreError, named,
    out_of_range,
};

const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Table pairs that are read at a time: enough that the databases work while we do.
const TABLES_AT_ONCE: usize = 4;

/// A page takes some milliseconds; a table that has lost its key is sorted for each of them.
const PAGE_TIMEOUT: Duration = Duration::from_mins(10);

/// Why the audit could not look.
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

    /// How long a quiet moment is waited for in which the stock can be told to the unit.
    const QUIET_AWAITED: Duration;

    fn meta(&self) -> Self::Database;
    fn shard(&self, shard: u16) -> Self::Database;
    fn meta_name(&self) -> String;
    fn shard_name(&self, shard: u16) -> String;
    /// How users are spread; `None` when no server ever ran here.
    fn map(&self) -> impl Future<Output = Result<Option<SlotMap>, AuditError>> + Send;
    /// Whether somebody holds stock now, and how it stands there.
    fn stock(
        &self,
    ) -> impl Future<Output = Result<(bool, Result<Vec<Snapshot>, String>), AuditError>> + Send;
    /// Whether that is how it stands when it is asked for.
    const STOCK_IS_OF_NOW: bool;
    /// Reads what each lane of a shard has issued, where lanes count by themselves: rows of
    /// activity, award, lane, units.
    const ISSUED_BY_LANE: Option<&'static str>;
    /// How the stock is spread over servers, where it is.
    fn spread(&self) -> Option<Spread>;
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
        let found = found.map_err(|error| AuditError::Database {
            name: self.meta_name(),
            error,
        })?;
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
        Ok((
            held,
            Ok(snapshots.map_err(|error| AuditError::Database {
                name: self.meta_name(),
                error,
            })?),
        ))
    }

    /// The server writes it down now and then.
    const STOCK_IS_OF_NOW: bool = false;

    const ISSUED_BY_LANE: Option<&'static str> = None;

    fn spread(&self) -> Option<Spread> {
        None
    }
}

impl Audited for Cluster {
    type Database = MysqlDatabase;

    /// Grants of batches that died are decided in this time.
    const QUIET_AWAITED: Duration = Duration::from_secs(15);

    fn meta(&self) -> MysqlDatabase {
        Cluster::meta(self).database().clone()
    }

    fn shard(&self, shard: u16) -> MysqlDatabase {
        MysqlDatabase {
            statement_timeout: PAGE_TIMEOUT,
            ..self.shards()[usize::from(shard)].clone()
        }
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

impl Installation {
    /// Audits what is stored. An error means that it could not look, not that something is wrong.
    pub async fn audit(&self, progress: &Progress) -> Result<Report, AuditError> {
        match self.back_end() {
            BackEnd::Embedded(folder) => run(folder, progress).await,
            BackEnd::Cluster(cluster) => run(cluster, progress).await,
        }
    }
}

async fn run<A: Audited>(place: &A, progress: &Progress) -> Result<Report, AuditError> {
    let mut audit = Audit::open(place, progress).await?;
    let tables = audit.tables();
    progress.begin(tables.len());
    audit.count_before().await?;
    audit.check_tables(&tables).await?;
    audit.count_after().await?;
    audit.report().await
}

struct Audit<'a, A: Audited> {
    place: &'a A,
    progress: &'a Progress,
    map: Option<SlotMap>,
    learner: Learner<A::Database>,
    found: DrawChecks,
    shards: Vec<ShardUnits>,
}

impl<'a, A: Audited> Audit<'a, A> {
    async fn open(place: &'a A, progress: &'a Progress) -> Result<Self, AuditError> {
        let map = place.map().await?;
        let mut shards = Vec::new();
        shards.resize_with(
            map.as_ref().map_or(0, SlotMap::shards).into(),
            Default::default,
        );
        let learner = Learner::new(Meta::new(place.meta()));
        Ok(Self {
            place,
            progress,
            map,
            learner,
            found: DrawChecks::default(),
            shards,
        })
    }

    fn tables(&self) -> Vec<Place> {
        let Some(map) = &self.map else {
            return Vec::new();
        };
        (0..map.shards())
            .flat_map(|shard| (0..map.tables()).map(move |table| Place { shard, table }))
            .collect()
    }

    fn meta_failed(&self, error: StoreError) -> AuditError {
        AuditError::Database {
            name: self.place.meta_name(),
            error,
        }
    }

    fn shard_failed(&self, shard: u16, error: StoreError) -> AuditError {
        AuditError::Database {
            name: self.place.shard_name(shard),
            error,
        }
    }

    /// Goes through some table pairs, a few at a time, and adds up what is found in their order.
    async fn check_tables(&mut self, tables: &[Place]) -> Result<(), AuditError> {
        let Some(map) = self.map.clone() else {
            return Ok(());
        };
        let (audit, map) = (&*self, &map);
        let walks = tables.iter().map(|&at| audit.check_table(at, map));
        let found: Vec<DrawChecks> = stream::iter(walks)
            .buffered(TABLES_AT_ONCE)
            .try_collect()
            .await?;
        for (at, checks) in tables.iter().zip(found) {
            let tables = &mut self.shards[usize::from(at.shard)].tables;
            tables.resize_with(tables.len().max(usize::from(at.table) + 1), Counts::new);
            tables[usize::from(at.table)].clone_from(checks.stocked());
            self.found.add(checks);
        }
        Ok(())
    }

    async fn check_table(&self, at: Place, map: &SlotMap) -> Result<DrawChecks, AuditError> {
        let failed = |error| self.shard_failed(at.shard, error);
        let mut connection = self.place.shard(at.shard).connect().await.map_err(failed)?;
        let mut checks = DrawChecks::default();
        let table = Table::open::<A::Database>(&mut connection, at, map)
            .await
            .map_err(failed)?;
        let mut pages = Pages::new(&table.tables);
        while let Some(page) = pages.next(&mut connection).await.map_err(failed)? {
            let orders = || page.users.values().flat_map(|stored| &stored.orders);
            let known = self
                .learner
                .know(orders())
                .await
                .map_err(|error| self.meta_failed(error))?;
            let context = table.context(&known);
            self.progress.orders_read(orders().count());
            for (user, stored) in page.users {
                for call in &stored.calls {
                    checks.calls.call(at, &user, call);
                }
                Walk::new(&mut checks).user(&context, &user, stored);
            }
            if let Some(user) = page.giant {
                self.check_giant(&mut connection, &table, user, &mut checks)
                    .await?;
            }
        }
        table
            .compare_counts(&mut connection, &mut checks)
            .await
            .map_err(failed)?;
        self.progress.table_done();
        Ok(checks)
    }

    /// Goes through a user who has too many rows for a page.
    async fn check_giant(
        &self,
        connection: &mut impl Connection,
        table: &Table<'_>,
        user: String,
        checks: &mut DrawChecks,
    ) -> Result<(), AuditError> {
        let mut calls = std::mem::take(&mut checks.calls);
        let mut walk = Walk::new(checks);
        let mut giant = Giant::new(&table.tables, user.clone(), GIANT_ORDERS_MAX);
        let (at, name) = (table.at, user.as_str());
        loop {
            let next = giant
                .next(connection, |call| calls.call(at, name, call))
                .await;
            let Some(stored) = next.map_err(|error| self.shard_failed(at.shard, error))? else {
                break;
            };
            let known = self
                .learner
                .know(stored.orders.iter())
                .await
                .map_err(|error| self.meta_failed(error))?;
            self.progress.orders_read(stored.orders.len());
            walk.part(&table.context(&known), name, &stored, giant.is_over());
        }
        checks.calls.add(calls);
        Ok(())
    }

    /// What the counters say before the orders are read.
    async fn count_before(&mut self) -> Result<(), AuditError> {
        for (number, shard) in (0..).zip(0..self.shards.len()) {
            let by_lane = self.issued_by_lane(number).await?;
            let before = self.issued_of(number).await?;
            let counters = &mut self.shards[shard].counters;
            (counters.by_lane, counters.before) = (by_lane, before);
        }
        Ok(())
    }

    /// And after that.
    async fn count_after(&mut self) -> Result<(), AuditError> {
        for (number, shard) in (0..).zip(0..self.shards.len()) {
            self.shards[shard].counters.after = self.issued_of(number).await?;
        }
        Ok(())
    }

    async fn issued_by_lane(&self, shard: u16) -> Result<BTreeMap<i64, Counts>, AuditError> {
        let mut by_lane: BTreeMap<i64, Counts> = BTreeMap::new();
        let Some(sql) = A::ISSUED_BY_LANE else {
            return Ok(by_lane);
        };
        let failed = |error| self.shard_failed(shard, error);
        let mut connection = self.place.shard(shard).connect().await.map_err(failed)?;
        for row in connection.rows(sql, "[]").await.map_err(failed)? {
            let read = || {
                Ok((
                    row.integer(2)?,
                    (row.integer(0)?, row.integer(1)?),
                    row.integer(3)?,
                ))
            };
            let (lane, prize, issued) = read().map_err(failed)?;
            by_lane.entry(lane).or_default().insert(prize, issued);
        }
        Ok(by_lane)
    }

    async fn issued_of(&self, shard: u16) -> Result<Counts, AuditError> {
        let failed = |error| self.shard_failed(shard, error);
        let mut connection = self.place.shard(shard).connect().await.map_err(failed)?;
        read_counts(
            &mut connection,
            IssuedStatements::of(&A::Database::DIALECT).read,
        )
        .await
        .map_err(failed)
    }

    /// All that the shards' counters say.
    async fn issued(&self) -> Result<Counts, AuditError> {
        let mut issued = Counts::new();
        for place in self.tables().iter().filter(|place| place.table == 0) {
            stock::add(&mut issued, &self.issued_of(place.shard).await?);
        }
        Ok(issued)
    }

    async fn totals(&self) -> Result<Counts, AuditError> {
        let mut connection = self
            .place
            .meta()
            .connect()
            .await
            .map_err(|error| self.meta_failed(error))?;
        let sql = StockOperationStatements::of::<A::Database>().read_totals;
        let totals = read_counts(&mut connection, sql).await;
        totals.map_err(|error| self.meta_failed(error))
    }

    /// Compares the sums, now that all orders were read.
    async fn report(self) -> Result<Report, AuditError> {
        let known = self
            .learner
            .learn()
            .await
            .map_err(|error| self.meta_failed(error))?;
        let mut in_orders = Counts::new();
        for shard in &self.shards {
            stock::add(&mut in_orders, &shard.in_orders());
        }
        let oversold = stock_not_oversold(&in_orders, &self.totals().await?);
        let counters = issued_counters_match_orders(&self.shards);
        let adds_up = self.stock_adds_up().await?;
        let mut checks = vec![oversold, counters, adds_up];
        let segments = self.segments().await?;
        checks.extend(self.found.found(&known.versions));
        checks.extend(segments);
        Ok(Report { checks })
    }

    async fn segments(&self) -> Result<Option<Check>, AuditError> {
        let Some(spread) = self.place.spread() else {
            return Ok(None);
        };
        let read = segments::read(&self.place.meta())
            .await
            .map_err(|error| self.meta_failed(error))?;
        Ok(Some(segments_match_operations(&read, spread)))
    }

    async fn stock_adds_up(&self) -> Result<Check, AuditError> {
        let mut looks = StockAddsUp::new(Instant::now(), A::QUIET_AWAITED);
        loop {
            let look = self.look().await?;
            if let Some(check) = looks.look(look, Instant::now()) {
                return Ok(check);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn look(&self) -> Result<Look, AuditError> {
        let issued_before = if A::STOCK_IS_OF_NOW {
            Some(self.issued().await?)
        } else {
            None
        };
        let (held, snapshots) = self.place.stock().await?;
        Ok(Look {
            held,
            snapshots,
            issued_before,
            issued: self.issued().await?,
            totals: self.totals().await?,
        })
    }
}

/// A table pair that is being read.
struct Table<'a> {
    at: Place,
    map: &'a SlotMap,
    tables: PagedTables,
    clock: Clock,
}

impl<'a> Table<'a> {
    async fn open<D: Database>(
        connection: &mut D::Connection,
        at: Place,
        map: &'a SlotMap,
    ) -> Result<Self, StoreError> {
        let tables = PagedTables::new(&D::DIALECT, at.table, ROWS_MAX);
        let clock = Clock::read::<D>(connection).await?;
        Ok(Self {
            at,
            map,
            tables,
            clock,
        })
    }

    /// Compares how many orders there are with what the calls say: where each call has its orders,
    /// and these are as many, none belongs to no call or to two.
    async fn compare_counts(
        &self,
        connection: &mut impl Connection,
        checks: &mut DrawChecks,
    ) -> Result<(), StoreError> {
        let sql = &self.tables.sql.orders;
        let rows = connection.rows(&sql.count, "[]").await?;
        let row = rows.first().ok_or_else(|| out_of_range(0))?;
        let (there, named) = (row.integer(0)?, row.integer(1)?);
        let mut strays = Vec::new();
        if there != named {
            for row in connection.rows(&sql.strays, "[]").await? {
                strays.push((row.integer(0)?, row.text(1)?.to_owned()));
            }
        }
        let all_whole = !checks.calls.is_broken();
        checks
            .requests
            .compare(self.at, (there, named), &strays, all_whole);
        Ok(())
    }

    fn context<'c>(&'c self, known: &'c known::Known) -> Context<'c> {
        Context {
            place: self.at,
            map: self.map,
            known,
            now: self.clock.now(),
        }
    }
}

/// A database's clock: what is ahead is ahead of that.
#[derive(Debug, Clone, Copy)]
struct Clock {
    at: Timestamp,
    read: Instant,
}

impl Clock {
    async fn read<D: Database>(connection: &mut D::Connection) -> Result<Self, StoreError> {
        let sql = D::DIALECT.pick(
            statement!("mysql", "clock", read),
            statement!("sqlite", "clock", read),
        );
        let rows = connection.rows(sql, "[]").await?;
        let at = rows.first().ok_or_else(|| out_of_range(0))?.integer(0)?;
        Ok(Self {
            at: Timestamp::from_millisecond(at).map_err(|_| out_of_range(0))?,
            read: Instant::now(),
        })
    }

    fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.read.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// Reads rows of activity, award and a number.
async fn read_counts<C: Connection>(connection: &mut C, sql: &str) -> Result<Counts, StoreError> {
    let rows = connection.rows(sql, "[]").await?;
    rows.iter()
        .map(|row| Ok(((row.integer(0)?, row.integer(1)?), row.integer(2)?)))
        .collect()
}
