//! Schema versions: each database counts its schema changes and gets the missing ones, each
//! followed by its number.
//!
//! Where schema changes are transactional, a change and its number are committed together. Where
//! they are not (MySQL), each change can be run again, and a program that dies half-way leaves the
//! rest to the next one. A conversion of rows goes page by page, and each page is committed.
pub(super) mod conversion;

use std::cmp::Ordering;

pub use self::conversion::ConversionProgress;
use self::conversion::{Conversion, ConversionStep};
use super::statements::fill_in;
use super::{Columns, Connection, Database, ShardChange, StoreError};

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
        /// The version of the database.
        found: usize,
        /// The version of this program.
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
    migrate(
        &mut database.connect().await?,
        Changes::Meta(D::DIALECT.schema.meta),
    )
    .await
}

/// Brings a shard of `tables` tables up to date. Does nothing when it is.
pub async fn migrate_shard<D: Database>(database: &D, tables: u16) -> Result<(), MigrateError> {
    migrate_shard_watched(database, tables, &ConversionProgress::default()).await
}

/// The same, and counts the converted rows.
pub async fn migrate_shard_watched<D: Database>(
    database: &D,
    tables: u16,
    progress: &ConversionProgress,
) -> Result<(), MigrateError> {
    let conversion = Conversion::of(&D::DIALECT, tables, progress);
    migrate(
        &mut database.connect().await?,
        Changes::Shard(D::DIALECT.schema.shard, conversion),
    )
    .await
}

/// Whether a shard has a change before it that no gateway of the version before can live with: the
/// calls of orders, or the goods of stock. No gateway of this version starts on it. Once its
/// migration has begun, no gateway of the version before commits anything. Changes nothing.
pub async fn awaits_conversion<D: Database>(database: &D) -> Result<bool, StoreError> {
    let found = found_version(database).await?;
    Ok((1..D::DIALECT.schema.shard_fenced).contains(&found))
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
    let found = found_version(database).await?;
    match found.cmp(&known) {
        Ordering::Less => Err(MigrateError::TooOld { found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(MigrateError::TooNew { found, known }),
    }
}

/// The version of a database; 0 where there is no schema yet.
async fn found_version<D: Database>(database: &D) -> Result<usize, StoreError> {
    let mut connection = database.connect().await?;
    let versioned = connection
        .rows(D::DIALECT.schema.find_versions, "[]")
        .await?;
    if versioned.is_empty() {
        return Ok(0);
    }
    version(&mut connection).await
}

async fn version<C: Connection>(connection: &mut C) -> Result<usize, StoreError> {
    connection
        .rows(READ_VERSION, "[]")
        .await?
        .first()
        .map_or(Ok(0), |row| row.number(0))
}

/// The changes of a schema, oldest first.
enum Changes<'p> {
    Meta(&'static [&'static str]),
    Shard(&'static [ShardChange], Conversion<'p>),
}

impl Changes<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Meta(changes) => changes.len(),
            Self::Shard(changes, _) => changes.len(),
        }
    }

    /// Makes the change that follows `version`, or a part of it.
    async fn step<C: Connection>(
        &mut self,
        connection: &mut C,
        version: usize,
    ) -> Result<ConversionStep, StoreError> {
        let text = match self {
            Self::Meta(changes) => changes[version].to_owned(),
            Self::Shard(changes, conversion) => match changes[version] {
                ShardChange::Calls => return conversion.step(connection).await,
                ShardChange::Texts(once, each) => shard_text(once, each, conversion.tables()),
            },
        };
        connection.run(&text).await.map(|()| ConversionStep::Done)
    }
}

/// The SQL of a change of a shard: the part that runs once, and the part for each table.
fn shard_text(once: &str, each: &str, tables: u16) -> String {
    let each = (0..tables).map(|table| fill_in(each, table));
    let texts = std::iter::once(once.to_owned()).chain(each);
    let mut texts = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>();
    for text in &mut texts {
        // MySQL refuses an empty statement between two semicolons.
        text.truncate(text.trim_end().trim_end_matches(';').len());
    }
    texts.join(";\n")
}

#[cfg(test)]
impl super::Dialect {
    /// The SQL of the schema change from version `from` to the next, for a shard of `tables`
    /// tables; `None` where the change is no SQL, or `from` is the newest.
    pub(super) fn shard_change(&self, from: usize, tables: u16) -> Option<String> {
        match self.schema.shard.get(from)? {
            ShardChange::Texts(once, each) => Some(shard_text(once, each, tables)),
            ShardChange::Calls => None,
        }
    }
}

/// Takes steps until the newest version is reached. Between two steps other programs take their
/// turn.
async fn migrate<C: Connection>(
    connection: &mut C,
    mut changes: Changes<'_>,
) -> Result<(), MigrateError> {
    let known = changes.count();
    loop {
        connection.begin_schema_change().await?;
        // Looked up under the lock, so two programs that start at once take turns.
        connection.run(CREATE_VERSIONS).await?;
        let found = version(connection).await?;
        if found < known && changes.step(connection, found).await? == ConversionStep::Done {
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
