//! Checks that the meta database knows every run that a shard has ids of. After a restore from an
//! older copy it does not: it would give out run numbers, and so ids, a second time.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::tables::orders::OrderStatements;
use super::tables::receipts::RECEIPTS;
use super::tables::{WithIds, with_ids};
use super::{Columns, Connection, Database, Issuing, StoreError};
use crate::grant::GrantId;
use crate::lane::run_of_grant;

/// Knows how many run numbers were claimed.
pub(crate) trait ClaimedRuns: Send + Sync {
    /// The greatest claimed run number.
    fn claimed(&self) -> Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + '_>>;
}

/// The greatest run of a shard's grants; 0 without any.
pub(crate) async fn last_grant_run<D: Database>(
    connection: &mut D::Connection,
) -> Result<u64, StoreError> {
    if D::DIALECT.issuing != Issuing::FromServers {
        return Ok(0);
    }
    let grants = connection.rows(RECEIPTS.read_last, "[]").await?;
    Ok(run_of_grant(GrantId(
        grants.first().map_or(Ok(0), |row| row.number(0))?,
    )))
}

/// The greatest run of rows with ids, in the tables with these numbers; 0 without any.
pub(crate) async fn last_run_in<D: Database>(
    connection: &mut D::Connection,
    rows: &WithIds,
    tables: impl Iterator<Item = u16> + Send,
) -> Result<u64, StoreError> {
    let mut last = 0;
    for table in tables {
        let sql = (rows.read_last)(&D::DIALECT, table);
        let rows = connection.rows(&sql, "[]").await?;
        let id = rows.first().map_or(Ok(0), |row| row.number(0))?;
        last = last.max(router::run_of(id).map_or(0, |run| run.get().into()));
    }
    Ok(last)
}

/// The greatest order id of a table.
pub(crate) async fn last_order_of<D: Database>(
    connection: &mut D::Connection,
    table: u16,
) -> Result<Option<u64>, StoreError> {
    let sql = OrderStatements::of(&D::DIALECT, table);
    let rows = connection.rows(&sql.read_last, "[]").await?;
    let order = rows.first().map_or(Ok(0), |row| row.number(0))?;
    Ok(Some(order).filter(|&order| order > 0))
}

/// The check of one shard before its first batch. All lanes of a shard share it.
pub(crate) struct RunCheck {
    claimed: Arc<dyn ClaimedRuns>,
    /// How many there were when this process began. While the shard knows no later run, this is
    /// enough.
    known: u64,
    tables: u16,
    holds: AtomicBool,
}

impl std::fmt::Debug for RunCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunCheck")
            .field("holds", &self.holds)
            .finish_non_exhaustive()
    }
}

impl RunCheck {
    /// The check of a shard with `tables` tables, in a process that began when `known` runs were
    /// claimed.
    pub(crate) fn new(claimed: Arc<dyn ClaimedRuns>, known: u64, tables: u16) -> Self {
        Self {
            claimed,
            known,
            tables,
            holds: AtomicBool::new(false),
        }
    }

    /// Checks the shard, until it has passed once.
    pub(crate) async fn make<D: Database>(
        &self,
        connection: &mut D::Connection,
    ) -> Result<Result<(), OlderMeta>, StoreError> {
        if self.holds.load(Ordering::Relaxed) {
            return Ok(Ok(()));
        }
        let mut run = last_grant_run::<D>(connection).await?;
        for rows in with_ids() {
            run = run.max(last_run_in::<D>(connection, &rows, 0..self.tables).await?);
        }
        // Read after the shard: each run there was claimed before it was written.
        let claimed = if run <= self.known {
            self.known
        } else {
            self.claimed.claimed().await?
        };
        if run > claimed {
            return Ok(Err(OlderMeta { run, claimed }));
        }
        self.holds.store(true, Ordering::Relaxed);
        Ok(Ok(()))
    }
}

/// The meta database is older than a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has ids of run {run}, but the meta database has given out runs up to {claimed} only: that is older than this \
     shard (was it restored or replaced?) and would give out ids twice. Use the right one; where there is none, \
     `drawbridge migrate --accept-older-meta --reason WHY` raises its runs and reports what else it lacks"
)]
pub struct OlderMeta {
    /// The greatest run that the shard knows.
    pub run: u64,
    /// The greatest claimed run.
    pub claimed: u64,
}

impl From<OlderMeta> for StoreError {
    fn from(behind: OlderMeta) -> Self {
        StoreError::Unavailable(behind.to_string())
    }
}
