//! The clock of a database that is audited.
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::store::statements::statement;
use crate::store::{Columns, Connection, Database, StoreError, out_of_range};

/// A database's clock. Labels and times that are later than it are in the future.
#[derive(Debug, Clone, Copy)]
pub(super) struct DatabaseClock {
    at: Timestamp,
    read: Instant,
}

impl DatabaseClock {
    pub(super) async fn read<D: Database>(
        connection: &mut D::Connection,
    ) -> Result<Self, StoreError> {
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

    /// The time on that clock now.
    pub(super) fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.read.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}
