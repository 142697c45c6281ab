//! Schema versions: each database counts the schema changes it has seen and gets the missing
//! ones, each in a transaction of its own with its number.
use super::{Columns, Connection, Database, StoreError};

const CREATE_VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY)";
const READ_VERSION: &str = "SELECT coalesce(max(version), 0) FROM schema_version";

/// Why a database was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program has been here.
    #[error("its schema has version {found}, this program knows versions up to {known}: use a newer program")]
    TooNew {
        /// What the database says.
        found: usize,
        /// What this program knows.
        known: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings the meta database up to date. Does nothing when it is.
pub async fn migrate_meta<D: Database>(database: &D) -> Result<(), MigrateError> {
    let changes = D::DIALECT.schema.meta;
    migrate(&mut database.connect().await?, changes.len(), |version| changes[version].to_owned()).await
}

/// Brings a shard of `tables` tables up to date. Does nothing when it is.
pub async fn migrate_shard<D: Database>(database: &D, tables: u16) -> Result<(), MigrateError> {
    let text = |version| D::DIALECT.shard_change(version, tables).expect("a known version");
    migrate(&mut database.connect().await?, D::DIALECT.schema.shard.len(), text).await
}

async fn migrate<C: Connection>(
    connection: &mut C,
    known: usize,
    text: impl Fn(usize) -> String,
) -> Result<(), MigrateError> {
    loop {
        connection.begin().await?;
        // Looked up under the write lock, so two programs that start at once take turns.
        connection.run(CREATE_VERSIONS).await?;
        let found: usize = match connection.rows(READ_VERSION, "[]").await?.first() {
            Some(row) => row.number(0)?,
            None => 0,
        };
        if found >= known {
            connection.rollback().await?;
            return if found == known { Ok(()) } else { Err(MigrateError::TooNew { found, known }) };
        }
        connection.run(&text(found)).await?;
        connection.run(&format!("INSERT INTO schema_version VALUES ({})", found + 1)).await?;
        connection.commit().await?;
    }
}
