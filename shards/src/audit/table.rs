//! A table pair that is being read.
use router::SlotMap;

use super::checks::DrawChecks;
use super::clock::Clock;
use super::history::{Context, Place};
use super::known::Known;
use super::paged_tables::PagedTables;
use super::pages::ROWS_MAX;
use crate::store::{Columns, Connection, Database, StoreError, out_of_range};

/// A table pair that is being read.
pub(super) struct Table<'a> {
    pub(super) at: Place,
    map: &'a SlotMap,
    pub(super) tables: PagedTables,
    clock: Clock,
}

impl<'a> Table<'a> {
    pub(super) async fn open<D: Database>(
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
    pub(super) async fn compare_counts(
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

    pub(super) fn context<'c>(&'c self, known: &'c Known) -> Context<'c> {
        Context {
            place: self.at,
            map: self.map,
            known,
            now: self.clock.now(),
        }
    }
}
