//! MySQL and MariaDB over TCP: a batch's reads in one round trip and its writes in one, all else by
//! prepared statements, every wait bounded.
//!
//! A connection whose statement was cut off (by a time-out, or because nobody waits for it any
//! more) may have half an answer on the wire: it is never used again. Dropping it closes the
//! socket and waits for nobody; the server notices and undoes what was open.
mod durability;
mod failure;
mod script;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlRow, MySqlSslMode};
use sqlx::{Column, ConnectOptions, Executor, Row, TypeInfo};
use tokio::time::Instant;

use self::failure::{Failure, within};
use self::script::Script;
use super::connection::outcomes;
use super::{Columns, Connection, Database, Dialect, MYSQL, Outcome, Step, StoreError, out_of_range};

pub use self::durability::check_durability;

/// A row lock is waited for at most this long: shorter than callers wait for an answer.
const LOCK_WAIT_SECONDS_MAX: u64 = 3;

/// The server closes a connection that nobody used for this long. Short, so that the locks of a
/// gateway whose machine has died are soon gone.
const IDLE_SECONDS_MAX: u64 = 60;

/// After half of that it is made anew rather than used: the server could close it just then.
const IDLE_MAX: Duration = Duration::from_secs(IDLE_SECONDS_MAX / 2);

/// For schema changes and for each row of a scan: they may have to read a whole table first.
const SLOW_TIMEOUT: Duration = Duration::from_mins(10);

/// How long a schema change waits for another program's.
const SCHEMA_WAIT_SECONDS: u64 = 120;

/// Whether a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// It is not.
    Off,
    /// It is; the server is believed to be who it says.
    Required,
    /// It is, and the server's certificate must name its host and be signed by a known authority.
    Verify {
        /// Authorities besides the public ones, as PEM.
        ca_file: PathBuf,
    },
}

/// One database on a MySQL or MariaDB server.
#[derive(Clone)]
pub struct MysqlDatabase {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password; empty for none.
    pub password: String,
    /// The database's name. It must be there; `migrate` makes the tables in it.
    pub database: String,
    /// Whether connections are encrypted.
    pub tls: Tls,
    /// For making a connection.
    pub connect_timeout: Duration,
    /// For each statement, at least 2 s. A row lock is waited for half as long, at most 3 s, so that the server's
    /// refusal comes before the time-out, which costs the connection.
    pub statement_timeout: Duration,
}

impl fmt::Debug for MysqlDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password: this ends up in logs.
        write!(f, "mysql://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

/// A connection to MySQL or MariaDB.
pub struct MysqlConnection {
    inner: sqlx::MySqlConnection,
    database: MysqlDatabase,
    /// False while a statement runs, and for ever if it is cut off.
    usable: bool,
    /// Whether the server holds something for this very connection: a transaction, a named lock.
    pinned: bool,
    /// When it was used last.
    used: Instant,
}

impl fmt::Debug for MysqlConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, usable, pinned, .. } = self;
        f.debug_struct("MysqlConnection")
            .field("database", database)
            .field("usable", usable)
            .field("pinned", pinned)
            .finish()
    }
}

impl MysqlDatabase {
    fn options(&self) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .username(&self.user)
            .database(&self.database)
            .charset("utf8mb4")
            .collation("utf8mb4_bin")
            // Said in `session` below, together with the rest and in the same round trip.
            .set_names(false)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            // A reader knows three statements on each of up to 64 tables.
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let options = if self.password.is_empty() { options } else { options.password(&self.password) };
        match &self.tls {
            Tls::Off => options.ssl_mode(MySqlSslMode::Disabled),
            Tls::Required => options.ssl_mode(MySqlSslMode::Required),
            Tls::Verify { ca_file } => options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca(ca_file),
        }
    }

    /// What every connection must be told: nothing here may depend on how the server is set up.
    fn session(&self) -> String {
        let lock_wait = (self.statement_timeout.as_secs() / 2).clamp(1, LOCK_WAIT_SECONDS_MAX);
        format!(
            "SET NAMES utf8mb4 COLLATE utf8mb4_bin;
             SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
             SET SESSION autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
                 innodb_lock_wait_timeout = {lock_wait}, wait_timeout = {IDLE_SECONDS_MAX}"
        )
    }

    async fn dial(&self) -> Result<sqlx::MySqlConnection, sqlx::Error> {
        let mut connection = self.options().connect().await?;
        connection.execute(&*self.session()).await?;
        Ok(connection)
    }
}

impl Database for MysqlDatabase {
    type Connection = MysqlConnection;

    const DIALECT: Dialect = MYSQL;

    async fn connect(&self) -> Result<MysqlConnection, StoreError> {
        let inner = within(self.connect_timeout, &mut true, self.dial()).await?;
        Ok(MysqlConnection { inner, database: self.clone(), usable: true, pinned: false, used: Instant::now() })
    }
}

impl MysqlConnection {
    /// Runs statements without a bound value.
    async fn send(&mut self, text: &str, timeout: Duration) -> Result<(), Failure> {
        within(timeout, &mut self.usable, self.inner.execute(text)).await.map(drop)
    }

    async fn query(&mut self, sql: &str, json: &str, timeout: Duration) -> Result<Vec<MySqlRow>, Failure> {
        within(timeout, &mut self.usable, self.inner.fetch_all(prepared(sql, json))).await
    }

    /// MySQL would commit an open transaction without a word.
    fn require_unpinned(&self) -> Result<(), StoreError> {
        if self.pinned {
            return Err(StoreError::Away("the connection has a transaction already".to_owned()));
        }
        Ok(())
    }

    async fn open(&mut self, text: &str) -> Result<(), StoreError> {
        self.require_unpinned()?;
        self.freshen().await?;
        let timeout = self.database.statement_timeout;
        if let Err(failure) = self.send(text, timeout).await {
            self.replace_closed(failure).await?;
            self.send(text, timeout).await?;
        }
        self.pinned = true;
        Ok(())
    }

    async fn end_with(&mut self, text: &str) -> Result<(), StoreError> {
        self.send(text, self.database.statement_timeout).await?;
        self.pinned = false;
        Ok(())
    }

    /// Makes the connection anew when it was idle for long.
    async fn freshen(&mut self) -> Result<(), StoreError> {
        if !self.pinned && self.used.elapsed() > IDLE_MAX {
            *self = self.database.connect().await?;
        }
        self.used = Instant::now();
        Ok(())
    }

    /// Makes the connection anew when the server closed it while nobody used it: whatever was
    /// sent was not done. Any other failure is handed back.
    async fn replace_closed(&mut self, failure: Failure) -> Result<(), StoreError> {
        match failure {
            Failure::Closed(why) if !self.pinned => {
                tracing::debug!(database = ?self.database, why, "a connection closed at rest is made anew");
                *self = self.database.connect().await?;
                Ok(())
            }
            failure => Err(failure.into()),
        }
    }

    /// The first statement that the server refuses is the last that it runs.
    async fn run_script(&mut self, script: &Script) -> Result<Vec<Outcome<MySqlRow>>, Failure> {
        if script.is_empty() {
            return Ok(script.outcomes(Vec::new()));
        }
        let results = self.inner.fetch_many(script.text());
        let done = outcomes(results.map_ok(|result| result.map_left(|done| done.rows_affected())));
        let done = within(self.database.statement_timeout, &mut self.usable, done).await?;
        Ok(script.outcomes(done))
    }

    async fn integers(&mut self, sql: &str, timeout: Duration) -> Result<Option<i64>, StoreError> {
        self.query(sql, NOTHING, timeout).await?.first().map_or(Ok(None), |row| row.optional_integer(0))
    }
}

const BEGIN: &str = "START TRANSACTION";

/// The bound value of statements that need none.
const NOTHING: &str = "[]";

/// A statement with its value, which a few statements have no place for and a few several.
fn prepared<'q>(sql: &'q str, json: &'q str) -> sqlx::query::Query<'q, sqlx::MySql, sqlx::mysql::MySqlArguments> {
    sql.matches('?').fold(sqlx::query(sql), |query, _| query.bind(json))
}

impl Connection for MysqlConnection {
    type Row = MySqlRow;

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.open(BEGIN).await
    }

    async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        // The level holds for this transaction alone; under READ COMMITTED each statement would
        // see a moment of its own.
        let text = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
                    START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        self.open(text).await
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.end_with("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.end_with("ROLLBACK").await
    }

    async fn begin_schema_change(&mut self) -> Result<(), StoreError> {
        // MySQL commits at each schema change, so a transaction holds nobody back; a named lock
        // does, and the server lets go of it when the connection ends, however it ends.
        let sql = format!("SELECT GET_LOCK({SCHEMA_LOCK}, {SCHEMA_WAIT_SECONDS})");
        match self.integers(&sql, SLOW_TIMEOUT).await? {
            Some(1) => {
                self.pinned = true;
                Ok(())
            }
            _ => Err(StoreError::Away("another program is changing the schema".to_owned())),
        }
    }

    async fn end_schema_change(&mut self) -> Result<(), StoreError> {
        self.integers(&format!("SELECT RELEASE_LOCK({SCHEMA_LOCK})"), SLOW_TIMEOUT).await?;
        self.pinned = false;
        Ok(())
    }

    async fn execute(&mut self, sql: &str, json: &str) -> Result<u64, StoreError> {
        self.freshen().await?;
        let done = self.inner.execute(prepared(sql, json));
        Ok(within(self.database.statement_timeout, &mut self.usable, done).await?.rows_affected())
    }

    async fn rows(&mut self, sql: &str, json: &str) -> Result<Vec<MySqlRow>, StoreError> {
        self.freshen().await?;
        let timeout = self.database.statement_timeout;
        match self.query(sql, json, timeout).await {
            Ok(rows) => Ok(rows),
            Err(failure) => {
                self.replace_closed(failure).await?;
                Ok(self.query(sql, json, timeout).await?)
            }
        }
    }

    async fn begin_with(&mut self, steps: &[Step<'_>]) -> Result<Vec<Outcome<MySqlRow>>, StoreError> {
        self.require_unpinned()?;
        self.freshen().await?;
        let script = Script::new(Some(BEGIN), steps);
        let mut done = self.run_script(&script).await;
        if let Err(failure @ Failure::Closed(_)) = done {
            self.replace_closed(failure).await?;
            done = self.run_script(&script).await;
        }
        // Also where a statement was refused.
        self.pinned = true;
        Ok(done?)
    }

    async fn run_all(&mut self, steps: &[Step<'_>]) -> Result<Vec<Outcome<MySqlRow>>, StoreError> {
        self.freshen().await?;
        Ok(self.run_script(&Script::new(None, steps)).await?)
    }

    async fn scan(
        &mut self,
        sql: &str,
        json: &str,
        mut each: impl FnMut(&MySqlRow) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        let mut rows = self.inner.fetch(prepared(sql, json));
        while let Some(row) = within(SLOW_TIMEOUT, &mut self.usable, rows.try_next()).await? {
            // Left half-way, the rest of the answer would still be on the wire.
            self.usable = false;
            each(&row)?;
            self.usable = true;
        }
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.send(sql, SLOW_TIMEOUT).await?)
    }
}

/// A name of at most 64 characters, which is all that MySQL takes.
const SCHEMA_LOCK: &str = "LEFT(CONCAT('drawbridge_migrate_', DATABASE()), 64)";

impl Columns for MySqlRow {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        self.optional_integer(index)?.ok_or_else(|| out_of_range(index))
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        // As bytes: sqlx takes a text whose collation is `utf8mb4_bin` for binary.
        let bytes = self.try_get::<&[u8], _>(index).map_err(decoding)?;
        std::str::from_utf8(bytes).map_err(|_| out_of_range(index))
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError> {
        let column = self.try_column(index).map_err(decoding)?;
        if column.type_info().name().ends_with("UNSIGNED") {
            let number = self.try_get::<Option<u64>, _>(index).map_err(decoding)?;
            return number.map(|number| i64::try_from(number).map_err(|_| out_of_range(index))).transpose();
        }
        self.try_get(index).map_err(decoding)
    }
}

fn decoding(error: sqlx::Error) -> StoreError {
    Failure::from(error).into()
}
