//! Connections to the meta database, and the transactions that write to it.
use std::time::Duration;

use super::columns::NOTHING;
use super::error::ChangeError;
use super::revision;
use crate::store::{Columns, Connection, Database, Pool, PoolLimits, PooledConnection, StoreError};

/// The meta database. Clones share a few connections.
#[derive(Debug, Clone)]
pub struct Meta<D: Database> {
    pool: Pool<D>,
}

/// Connections of a process to it: starting lanes, jobs and operators need one each for a moment.
/// All are kept between uses. At rest the jobs and the poll of the revision use one or two in
/// turn, and the others are closed after a while.
const CONNECTIONS_MAX: usize = 16;

/// While all are in use, a caller waits as long as it would for a lock.
const CONNECTION_WAIT: Duration = Duration::from_secs(3);

impl<D: Database> Meta<D> {
    /// The meta database in `database`, which must be migrated.
    pub fn new(database: D) -> Self {
        let idle_max = if D::KEEPS_IDLE { CONNECTIONS_MAX } else { 0 };
        Self {
            pool: Pool::new(
                database,
                PoolLimits {
                    all_max: CONNECTIONS_MAX,
                    idle_max,
                    wait: CONNECTION_WAIT,
                },
            ),
        }
    }

    /// The number that each change raises.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        let mut connection = self.pool.get().await?;
        let revision = revision::read::<D>(&mut connection).await?;
        self.pool.keep(connection);
        Ok(revision)
    }

    /// Begins a transaction that may write. Writers take turns, so that what one decides from what
    /// it reads still holds when it writes.
    pub(super) async fn begin(&self) -> Result<PooledConnection<D>, StoreError> {
        let mut connection = self.pool.get().await?;
        connection.begin().await?;
        revision::lock::<D>(&mut connection).await?;
        Ok(connection)
    }

    /// Ends what [`Meta::begin`] began. Without it the transaction is undone: its connection
    /// closes.
    pub(super) async fn commit(
        &self,
        mut connection: PooledConnection<D>,
    ) -> Result<(), StoreError> {
        connection.commit().await?;
        self.pool.keep(connection);
        Ok(())
    }

    /// Raises the revision and ends what [`Meta::begin`] began. Returns the new revision.
    pub(super) async fn commit_revision(
        &self,
        mut connection: PooledConnection<D>,
    ) -> Result<u64, ChangeError> {
        revision::raise::<D>(&mut connection).await?;
        let revision = revision::read::<D>(&mut connection).await?;
        match self.commit(connection).await {
            Ok(()) => Ok(revision),
            // The answer to the commit was lost: the change may have been made.
            Err(error @ StoreError::Unavailable(_)) => Err(ChangeError::InDoubt(error)),
            Err(error) => Err(ChangeError::NotMade(error)),
        }
    }

    /// Where it is stored.
    pub(crate) fn database(&self) -> &D {
        self.pool.database()
    }

    /// Its connections.
    pub(crate) fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    /// Runs one query.
    pub(super) async fn rows(
        &self,
        sql: &str,
        json: &str,
    ) -> Result<Vec<<D::Connection as Connection>::Row>, StoreError> {
        let mut connection = self.pool.get().await?;
        let rows = connection.rows(sql, json).await?;
        self.pool.keep(connection);
        Ok(rows)
    }

    /// Runs one query on a table that a database of the version before lacks:
    /// it has no rows there. Commands that only read do not migrate it.
    pub(super) async fn rows_of_newer_table(
        &self,
        table: &str,
        sql: &str,
        json: &str,
    ) -> Result<Vec<<D::Connection as Connection>::Row>, StoreError> {
        match self.rows(sql, json).await {
            Err(_) if !self.has_table(table).await? => Ok(Vec::new()),
            read => read,
        }
    }

    async fn has_table(&self, table: &str) -> Result<bool, StoreError> {
        let tables = self.rows(D::DIALECT.identity.list_tables, NOTHING).await?;
        let names = tables.iter().map(|row| row.text(0));
        Ok(names.collect::<Result<Vec<_>, _>>()?.contains(&table))
    }

    /// Runs one statement in a transaction of its own. Returns how many rows it touched.
    pub(super) async fn execute(&self, sql: &str, json: &str) -> Result<u64, StoreError> {
        let mut connection = self.pool.get().await?;
        let touched = connection.execute(sql, json).await?;
        self.pool.keep(connection);
        Ok(touched)
    }
}
