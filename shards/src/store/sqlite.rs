//! SQLite files: WAL, every commit on disk before it is answered.
use std::path::PathBuf;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, Executor, Row};

use super::{Columns, Connection, Database, Dialect, SQLITE, StoreError};

/// How long a statement waits for another process that writes the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Wait for the disk at each checkpoint of this many pages (4 KiB each). Larger than SQLite's
/// 1,000, because a draw touches random pages of the index by request id and a page that is
/// written often is then copied back once.
const CHECKPOINT_PAGES: &str = "4000";

/// Page cache of a writing connection: 64 MiB (negative means KiB). Accounts and request ids
/// are touched at random, and with SQLite's 2 MiB each draw reads pages from the file again.
const CACHE_KIB: &str = "-65536";

/// What a connection to a file may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and write a file that is there.
    Write,
    /// The same; makes the file when it is missing.
    Create,
    /// Read only; the file must be there.
    Read,
}

/// One SQLite database file.
#[derive(Debug, Clone)]
pub struct SqliteFile {
    /// Where it is.
    pub path: PathBuf,
    /// What connections to it may do.
    pub access: Access,
}

/// A connection to a SQLite file.
#[derive(Debug)]
pub struct SqliteConnection(sqlx::SqliteConnection);

impl Database for SqliteFile {
    type Connection = SqliteConnection;

    const DIALECT: Dialect = SQLITE;

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(self.access == Access::Create)
            .read_only(self.access == Access::Read)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(false)
            .disable_statement_logging();
        // A reader cannot switch the journal mode; the writer that made the file has.
        let options = match self.access {
            Access::Read => options,
            Access::Write | Access::Create => options
                .journal_mode(SqliteJournalMode::Wal)
                .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
                .pragma("cache_size", CACHE_KIB),
        };
        sqlx::SqliteConnection::connect_with(&options).await.map(SqliteConnection).map_err(classify)
    }
}

impl Connection for SqliteConnection {
    type Row = SqliteRow;

    async fn begin(&mut self) -> Result<(), StoreError> {
        // Takes the write lock now: a transaction that reads first could find it taken later.
        self.run("BEGIN IMMEDIATE").await
    }

    async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        self.run("BEGIN").await
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.run("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.run("ROLLBACK").await
    }

    async fn execute(&mut self, sql: &str, json: &str) -> Result<u64, StoreError> {
        let done = self.0.execute(sqlx::query(sql).bind(json)).await.map_err(classify)?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, sql: &str, json: &str) -> Result<Vec<SqliteRow>, StoreError> {
        self.0.fetch_all(sqlx::query(sql).bind(json)).await.map_err(classify)
    }

    async fn scan(
        &mut self,
        sql: &str,
        mut each: impl FnMut(&SqliteRow) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        use futures_util::TryStreamExt;
        let mut rows = self.0.fetch(sqlx::query(sql));
        while let Some(row) = rows.try_next().await.map_err(classify)? {
            each(&row)?;
        }
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.0.execute(sql).await.map(drop).map_err(classify)
    }
}

impl Columns for SqliteRow {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        self.try_get(index).map_err(classify)
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        self.try_get(index).map_err(classify)
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError> {
        self.try_get(index).map_err(classify)
    }
}

/// SQLite's result codes, by what can be done (<https://www.sqlite.org/rescode.html>).
#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn classify(error: sqlx::Error) -> StoreError {
    const CONSTRAINT: i32 = 19;
    const CONSTRAINT_PRIMARY_KEY: i32 = 1555;
    const CONSTRAINT_UNIQUE: i32 = 2067;
    const TOO_BIG: i32 = 18;
    const MISMATCH: i32 = 20;
    let message = error.to_string();
    let code = match &error {
        sqlx::Error::Database(database) => database
            .try_downcast_ref::<SqliteError>()
            .and_then(DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => return StoreError::Data(message),
        _ => None,
    };
    match code {
        Some(CONSTRAINT_PRIMARY_KEY | CONSTRAINT_UNIQUE) => StoreError::Conflict(message),
        Some(code) if matches!(code & 0xff, CONSTRAINT | TOO_BIG | MISMATCH) => StoreError::Data(message),
        Some(_) | None => StoreError::Away(message),
    }
}
