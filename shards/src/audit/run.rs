//! One audit, from its first read to its report. The order of the reads matters (see `audit`).
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use router::SlotMap;

use super::audited::{AuditError, Audited};
use super::checks::{self, RowChecks};
use super::draws::Walk;
use super::history::TableLocation;
use super::known::Learner;
use super::pages::{GIANT_ORDERS_MAX, Giant, Pages};
use super::progress::AuditProgress;
use super::report::AuditReport;
use super::sums::StoredSums;
use super::table::AuditedTable;
use crate::installation::opened::{BackEnd, Installation};
use crate::meta::Meta;
use crate::store::{Connection, Database};

/// Table pairs that are read at a time: enough that databases work while the checks do.
const TABLES_AT_ONCE: usize = 4;

impl Installation {
    /// Audits what is stored. An error means that something could not be read, not that a check
    /// found something.
    pub async fn audit(&self, progress: &AuditProgress) -> Result<AuditReport, AuditError> {
        match self.back_end() {
            BackEnd::Embedded(folder) => run(folder, progress).await,
            BackEnd::Cluster(cluster) => run(cluster, progress).await,
        }
    }
}

pub(super) async fn run<A: Audited>(
    installation: &A,
    progress: &AuditProgress,
) -> Result<AuditReport, AuditError> {
    let mut audit = Audit::open(installation, progress).await?;
    let tables = audit.tables();
    progress.begin(tables.len());
    audit.sums.count_before().await?;
    audit.check_tables(&tables).await?;
    audit.sums.count_after().await?;
    audit.report().await
}

pub(super) struct Audit<'a, A: Audited> {
    installation: &'a A,
    progress: &'a AuditProgress,
    map: Option<SlotMap>,
    learner: Learner<A::Database>,
    by_rows: RowChecks,
    pub(super) sums: StoredSums<'a, A>,
}

impl<'a, A: Audited> Audit<'a, A> {
    pub(super) async fn open(
        installation: &'a A,
        progress: &'a AuditProgress,
    ) -> Result<Self, AuditError> {
        let map = installation.map().await?;
        let shards = map.as_ref().map_or(0, SlotMap::shards);
        let learner = Learner::new(Meta::new(installation.meta()));
        Ok(Self {
            installation,
            progress,
            map,
            learner,
            by_rows: checks::by_rows::<A>(),
            sums: StoredSums::new(installation, shards),
        })
    }

    fn tables(&self) -> Vec<TableLocation> {
        let Some(map) = &self.map else {
            return Vec::new();
        };
        (0..map.shards())
            .flat_map(|shard| (0..map.tables()).map(move |table| TableLocation { shard, table }))
            .collect()
    }

    /// Checks some table pairs, a few at a time. Adds up what is found in their order.
    pub(super) async fn check_tables(
        &mut self,
        tables: &[TableLocation],
    ) -> Result<(), AuditError> {
        let Some(map) = self.map.clone() else {
            return Ok(());
        };
        let (audit, map) = (&*self, &map);
        let walks = tables.iter().map(|&at| audit.check_table(at, map));
        let checked: Vec<RowChecks> = stream::iter(walks)
            .buffered(TABLES_AT_ONCE)
            .try_collect()
            .await?;
        for (at, checks) in tables.iter().zip(checked) {
            self.sums.note_stocked(at.shard, at.table, checks.stocked());
            self.by_rows.add(checks);
        }
        Ok(())
    }

    async fn check_table(&self, at: TableLocation, map: &SlotMap) -> Result<RowChecks, AuditError> {
        let failed = |error| self.installation.shard_failed(at.shard, error);
        let database = self.installation.shard(at.shard);
        let mut connection = database.connect().await.map_err(failed)?;
        let mut checks = checks::by_rows::<A>();
        let table = AuditedTable::open::<A::Database>(&mut connection, at, map)
            .await
            .map_err(failed)?;
        let mut pages = Pages::new(&table.tables);
        while let Some(page) = pages.next(&mut connection).await.map_err(failed)? {
            let orders = || page.users.values().flat_map(|stored| &stored.orders);
            let recharges = page.users.values().flat_map(|stored| &stored.recharges);
            let known = self
                .learner
                .know(orders(), recharges)
                .await
                .map_err(|error| self.installation.meta_failed(error))?;
            let context = table.context(&known);
            self.progress.orders_read(orders().count());
            for (user, stored) in page.users {
                Walk::new(&mut checks).user(&context, &user, stored);
            }
            if let Some(user) = page.giant {
                self.check_giant(&mut connection, &table, &user, &mut checks)
                    .await?;
            }
        }
        let counts = table.count_orders(&mut connection).await.map_err(failed)?;
        checks.each(|check, report| check.table_over(report, at, &counts));
        self.progress.table_done();
        Ok(checks)
    }

    /// Checks a user who has too many rows for a page.
    async fn check_giant(
        &self,
        connection: &mut impl Connection,
        table: &AuditedTable<'_>,
        user: &str,
        checks: &mut RowChecks,
    ) -> Result<(), AuditError> {
        let failed = |error| self.installation.shard_failed(table.at.shard, error);
        let (mut walk, mut begun) = (Walk::new(checks), false);
        let mut giant = Giant::new(&table.tables, user.to_owned(), GIANT_ORDERS_MAX);
        loop {
            let next = giant
                .next(connection, |call| walk.call(table.at, user, call))
                .await;
            let Some(stored) = next.map_err(failed)? else {
                return Ok(());
            };
            let known = self
                .learner
                .know(stored.orders.iter(), stored.recharges.iter())
                .await
                .map_err(|error| self.installation.meta_failed(error))?;
            self.progress.orders_read(stored.orders.len());
            let context = table.context(&known);
            if !std::mem::replace(&mut begun, true) {
                walk.beside_draws(&context, user, &stored);
            }
            walk.part(&context, user, &stored, giant.is_over());
            let mut entries = giant.entries();
            while let Some(page) = entries.next(connection).await.map_err(failed)? {
                for entry in &page {
                    walk.entry(&context, user, entry);
                }
            }
            walk.entries_over(&context, user, giant.is_over());
        }
    }

    /// Makes the checks that compare sums, now that all orders were read.
    pub(super) async fn report(self) -> Result<AuditReport, AuditError> {
        let known = self
            .learner
            .learn()
            .await
            .map_err(|error| self.installation.meta_failed(error))?;
        let by_rows = self.by_rows.into_reports(&known.versions);
        let checks = checks::all_reports(by_rows, &self.sums).await?;
        Ok(AuditReport { checks })
    }
}
