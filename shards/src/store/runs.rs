//! Whether the meta database knows every run that a shard has ids of. One that was restored from an
//! older copy does not: it would give out run numbers, and with them ids, a second time.
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

/// Who knows how many run numbers were claimed.
pub(crate) trait Claimed: Send + Sync {
    /// The greatest that was ever claimed.
    fn claimed(&self) -> Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + '_>>;
}

/// The greatest run that a shard's grants are of; 0 without any.
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

/// The greatest run that rows with ids are of, in the tables of these numbers; 0 without any.
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

/// The look at one shard that comes before its first batch. All lanes of a shard share it.
pub(crate) struct RunCheck {
    claimed: Arc<dyn Claimed>,
    /// How many there were when this process began: whoever knows no more need not ask.
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
    /// Of a shard of so many tables, by a process that was told of so many runs when it began.
    pub(crate) fn new(claimed: Arc<dyn Claimed>, known: u64, tables: u16) -> Self {
        Self {
            claimed,
            known,
            tables,
            holds: AtomicBool::new(false),
        }
    }

    /// Whether all is well; asks only until it is.
    pub(crate) async fn make<D: Database>(
        &self,
        connection: &mut D::Connection,
    ) -> Result<Result<(), Behind>, StoreError> {
        if self.holds.load(Ordering::Relaxed) {
            return Ok(Ok(()));
        }
        let mut run = last_grant_run::<D>(connection).await?;
        for rows in with_ids() {
            run = run.max(last_run_in::<D>(connection, &rows, 0..self.tables).await?);
        }
        // After the shard: whatever is there was claimed before it was written.
        let claimed = if run <= self.known {
            self.known
        } else {
            self.claimed.claimed().await?
        };
        if run > claimed {
            return Ok(Err(Behind { run, claimed }));
        }
        self.holds.store(true, Ordering::Relaxed);
        Ok(Ok(()))
    }
}

/// The meta database is older than a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has ids of run {run}, the meta database has given out runs up to {claimed}: that is older than this shard (was \
     it restored or replaced?) and would give out ids twice. Use the right one; where there is none, `drawbridge migrate \
     --accept-older-meta --reason WHY` raises its runs and says what else it lacks"
)]
pub struct Behind {
    /// The greatest run that the shard knows.
    pub run: u64,
    /// The greatest that was claimed.
    pub claimed: u64,
}

impl From<Behind> for StoreError {
    fn from(behind: Behind) -> Self {
        StoreError::Unavailable(behind.to_string())
    }
}
