//! Schema versions: each database counts the schema changes it has seen and gets the missing
//! ones, each followed by its number.
//!
//! Where schema changes are transactional, a change and its number come together. Where they are
//! not (MySQL), each change is written so that it can be run again, and a program that dies
//! half-way leaves the rest to the next one.
use std::cmp::Ordering;

use super::{Columns, Connection, Database, StoreError};

const CREATE_VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY)";
const READ_VERSION: &str = "SELECT coalesce(max(version), 0) FROM schema_version";

/// Why a database was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program has been here.
    #[error(
        "its schema has version {found}, this program knows versions up to {known}: use a newer program"
    )]
    TooNew {
        /// What the database says.
        found: usize,
        /// What this program knows.
        known: usize,
    },
    /// This program's changes are not there yet.
    #[error(
        "its schema has version {found}, this program needs {known}: run `drawbridge migrate` first"
    )]
    TooOld {
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
    migrate(&mut database.connect().await?, changes.len(), |version| {
        changes[version].to_owned()
    })
    .await
}

/// Brings a shard of `tables` tables up to date. Does nothing when it is.
pub async fn migrate_shard<D: Database>(database: &D, tables: u16) -> Result<(), MigrateError> {
    let text = |version| {
        D::DIALECT
            .shard_change(version, tables)
            .expect("a known version")
    };
    migrate(
        &mut database.connect().await?,
        D::DIALECT.schema.shard.len(),
        text,
    )
    .await
}

/// Whether the meta database is up to date. Changes nothing.
pub async fn check_meta<D: Database>(database: &D) -> Result<(), MigrateError> {
    check(database, D::DIALECT.schema.meta.len()).await
}

/// Whether a shard is up to date. Changes nothing.
pub async fn check_shard<D: Database>(database: &D) -> Result<(), MigrateError> {
    check(database, D::DIALECT.schema.shard.len()).await
}

async fn check<D: Database>(database: &D, known: usize) -> Result<(), MigrateError> {
    let mut connection = database.connect().await?;
    let versioned = connection
        .rows(D::DIALECT.schema.find_versions, "[]")
        .await?;
    let found = if versioned.is_empty() {
        0
    } else {
        version(&mut connection).await?
    };
    match found.cmp(&known) {
        Ordering::Less => Err(MigrateError::TooOld { found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(MigrateError::TooNew { found, known }),
    }
}

async fn version<C: Connection>(connection: &mut C) -> Result<usize, StoreError> {
    connection
        .rows(READ_VERSION, "[]")
        .await?
        .first()
        .map_or(Ok(0), |row| row.number(0))
}

async fn migrate<C: Connection>(
    connection: &mut C,
    known: usize,
    text: impl Fn(usize) -> String,
) -> Result<(), MigrateError> {
    loop {
        connection.begin_schema_change().await?;
        // Looked up under the lock, so two programs that start at once take turns.
        connection.run(CREATE_VERSIONS).await?;
        let found = version(connection).await?;
        if found < known {
            connection.run(&text(found)).await?;
            connection
                .run(&format!(
                    "INSERT INTO schema_version (version) VALUES ({})",
                    found + 1
                ))
                .await?;
        }
        connection.end_schema_change().await?;
        if found >= known {
            return if found == known {
                Ok(())
            } else {
                Err(MigrateError::TooNew { found, known })
            };
        }
    }
}
