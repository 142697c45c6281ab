//! Reads units by prize.
use super::stock::Counts;
use crate::store::{Columns, Connection, StoreError};

/// Runs a statement that returns rows of activity, award and units.
pub(super) async fn read_counts<C: Connection>(
    connection: &mut C,
    sql: &str,
) -> Result<Counts, StoreError> {
    let rows = connection.rows(sql, "[]").await?;
    rows.iter()
        .map(|row| Ok(((row.integer(0)?, row.integer(1)?), row.integer(2)?)))
        .collect()
}
