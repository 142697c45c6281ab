//! SQLite files: WAL, every commit on disk before it is answered.
mod care;
mod trouble;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteError, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, Executor, Row};
use tokio::time::{Instant, sleep};

use super::connection::outcomes;
use super::rows::json;
use super::{Columns, Connection, Database, Dialect, SQLITE, SqlOutcome, SqlStep, StoreError};

/// How long a statement waits for another process that writes the same file. Shorter than callers
/// wait for an answer, so that they get the error.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// Between two attempts to open a file that is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// The page size of new files; a file keeps the one that it was made with. A draw changes a few
/// bytes in each of two or three pages, and the write-ahead log gets these pages whole.
const PAGE_BYTES: u32 = 1024;

/// A checkpoint, which waits for the disk, comes after so much write-ahead log. More than SQLite's
/// 4 MiB: draws touch random pages, and a page that is written often is then copied back once.
pub(super) const CHECKPOINT_BYTES: u32 = 32 << 20;

/// A write-ahead log that grew during a long read is cut back to this.
const WAL_BYTES_MAX: &str = "67108864";

/// Page cache of a writing connection: 64 MiB (negative means KiB). Accounts and request ids
/// are touched at random, and with SQLite's 2 MiB each draw reads pages from the file again.
const CACHE_KIB: &str = "-65536";

/// Where SQLite keeps the pages for undoing a half-done statement. A statement that changes several
/// rows and calls a function (`->>` is one) keeps them whatever its conflict clause is. Beyond 64
/// KiB they would go to a temporary file of each statement.
const STATEMENT_JOURNALS: &str = "MEMORY";

/// The mode of new files: for their owner only. SQLite gives side files the mode of the database
/// file.
pub(crate) const FILE_MODE: u32 = 0o600;

/// What a connection to a file may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and write an existing file.
    Write,
    /// The same, and create a missing file.
    Create,
    /// Only read; the file must exist.
    Read,
}

/// One SQLite database file.
#[derive(Debug, Clone)]
pub struct SqliteFile {
    /// Its path.
    pub path: PathBuf,
    /// What connections to it may do.
    pub access: Access,
}

/// A connection to a SQLite file.
#[derive(Debug)]
pub struct SqliteConnection {
    inner: sqlx::SqliteConnection,
    file: SqliteFile,
    scripts: Scripts,
}

/// Several statements as one script. A round trip to the connection's thread costs as much as
/// several draws, so a batch sends its reads together and its writes together.
#[derive(Debug, Default)]
struct Scripts(HashMap<Vec<(usize, usize)>, String>);

/// A lane has two scripts of reads, and one of writes for each set of tables that a batch changes.
/// More scripts mean another kind of user.
const SCRIPTS_MAX: usize = 128;

impl Scripts {
    /// The SQL of all steps; the value of step `n` is bound to `$n`.
    fn text(&mut self, steps: &[SqlStep<'_>]) -> &str {
        // The SQL strings live as long as their dialect, so their addresses identify them.
        let key: Vec<_> = steps
            .iter()
            .map(|step| (step.sql.as_ptr().addr(), step.sql.len()))
            .collect();
        if self.0.len() >= SCRIPTS_MAX && !self.0.contains_key(&key) {
            self.0.clear();
        }
        self.0.entry(key).or_insert_with(|| {
            let numbered = steps
                .iter()
                .enumerate()
                .map(|(index, step)| step.sql.replace("$1", &format!("${}", index + 1)));
            numbered.collect::<Vec<_>>().join(";\n")
        })
    }
}

impl Database for SqliteFile {
    type Connection = SqliteConnection;

    const DIALECT: Dialect = SQLITE;
    const KEEPS_IDLE: bool = false;

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        if self.access == Access::Create {
            make_empty(&self.path)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(self.access == Access::Create)
            .read_only(self.access == Access::Read)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(false)
            .disable_statement_logging();
        // A reader cannot set the journal mode; the writer that made the file has set it.
        let options = match self.access {
            Access::Read => options,
            Access::Write | Access::Create => options
                .page_size(PAGE_BYTES)
                .journal_mode(SqliteJournalMode::Wal)
                .pragma("journal_size_limit", WAL_BYTES_MAX)
                .pragma("cache_size", CACHE_KIB)
                .pragma("temp_store", STATEMENT_JOURNALS),
        };
        let deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            match self.open(&options).await {
                Ok(inner) => {
                    return Ok(SqliteConnection {
                        inner,
                        file: self.clone(),
                        scripts: Scripts::default(),
                    });
                }
                // When two connections make the file at once, SQLite lets one wait and refuses the
                // other.
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    sleep(BUSY_PAUSE).await;
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }
}

/// Makes an empty file, which is an empty database, unless it exists. SQLite itself would make it
/// readable for all users.
fn make_empty(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
    {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(StoreError::Unavailable(
            format!("{}: {error}", path.display()),
        )),
        _ => Ok(()),
    }
}

impl Connection for SqliteConnection {
    type Row = SqliteRow;

    async fn begin(&mut self) -> Result<(), StoreError> {
        // Takes the write lock at once: a transaction that reads first could find it taken later.
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

    async fn begin_schema_change(&mut self) -> Result<(), StoreError> {
        self.begin().await
    }

    async fn end_schema_change(&mut self) -> Result<(), StoreError> {
        self.commit().await
    }

    async fn execute(&mut self, sql: &str, json: &str) -> Result<u64, StoreError> {
        let done = self
            .inner
            .execute(sqlx::query(sql).bind(json))
            .await
            .map_err(|error| self.file.failed(&error))?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, sql: &str, json: &str) -> Result<Vec<SqliteRow>, StoreError> {
        self.inner
            .fetch_all(sqlx::query(sql).bind(json))
            .await
            .map_err(|error| self.file.failed(&error))
    }

    async fn rows_uncommitted(
        &mut self,
        sql: &str,
        json: &str,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        // A file has one writer.
        self.rows(sql, json).await
    }

    async fn begin_with(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<SqliteRow>>, StoreError> {
        self.begin().await?;
        self.run_all(steps).await
    }

    async fn run_all(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<SqliteRow>>, StoreError> {
        let query = sqlx::query(self.scripts.text(steps));
        let query = steps
            .iter()
            .fold(query, |query, step| query.bind(json(&step.input)));
        outcomes(
            self.inner
                .fetch_many(query)
                .map_ok(|result| result.map_left(|done| done.rows_affected())),
        )
        .await
        .map_err(|error| self.file.failed(&error))
    }

    async fn scan(
        &mut self,
        sql: &str,
        json: &str,
        mut each: impl FnMut(&SqliteRow) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        let mut rows = self.inner.fetch(sqlx::query(sql).bind(json));
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|error| self.file.failed(&error))?
        {
            each(&row)?;
        }
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.inner
            .execute(sql)
            .await
            .map(drop)
            .map_err(|error| self.file.failed(&error))
    }
}

impl Columns for SqliteRow {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        self.try_get(index)
            .map_err(|error| StoreError::Data(error.to_string()))
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        self.try_get(index)
            .map_err(|error| StoreError::Data(error.to_string()))
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError> {
        self.try_get(index)
            .map_err(|error| StoreError::Data(error.to_string()))
    }
}

impl SqliteFile {
    async fn open(
        &self,
        options: &SqliteConnectOptions,
    ) -> Result<sqlx::SqliteConnection, sqlx::Error> {
        let mut connection = sqlx::SqliteConnection::connect_with(options).await?;
        if self.access != Access::Read {
            bound_log(&mut connection).await?;
        }
        Ok(connection)
    }

    /// SQLite's result codes, by what can be done (<https://www.sqlite.org/rescode.html>).
    fn failed(&self, error: &sqlx::Error) -> StoreError {
        const CONSTRAINT: i32 = 19;
        const CONSTRAINT_PRIMARY_KEY: i32 = 1555;
        const CONSTRAINT_UNIQUE: i32 = 2067;
        const TOO_BIG: i32 = 18;
        const MISMATCH: i32 = 20;
        let message = error.to_string();
        if matches!(
            error,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
        ) {
            return StoreError::Data(message);
        }
        match code(error) {
            Some(CONSTRAINT_PRIMARY_KEY | CONSTRAINT_UNIQUE) => StoreError::Conflict(message),
            Some(code) if matches!(code & 0xff, CONSTRAINT | TOO_BIG | MISMATCH) => {
                StoreError::Data(message)
            }
            code => StoreError::Unavailable(self.unavailable(code, &message)),
        }
    }
}

/// SQLite counts the log in pages, and files of earlier versions have larger ones.
async fn bound_log(connection: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
    let page_bytes: u32 = connection.fetch_one("PRAGMA page_size").await?.try_get(0)?;
    let pages = CHECKPOINT_BYTES / page_bytes.max(1);
    let pragma = format!("PRAGMA wal_autocheckpoint = {pages}");
    connection.execute(&*pragma).await.map(drop)
}

fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    code(error).is_some_and(|code| code & 0xff == BUSY)
}

fn code(error: &sqlx::Error) -> Option<i32> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<SqliteError>()?;
    error.code()?.parse().ok()
}
