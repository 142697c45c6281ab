//! MySQL and MariaDB over TCP. A batch reads in one round trip and writes in one; all else goes by
//! prepared statements. Every wait is bounded.
//!
//! A statement is cut off by a timeout, or when its caller is dropped. Half of its answer may be on
//! the wire, so the connection is never used again. Dropping it closes the socket at once; the
//! server notices and rolls the open transaction back.
//!
//! A connection ends between transactions: after idling, at its maximum age, and after an error
//! that is not known to leave it sound. It also ends when another connection to the same database
//! met a server that is read-only or does not answer. How new ones are made is in `dial`.
mod dial;
mod durability;
mod failure;
mod health;
mod identity;
mod options;
mod script;
mod session;
#[cfg(test)]
mod tests;
mod times;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use market::random::Randomness;
use sqlx::mysql::MySqlRow;
use sqlx::{Column, Executor, Row, TypeInfo};
use tokio::time::Instant;

use self::dial::{DialLine, Dialled, Wants};
use self::failure::Failure;
use self::health::{Health, within, within_locks};
use self::script::{NOTHING, Script};
use self::session::{READ_ONLY, SessionServer, TransactionEnd};
use self::times::IDLE_MAX;
use super::connection::outcomes;
use super::{
    Columns, Connection, Database, Dialect, Input, MYSQL, ReadOutcomes, SqlOutcome, SqlStep,
    StoreError, out_of_range,
};
use crate::random::OsRandom;

pub use self::dial::Dialer;
pub use self::durability::check_durability;
pub use self::options::{MysqlOptions, Tls};

/// A connection of this age is replaced between transactions once its successor stands. So none
/// stays for days with a server or an account that has been replaced.
const AGE_MAX_AT_LEAST: Duration = Duration::from_mins(16);

/// The random part of that age: lanes that connected together are not replaced together.
const AGE_SPREAD: Duration = Duration::from_mins(8);

/// A connection to a read-only server is replaced after this long: it is only the second best.
const READ_ONLY_AGE_MAX: Duration = Duration::from_secs(2);

/// For schema changes and for each row of a scan: they may have to read a whole table first.
const SLOW_TIMEOUT: Duration = Duration::from_mins(10);

/// How long a schema change waits for another program's.
const SCHEMA_WAIT_SECONDS: u64 = 120;

/// One database on a MySQL or MariaDB server. Clones share their options, and the connections that
/// wait for the next user.
#[derive(Clone, PartialEq)]
pub struct MysqlDatabase {
    /// Where it is, and what its connections are like.
    pub options: Arc<MysqlOptions>,
    /// Makes the connections.
    pub dialer: Dialer,
}

impl fmt::Debug for MysqlDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

/// A connection to MySQL or MariaDB.
pub struct MysqlConnection {
    inner: sqlx::MySqlConnection,
    database: MysqlDatabase,
    health: Health,
    server: SessionServer,
    wants: Wants,
    pinned: Pinned,
    /// When it was used last.
    used: Instant,
    since: Instant,
    age_max: Duration,
}

/// What the server holds for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pinned {
    Nothing,
    Transaction,
    Snapshot,
    SchemaLock,
}

impl fmt::Debug for MysqlConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            database,
            health,
            server,
            pinned,
            ..
        } = self;
        f.debug_struct("MysqlConnection")
            .field("database", database)
            .field("usable", &health.usable)
            .field("server", server)
            .field("pinned", pinned)
            .finish_non_exhaustive()
    }
}

impl MysqlDatabase {
    /// A database whose connections `dialer` makes.
    pub fn new(options: MysqlOptions, dialer: Dialer) -> Self {
        Self {
            options: Arc::new(options),
            dialer,
        }
    }

    /// The same with other options, through the same dialer.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut MysqlOptions)) -> Self {
        let mut changed = self.clone();
        change(Arc::make_mut(&mut changed.options));
        changed
    }

    async fn open(&self, wants: Wants) -> Result<MysqlConnection, StoreError> {
        let line = self.dialer.line(&self.options);
        let dialled = line.connect(wants, self.options.connect_timeout).await?;
        Ok(MysqlConnection::new(self.clone(), line, wants, dialled))
    }
}

impl Database for MysqlDatabase {
    type Connection = MysqlConnection;

    const DIALECT: Dialect = MYSQL;

    async fn connect(&self) -> Result<MysqlConnection, StoreError> {
        self.open(Wants::Writes).await
    }

    async fn connect_for_reads(&self) -> Result<MysqlConnection, StoreError> {
        self.open(Wants::Reads).await
    }
}

impl MysqlConnection {
    fn new(database: MysqlDatabase, line: Arc<DialLine>, wants: Wants, dialled: Dialled) -> Self {
        let Dialled {
            inner,
            server,
            generation,
            since,
        } = dialled;
        let health = Health {
            usable: true,
            line,
            generation,
        };
        let (pinned, used) = (Pinned::Nothing, Instant::now());
        Self {
            inner,
            database,
            health,
            server,
            wants,
            pinned,
            used,
            since,
            age_max: age_max(),
        }
    }

    fn statement_timeout(&self) -> Duration {
        self.database.options.statement_timeout
    }

    /// Runs statements without a bound value.
    async fn send(&mut self, text: &str, timeout: Duration) -> Result<(), Failure> {
        within(timeout, &mut self.health, self.inner.execute(text))
            .await
            .map(drop)
    }

    async fn query(
        &mut self,
        sql: &str,
        json: &str,
        timeout: Duration,
    ) -> Result<Vec<MySqlRow>, Failure> {
        within(
            timeout,
            &mut self.health,
            self.inner.fetch_all(prepared(sql, json)),
        )
        .await
    }

    /// MySQL would commit an open transaction silently.
    fn require_unpinned(&self) -> Result<(), StoreError> {
        if self.pinned != Pinned::Nothing {
            return Err(StoreError::Unavailable(
                "the connection has a transaction already".to_owned(),
            ));
        }
        Ok(())
    }

    async fn begin_by(
        &mut self,
        text: impl Fn(SessionServer) -> String,
        pinned: Pinned,
    ) -> Result<(), StoreError> {
        self.require_unpinned()?;
        self.freshen().await?;
        let timeout = self.statement_timeout();
        if let Err(failure) = self.send(&text(self.server), timeout).await {
            self.replace_closed(failure).await?;
            self.send(&text(self.server), timeout).await?;
        }
        self.pinned = pinned;
        Ok(())
    }

    async fn end_by(&mut self, word: TransactionEnd) -> Result<(), StoreError> {
        let text = self.server.kind.end(word, self.pinned == Pinned::Snapshot);
        let timeout = self.statement_timeout();
        self.send(text, timeout).await?;
        self.pinned = Pinned::Nothing;
        Ok(())
    }

    /// Replaces the connection when it should not be used any more.
    async fn freshen(&mut self) -> Result<(), StoreError> {
        if self.pinned == Pinned::Nothing {
            if self.must_end() {
                self.make_anew().await?;
            } else if self.since.elapsed() > self.age_max
                && let Some(successor) = self.health.line.successor()
            {
                *self = Self::new(
                    self.database.clone(),
                    self.health.line.clone(),
                    self.wants,
                    successor,
                );
            }
        }
        self.used = Instant::now();
        Ok(())
    }

    fn must_end(&self) -> bool {
        let second_best = self.server.read_only && self.since.elapsed() > READ_ONLY_AGE_MAX;
        second_best
            || self.used.elapsed() > IDLE_MAX
            || self.health.generation != self.health.line.generation()
    }

    async fn make_anew(&mut self) -> Result<(), StoreError> {
        // Even if the new connection fails, this one must not be used again.
        self.health.usable = false;
        *self = self.database.open(self.wants).await?;
        Ok(())
    }

    /// Replaces the connection when the server closed it while it idled: what was sent was not
    /// executed. Returns any other failure.
    async fn replace_closed(&mut self, failure: Failure) -> Result<(), StoreError> {
        match failure {
            Failure::Closed(why) if self.pinned == Pinned::Nothing => {
                tracing::debug!(database = ?self.database, why, "a connection that the server closed while it idled is made again");
                self.make_anew().await
            }
            failure => Err(failure.into()),
        }
    }

    /// Notes what the server says now. One that was read-only at first stays so for this connection.
    fn note_read_only(&mut self, read_only: bool) {
        if read_only && !self.server.read_only {
            self.server.read_only = true;
            let why = StoreError::Unavailable("it has become read-only".to_owned());
            self.health
                .line
                .end_generation(self.health.generation, &why);
        }
    }

    /// Runs a script. The server stops at the first statement that it refuses.
    async fn run_script(&mut self, script: &Script) -> Result<Vec<SqlOutcome<MySqlRow>>, Failure> {
        self.run_script_by(script, true).await
    }

    /// `waits` says whether a statement of it may wait for rows that others have locked.
    async fn run_script_by(
        &mut self,
        script: &Script,
        waits: bool,
    ) -> Result<Vec<SqlOutcome<MySqlRow>>, Failure> {
        if script.is_empty() {
            return Ok(script.outcomes(Vec::new()));
        }
        let timeout = self.statement_timeout();
        let results = self.inner.fetch_many(script.text());
        let done = outcomes(results.map_ok(|result| result.map_left(|done| done.rows_affected())));
        let done = if waits {
            within_locks(timeout, &mut self.health, done).await?
        } else {
            within(timeout, &mut self.health, done).await?
        };
        Ok(script.outcomes(done))
    }

    async fn integers(&mut self, sql: &str, timeout: Duration) -> Result<Option<i64>, StoreError> {
        self.query(sql, NOTHING, timeout)
            .await?
            .first()
            .map_or(Ok(None), |row| row.optional_integer(0))
    }
}

/// How old a connection may become.
fn age_max() -> Duration {
    let spread_ms = u64::try_from(AGE_SPREAD.as_millis()).unwrap_or(u64::MAX);
    AGE_MAX_AT_LEAST + Duration::from_millis(OsRandom::default().next_u64() % spread_ms)
}

/// Holds for the next transaction only, which is a single statement here.
const READ_UNCOMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED";

/// A statement with its value. A few statements have no place for it, a few have several.
fn prepared<'q>(
    sql: &'q str,
    json: &'q str,
) -> sqlx::query::Query<'q, sqlx::MySql, sqlx::mysql::MySqlArguments> {
    sql.matches('?')
        .fold(sqlx::query(sql), |query, _| query.bind(json))
}

impl Connection for MysqlConnection {
    type Row = MySqlRow;

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.begin_by(|server| server.kind.begin().join("; "), Pinned::Transaction)
            .await
    }

    async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        self.begin_by(
            |server| server.kind.begin_snapshot().to_owned(),
            Pinned::Snapshot,
        )
        .await
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.end_by(TransactionEnd::Commit).await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.end_by(TransactionEnd::Rollback).await
    }

    async fn begin_schema_change(&mut self) -> Result<(), StoreError> {
        // MySQL commits at each schema change, so a transaction would block no other program. A
        // named lock does, and the server releases it whenever the connection ends.
        let sql = format!("SELECT GET_LOCK({SCHEMA_LOCK}, {SCHEMA_WAIT_SECONDS})");
        match self.integers(&sql, SLOW_TIMEOUT).await? {
            Some(1) => {
                self.pinned = Pinned::SchemaLock;
                Ok(())
            }
            _ => Err(StoreError::Unavailable(
                "another program is changing the schema".to_owned(),
            )),
        }
    }

    async fn end_schema_change(&mut self) -> Result<(), StoreError> {
        self.integers(&format!("SELECT RELEASE_LOCK({SCHEMA_LOCK})"), SLOW_TIMEOUT)
            .await?;
        self.pinned = Pinned::Nothing;
        Ok(())
    }

    async fn execute(&mut self, sql: &str, json: &str) -> Result<u64, StoreError> {
        self.freshen().await?;
        let timeout = self.statement_timeout();
        let done = self.inner.execute(prepared(sql, json));
        Ok(within(timeout, &mut self.health, done)
            .await?
            .rows_affected())
    }

    async fn rows(&mut self, sql: &str, json: &str) -> Result<Vec<MySqlRow>, StoreError> {
        self.freshen().await?;
        let timeout = self.statement_timeout();
        match self.query(sql, json, timeout).await {
            Ok(rows) => Ok(rows),
            Err(failure) => {
                self.replace_closed(failure).await?;
                Ok(self.query(sql, json, timeout).await?)
            }
        }
    }

    async fn rows_uncommitted(
        &mut self,
        sql: &str,
        json: &str,
    ) -> Result<Vec<MySqlRow>, StoreError> {
        self.require_unpinned()?;
        self.freshen().await?;
        let step = SqlStep::read(sql, Input::Json(json.to_owned()));
        let mut outcomes = self
            .run_script(&Script::new(&[READ_UNCOMMITTED], &[step]))
            .await?;
        Ok(outcomes.pop().map_or_else(Vec::new, |outcome| outcome.rows))
    }

    async fn begin_with(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<MySqlRow>>, StoreError> {
        self.require_unpinned()?;
        self.freshen().await?;
        let script = Script::new(self.server.kind.begin(), steps);
        let mut done = self.run_script(&script).await;
        if let Err(failure @ Failure::Closed(_)) = done {
            self.replace_closed(failure).await?;
            done = self
                .run_script(&Script::new(self.server.kind.begin(), steps))
                .await;
        }
        // Also where a statement was refused.
        self.pinned = Pinned::Transaction;
        Ok(done?)
    }

    async fn run_all(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<MySqlRow>>, StoreError> {
        self.freshen().await?;
        Ok(self.run_script(&Script::new(&[], steps)).await?)
    }

    async fn read_all(
        &mut self,
        mut steps: Vec<SqlStep<'_>>,
    ) -> Result<ReadOutcomes<MySqlRow>, StoreError> {
        self.freshen().await?;
        steps.push(SqlStep::read(READ_ONLY, Input::Nothing));
        let script = Script::new(&[], &steps);
        let mut done = self.run_script_by(&script, false).await;
        if let Err(failure @ Failure::Closed(_)) = done {
            self.replace_closed(failure).await?;
            done = self.run_script_by(&script, false).await;
        }
        let mut outcomes = done?;
        let checked = outcomes.pop().unwrap_or_default();
        let read_only = checked.rows.first();
        let read_only = read_only.map_or(Ok(None), |row| row.optional_integer(0))?;
        self.note_read_only(read_only != Some(0));
        Ok(ReadOutcomes {
            outcomes,
            may_write: !self.server.read_only,
        })
    }

    async fn scan(
        &mut self,
        sql: &str,
        json: &str,
        mut each: impl FnMut(&MySqlRow) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        let mut rows = self.inner.fetch(prepared(sql, json));
        while let Some(row) = within(SLOW_TIMEOUT, &mut self.health, rows.try_next()).await? {
            // If the caller stops half-way, the rest of the answer is still on the wire.
            self.health.usable = false;
            each(&row)?;
            self.health.usable = true;
        }
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.send(sql, SLOW_TIMEOUT).await?)
    }

    async fn may_still_write(&mut self) -> Result<bool, StoreError> {
        let timeout = self.statement_timeout();
        if !self.server.read_only {
            let read_only = self.integers(READ_ONLY, timeout).await?;
            self.note_read_only(read_only != Some(0));
        }
        Ok(!self.server.read_only)
    }
}

/// A name of at most 64 characters, the maximum of MySQL.
const SCHEMA_LOCK: &str = "LEFT(CONCAT('drawbridge_migrate_', DATABASE()), 64)";

impl Columns for MySqlRow {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        self.optional_integer(index)?
            .ok_or_else(|| out_of_range(index))
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        // As bytes: sqlx takes a string with the collation `utf8mb4_bin` for binary.
        let bytes = self.try_get::<&[u8], _>(index).map_err(decoding)?;
        std::str::from_utf8(bytes).map_err(|_| out_of_range(index))
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError> {
        let column = self.try_column(index).map_err(decoding)?;
        if column.type_info().name().ends_with("UNSIGNED") {
            let number = self.try_get::<Option<u64>, _>(index).map_err(decoding)?;
            return number
                .map(|number| i64::try_from(number).map_err(|_| out_of_range(index)))
                .transpose();
        }
        self.try_get(index).map_err(decoding)
    }
}

fn decoding(error: sqlx::Error) -> StoreError {
    Failure::from(error).into()
}
