//! The table of leases in the meta database. That database's clock says when one ends.
use std::time::Duration;

use crate::store::{Columns, Connection, Database, MysqlDatabase, Pool, StoreError, json_rows};

const READ_LEASES: &str = include_str!("../../sql/mysql/stock/read_leases.sql");
const TAKE_LEASES: &str = include_str!("../../sql/mysql/stock/take_leases.sql");
const END_LEASES: &str = include_str!("../../sql/mysql/stock/end_leases.sql");

type Row = <<MysqlDatabase as Database>::Connection as Connection>::Row;

/// The holder of a job.
#[derive(Debug)]
pub(crate) struct JobLease {
    pub(crate) job: String,
    pub(crate) holder: String,
    /// How long the lease lasts still, by the database's clock.
    pub(crate) lasts: Duration,
}

/// The storage of leases.
#[derive(Debug)]
pub(crate) struct LeaseTable(Pool<MysqlDatabase>);

impl LeaseTable {
    /// The table in the meta database, through its shared connections.
    pub(crate) fn new(meta: Pool<MysqlDatabase>) -> Self {
        Self(meta)
    }

    /// The holder of each of these jobs. Leases that have ended are left out.
    pub(crate) async fn read(&self, jobs: &[String]) -> Result<Vec<JobLease>, StoreError> {
        let mut link = self.0.get().await?;
        let key = json_rows(jobs.iter().map(|job| [job]));
        let rows = link.rows(READ_LEASES, &key).await?;
        let leases = rows.iter().map(lease).collect::<Result<_, _>>()?;
        self.0.keep(link);
        Ok(leases)
    }

    /// Takes the free leases, and renews those that the holder has.
    pub(crate) async fn take(
        &self,
        jobs: &[String],
        holder: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let rows = json_rows(jobs.iter().map(|job| (job, holder, ttl_ms)));
        self.execute(TAKE_LEASES, &rows).await
    }

    /// Gives up those of these leases that the holder has.
    pub(crate) async fn end(&self, jobs: &[String], holder: &str) -> Result<(), StoreError> {
        let rows = json_rows(jobs.iter().map(|job| (job, holder)));
        self.execute(END_LEASES, &rows).await
    }

    async fn execute(&self, sql: &str, rows: &str) -> Result<(), StoreError> {
        let mut link = self.0.get().await?;
        link.execute(sql, rows).await?;
        self.0.keep(link);
        Ok(())
    }
}

fn lease(row: &Row) -> Result<JobLease, StoreError> {
    Ok(JobLease {
        job: row.text(0)?.to_owned(),
        holder: row.text(1)?.to_owned(),
        lasts: Duration::from_millis(row.number(2)?),
    })
}
