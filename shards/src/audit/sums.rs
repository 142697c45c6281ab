//! Reads what is compared in sums: the counters of issued units, and the totals of stock
//! operations.
use std::collections::BTreeMap;

use super::audited::{AuditError, Audited};
use super::counts::read_counts;
use super::stock::{Counts, ItemKey, ShardUnits, add};
use crate::meta::StockOperationStatements;
use crate::store::tables::issued::IssuedStatements;
use crate::store::{Columns, Connection, Database};

/// The sums of an installation: those that were read with the orders, and those that can be read
/// after them.
pub(super) struct StoredSums<'a, A> {
    pub(super) installation: &'a A,
    /// By shard number.
    pub(super) shards: Vec<ShardUnits>,
}

impl<'a, A: Audited> StoredSums<'a, A> {
    pub(super) fn new(installation: &'a A, shards: u16) -> Self {
        let mut units = Vec::new();
        units.resize_with(shards.into(), ShardUnits::default);
        Self {
            installation,
            shards: units,
        }
    }

    /// Reads the counters before the orders are read.
    pub(super) async fn count_before(&mut self) -> Result<(), AuditError> {
        for (number, index) in (0..).zip(0..self.shards.len()) {
            let by_lane = self.issued_by_lane(number).await?;
            let before = self.issued_of(number).await?;
            let counters = &mut self.shards[index].counters;
            (counters.by_lane, counters.before) = (by_lane, before);
        }
        Ok(())
    }

    /// Reads the counters again after the orders were read.
    pub(super) async fn count_after(&mut self) -> Result<(), AuditError> {
        for (number, index) in (0..).zip(0..self.shards.len()) {
            self.shards[index].counters.after = self.issued_of(number).await?;
        }
        Ok(())
    }

    /// Notes how many orders of a table took a unit.
    pub(super) fn note_stocked(&mut self, shard: u16, table: u16, stocked: &Counts) {
        let tables = &mut self.shards[usize::from(shard)].tables;
        tables.resize_with(tables.len().max(usize::from(table) + 1), Counts::new);
        tables[usize::from(table)].clone_from(stocked);
    }

    /// The units in the orders of all shards.
    pub(super) fn in_orders(&self) -> Counts {
        let mut units = Counts::new();
        for shard in &self.shards {
            add(&mut units, &shard.in_orders());
        }
        units
    }

    /// The counters of all shards, as they are now.
    pub(super) async fn issued(&self) -> Result<Counts, AuditError> {
        let mut issued = Counts::new();
        for (number, _) in (0..).zip(&self.shards) {
            add(&mut issued, &self.issued_of(number).await?);
        }
        Ok(issued)
    }

    /// What stock operations sum to now.
    pub(super) async fn totals(&self) -> Result<Counts, AuditError> {
        let failed = |error| self.installation.meta_failed(error);
        let mut connection = self.installation.meta().connect().await.map_err(failed)?;
        let sql = StockOperationStatements::of::<A::Database>().read_totals;
        read_counts(&mut connection, sql).await.map_err(failed)
    }

    async fn issued_of(&self, shard: u16) -> Result<Counts, AuditError> {
        let failed = |error| self.installation.shard_failed(shard, error);
        let database = self.installation.shard(shard);
        let mut connection = database.connect().await.map_err(failed)?;
        let sql = IssuedStatements::of(&A::Database::DIALECT).read;
        read_counts(&mut connection, sql).await.map_err(failed)
    }

    async fn issued_by_lane(&self, shard: u16) -> Result<BTreeMap<i64, Counts>, AuditError> {
        let mut by_lane: BTreeMap<i64, Counts> = BTreeMap::new();
        let Some(sql) = A::ISSUED_BY_LANE else {
            return Ok(by_lane);
        };
        let failed = |error| self.installation.shard_failed(shard, error);
        let database = self.installation.shard(shard);
        let mut connection = database.connect().await.map_err(failed)?;
        for row in connection.rows(sql, "[]").await.map_err(failed)? {
            let read = || Ok((row.integer(3)?, ItemKey::of(&row)?, row.integer(4)?));
            let (lane, item, issued) = read().map_err(failed)?;
            by_lane.entry(lane).or_default().insert(item, issued);
        }
        Ok(by_lane)
    }
}
