//! One audit, from its first read to its report. The order of the reads matters (see `audit`).
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use router::SlotMap;
use tokio::time::{Instant, sleep};

use super::audited::{AuditError, Audited};
use super::checks::DrawChecks;
use super::checks::issued_counters_match_orders::{ShardUnits, issued_counters_match_orders};
use super::checks::segments_match_operations::{self as segments, segments_match_operations};
use super::checks::stock_adds_up::{Look, StockAddsUp};
use super::checks::stock_not_oversold::stock_not_oversold;
use super::counts::read_counts;
use super::draws::Walk;
use super::history::Place;
use super::known::Learner;
use super::pages::{GIANT_ORDERS_MAX, Giant, Pages};
use super::progress::Progress;
use super::report::{Check, Report};
use super::stock::{Counts, add};
use super::table::Table;
use crate::installation::opened::{BackEnd, Installation};
use crate::meta::{Meta, StockOperationStatements};
use crate::store::tables::issued::IssuedStatements;
use crate::store::{Columns, Connection, Database, StoreError};

const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Table pairs that are read at a time: enough that the databases work while we do.
const TABLES_AT_ONCE: usize = 4;

impl Installation {
    /// Audits what is stored. An error means that it could not look, not that something is wrong.
    pub async fn audit(&self, progress: &Progress) -> Result<Report, AuditError> {
        match self.back_end() {
            BackEnd::Embedded(folder) => run(folder, progress).await,
            BackEnd::Cluster(cluster) => run(cluster, progress).await,
        }
    }
}

pub(super) async fn run<A: Audited>(place: &A, progress: &Progress) -> Result<Report, AuditError> {
    let mut audit = Audit::open(place, progress).await?;
    let tables = audit.tables();
    progress.begin(tables.len());
    audit.count_before().await?;
    audit.check_tables(&tables).await?;
    audit.count_after().await?;
    audit.report().await
}

pub(super) struct Audit<'a, A: Audited> {
    place: &'a A,
    progress: &'a Progress,
    map: Option<SlotMap>,
    learner: Learner<A::Database>,
    found: DrawChecks,
    pub(super) shards: Vec<ShardUnits>,
}

impl<'a, A: Audited> Audit<'a, A> {
    pub(super) async fn open(place: &'a A, progress: &'a Progress) -> Result<Self, AuditError> {
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
    pub(super) async fn check_tables(&mut self, tables: &[Place]) -> Result<(), AuditError> {
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
    pub(super) async fn count_before(&mut self) -> Result<(), AuditError> {
        for (number, shard) in (0..).zip(0..self.shards.len()) {
            let by_lane = self.issued_by_lane(number).await?;
            let before = self.issued_of(number).await?;
            let counters = &mut self.shards[shard].counters;
            (counters.by_lane, counters.before) = (by_lane, before);
        }
        Ok(())
    }

    /// And after that.
    pub(super) async fn count_after(&mut self) -> Result<(), AuditError> {
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
            add(&mut issued, &self.issued_of(place.shard).await?);
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
    pub(super) async fn report(self) -> Result<Report, AuditError> {
        let known = self
            .learner
            .learn()
            .await
            .map_err(|error| self.meta_failed(error))?;
        let mut in_orders = Counts::new();
        for shard in &self.shards {
            add(&mut in_orders, &shard.in_orders());
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
