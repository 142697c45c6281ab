//! One table pair, as the audit reads it.
use router::SlotMap;

use super::checks::OrderCounts;
use super::clock::DatabaseClock;
use super::history::{RowContext, TableLocation};
use super::known::Known;
use super::paged_tables::PagedTables;
use super::pages::ROWS_MAX;
use crate::store::{Columns, Connection, Database, StoreError, out_of_range};

/// A table pair that is being read.
pub(super) struct AuditedTable<'a> {
    pub(super) at: TableLocation,
    map: &'a SlotMap,
    pub(super) tables: PagedTables,
    clock: DatabaseClock,
}

impl<'a> AuditedTable<'a> {
    pub(super) async fn open<D: Database>(
        connection: &mut D::Connection,
        at: TableLocation,
        map: &'a SlotMap,
    ) -> Result<Self, StoreError> {
        let tables = PagedTables::new(&D::DIALECT, at.table, ROWS_MAX);
        let clock = DatabaseClock::read::<D>(connection).await?;
        Ok(Self {
            at,
            map,
            tables,
            clock,
        })
    }

    /// Counts the orders and those that calls name. Where the numbers differ, finds some of the
    /// orders that belong to no call.
    pub(super) async fn count_orders(
        &self,
        connection: &mut impl Connection,
    ) -> Result<OrderCounts, StoreError> {
        let sql = &self.tables.sql.orders;
        let rows = connection.rows(&sql.count, "[]").await?;
        let row = rows.first().ok_or_else(|| out_of_range(0))?;
        let mut counts = OrderCounts {
            stored: row.integer(0)?,
            named: row.integer(1)?,
            strays: Vec::new(),
        };
        if counts.stored != counts.named {
            for row in connection.rows(&sql.strays, "[]").await? {
                let stray = (row.integer(0)?, row.text(1)?.to_owned());
                counts.strays.push(stray);
            }
        }
        Ok(counts)
    }

    pub(super) fn context<'c>(&'c self, known: &'c Known) -> RowContext<'c> {
        RowContext {
            at: self.at,
            map: self.map,
            known,
            now: self.clock.now(),
        }
    }
}
