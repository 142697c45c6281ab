//! Schema versions: each database counts the schema changes it has seen and gets the missing
//! ones, each followed by its number.
//!
//! Where schema changes are transactional, a change and its number come together. Where they are
//! not (MySQL), each change is written so that it can be run again, and a program that dies
//! half-way leaves the rest to the next one. A conversion of rows goes page by page, each of which
//! stays once it is made.
use std::cmp::Ordering;

use super::statements::fill_in;
use super::tables::calls::CallStatements;
use super::{Columns, Connection, Database, Dialect, ShardChange, StoreError};

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

/// Calls that one step of a conversion writes: a fraction of a second.
const PAGE: usize = 5_000;

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
    let conversion = Conversion::of(&D::DIALECT, tables);
    migrate(
        &mut database.connect().await?,
        Changes::Shard(D::DIALECT.schema.shard, conversion),
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

/// The changes of a schema, oldest first.
enum Changes {
    Meta(&'static [&'static str]),
    Shard(&'static [ShardChange], Conversion),
}

impl Changes {
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
    ) -> Result<Step, StoreError> {
        let text = match self {
            Self::Meta(changes) => changes[version].to_owned(),
            Self::Shard(changes, conversion) => match changes[version] {
                ShardChange::Calls => return conversion.step(connection).await,
                ShardChange::Texts(once, each) => shard_text(once, each, conversion.tables()),
            },
        };
        connection.run(&text).await.map(|()| Step::Done)
    }
}

/// The text of a change of a shard: the part that runs once, and the part for each table.
fn shard_text(once: &str, each: &str, tables: u16) -> String {
    let each = (0..tables).map(|table| fill_in(each, table));
    let texts = std::iter::once(once.to_owned()).chain(each);
    let mut texts = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>();
    for text in &mut texts {
        // MySQL takes nothing between two semicolons for a fault.
        text.truncate(text.trim_end().trim_end_matches(';').len());
    }
    texts.join(";\n")
}

impl Dialect {
    /// The text of the schema change from version `from` to the next, for a shard of `tables`
    /// tables; `None` where it is no text, or `from` is the newest.
    #[cfg(test)]
    pub(super) fn shard_change(&self, from: usize, tables: u16) -> Option<String> {
        match self.schema.shard.get(from)? {
            ShardChange::Texts(once, each) => Some(shard_text(once, each, tables)),
            ShardChange::Calls => None,
        }
    }
}

/// What became of a step towards the next version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The version is reached.
    Done,
    /// There is more to do. What was done stays done.
    More,
}

/// Writes the calls of the orders from before there were calls, page by page, in the order of
/// their key. It goes on behind the last call that is there, so it can be cut off at any time.
struct Conversion {
    tables: Vec<CallStatements>,
    /// The table that is being converted.
    table: usize,
    /// Calls that were written so far.
    calls: u64,
}

impl Conversion {
    fn of(dialect: &Dialect, tables: u16) -> Self {
        let statements = |table| {
            let mut sql = CallStatements::of(dialect, table);
            sql.convert = sql.convert.replace("{rows_max}", &PAGE.to_string());
            sql
        };
        Self {
            tables: (0..tables).map(statements).collect(),
            table: 0,
            calls: 0,
        }
    }

    fn tables(&self) -> u16 {
        u16::try_from(self.tables.len()).expect("made of so many")
    }

    /// Writes the next page.
    async fn step<C: Connection>(&mut self, connection: &mut C) -> Result<Step, StoreError> {
        let Some(sql) = self.tables.get(self.table) else {
            return Ok(Step::Done);
        };
        let last = connection.rows(&sql.last, "[]").await?;
        let behind = match last.first() {
            Some(row) => [row.text(0)?.to_owned(), row.text(1)?.to_owned()],
            None => Default::default(),
        };
        let behind = serde_json::to_string(&behind).expect("plain values");
        let written = connection.execute(&sql.convert, &behind).await?;
        self.calls += written;
        if written < PAGE as u64 {
            self.table += 1;
        }
        if written > 0 {
            let (table, of) = (self.table, self.tables.len());
            tracing::info!(
                calls = self.calls,
                tables = format!("{table} of {of}"),
                "converting calls"
            );
        }
        Ok(Step::More)
    }
}

/// Takes steps until the newest version is reached. Between two of them others have their turn.
async fn migrate<C: Connection>(
    connection: &mut C,
    mut changes: Changes,
) -> Result<(), MigrateError> {
    let known = changes.count();
    loop {
        connection.begin_schema_change().await?;
        // Looked up under the lock, so two programs that start at once take turns.
        connection.run(CREATE_VERSIONS).await?;
        let found = version(connection).await?;
        if found < known && changes.step(connection, found).await? == Step::Done {
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
