//! Reads units by item.
use super::stock::{Counts, ItemKey};
use crate::store::{Columns, Connection, StoreError};

/// Runs a statement that returns rows of activity, kind, good and units.
pub(super) async fn read_counts<C: Connection>(
    connection: &mut C,
    sql: &str,
) -> Result<Counts, StoreError> {
    let rows = connection.rows(sql, "[]").await?;
    rows.iter()
        .map(|row| Ok((ItemKey::of(row)?, row.integer(3)?)))
        .collect()
}
