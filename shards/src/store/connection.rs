//! A connection to a database of any kind. The statement files run on it.
//!
//! A statement is a fixed SQL string with at most one bound value, a JSON document with all its
//! rows. So any number of rows is one statement. A statement that writes the rows of a batch gets
//! them as they are, and each database sends them in its cheapest way. Dialects differ in their SQL
//! only: all Rust above this trait is written once.
use std::future::Future;

use futures_util::{Stream, TryStreamExt};
use serde::Serialize;
use sqlx::Either;

/// Why a statement failed, by what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A row with this key exists already, or a row to be changed does not: another transaction was
    /// faster. This one must be rolled back and planned again.
    #[error("a row was changed by another transaction: {0}")]
    Conflict(String),
    /// A row is locked by another transaction, and the wait for it, if there was one, was in vain.
    /// This transaction must be rolled back. [`super::ShardStore::held`] returns whose rows these
    /// are.
    #[error("a row is locked by another transaction: {0}")]
    Held(String),
    /// The stock was rebuilt after the batch's units were granted, so they cannot be issued any
    /// more.
    #[error("units were granted under an epoch that has passed: {0}")]
    Fenced(String),
    /// The database refuses the values of a row. Trying again does not help.
    #[error("the database refuses the data: {0}")]
    Data(String),
    /// The database cannot be reached or does not answer as it should.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
}

/// Reads the columns of a row by index.
pub trait Columns {
    /// The integer in column `index`.
    fn integer(&self, index: usize) -> Result<i64, StoreError>;
    /// The string in column `index`.
    fn text(&self, index: usize) -> Result<&str, StoreError>;
    /// The integer in column `index`, or `None` for NULL.
    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError>;

    /// The number in column `index` as a narrower type.
    fn number<T: TryFrom<i64>>(&self, index: usize) -> Result<T, StoreError> {
        T::try_from(self.integer(index)?).map_err(|_| out_of_range(index))
    }
}

/// The error for a stored value that this program cannot have written.
pub fn out_of_range(index: usize) -> StoreError {
    StoreError::Data(format!("column {index} holds a value out of its range"))
}

/// A field of a row to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value<'a> {
    /// An integer.
    Integer(i64),
    /// A string.
    Text(&'a str),
}

impl From<u8> for Value<'_> {
    fn from(number: u8) -> Self {
        Value::Integer(number.into())
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Integer(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

/// Rows to be written, all with the same number of fields.
#[derive(Debug, Clone, Default)]
pub struct Rows<'a> {
    width: usize,
    fields: Vec<Value<'a>>,
}

impl<'a> Rows<'a> {
    /// Adds a row.
    ///
    /// # Panics
    ///
    /// When the row has another width than the first one.
    pub fn push<const WIDTH: usize>(&mut self, row: [Value<'a>; WIDTH]) {
        assert!(
            WIDTH > 0 && (self.width == WIDTH || self.fields.is_empty()),
            "rows of one statement are alike"
        );
        self.width = WIDTH;
        self.fields.extend(row);
    }

    /// The number of fields in each row; 0 while there is none.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows, one after the other.
    pub fn by_row(&self) -> std::slice::ChunksExact<'_, Value<'a>> {
        self.fields.chunks_exact(self.width.max(1))
    }
}

/// The bound value of a statement.
#[derive(Debug)]
pub enum Input<'a> {
    /// A JSON document with all its rows.
    Json(String),
    /// Rows to be written, sent in the cheapest way for the database.
    Rows(Rows<'a>),
    /// None: the statement has no place for a value, and always runs.
    Nothing,
}

/// How many rows a statement must have written. Each statement is checked by itself: in a sum over
/// several, too many rows of one would hide the missing rows of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedRows {
    /// It does not write, or any number is right.
    Any,
    /// Exactly this many.
    Rows(usize),
    /// Exactly this many existing rows, all of them changed.
    Changed(usize),
    /// Exactly this many rows, each added or changed.
    AddedOrChanged(usize),
}

impl ExpectedRows {
    /// Whether `touched`, as the database counts, is the expected number.
    pub fn is_met(self, touched: u64, changed_row_count: u64) -> bool {
        match self {
            ExpectedRows::Any => true,
            ExpectedRows::Rows(rows) => touched == rows as u64,
            ExpectedRows::Changed(rows) => touched == rows as u64 * changed_row_count,
            ExpectedRows::AddedOrChanged(rows) => {
                (rows as u64..=rows as u64 * changed_row_count).contains(&touched)
            }
        }
    }
}

/// One of several statements that run together.
#[derive(Debug)]
pub struct SqlStep<'a> {
    /// Its SQL: exactly one statement.
    pub sql: &'a str,
    /// Its bound value.
    pub input: Input<'a>,
    /// What it must have written; [`check_all`] compares.
    pub expected: ExpectedRows,
}

impl<'a> SqlStep<'a> {
    /// A statement that reads.
    pub fn read(sql: &'a str, input: Input<'a>) -> Self {
        Self {
            sql,
            input,
            expected: ExpectedRows::Any,
        }
    }
}

/// Checks that each statement wrote the expected rows. A row that existed already, or did not
/// exist, means that another transaction was faster.
pub fn check_all<R>(
    steps: &[SqlStep<'_>],
    outcomes: &[SqlOutcome<R>],
    changed_row_count: u64,
) -> Result<(), StoreError> {
    for (index, (step, outcome)) in steps.iter().zip(outcomes).enumerate() {
        let SqlOutcome { touched, .. } = outcome;
        if !step.expected.is_met(*touched, changed_row_count) {
            let expected = step.expected;
            return Err(StoreError::Conflict(format!(
                "statement {index} wrote {touched} rows, expected {expected:?}"
            )));
        }
    }
    Ok(())
}

/// The result of one of several statements.
#[derive(Debug)]
pub struct SqlOutcome<R> {
    /// The rows that it read.
    pub rows: Vec<R>,
    /// How many rows it wrote. A row that an upsert changed counts as
    /// [`super::Dialect::changed_row_count`].
    pub touched: u64,
}

impl<R> Default for SqlOutcome<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            touched: 0,
        }
    }
}

/// What several queries read, and whether the database still took writes afterwards.
#[derive(Debug)]
pub struct ReadOutcomes<R> {
    /// Of each query.
    pub outcomes: Vec<SqlOutcome<R>>,
    /// As [`Connection::may_still_write`] says.
    pub may_write: bool,
}

/// Collects the outcome of each statement of a script: its rows, and the count that ends them.
pub(super) async fn outcomes<R>(
    mut results: impl Stream<Item = Result<Either<u64, R>, sqlx::Error>> + Unpin,
) -> Result<Vec<SqlOutcome<R>>, sqlx::Error> {
    let (mut ended, mut rows) = (Vec::new(), Vec::new());
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Right(row) => rows.push(row),
            Either::Left(touched) => ended.push(SqlOutcome {
                rows: std::mem::take(&mut rows),
                touched,
            }),
        }
    }
    Ok(ended)
}

/// A connection that can run statements, one after the other.
pub trait Connection: Send + Sized {
    /// A row of a result.
    type Row: Columns + Send;

    /// Starts a transaction that may write.
    fn begin(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Starts a read-only transaction, whose statements all see the same moment.
    fn begin_snapshot(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Commits the transaction. After an error it is unknown whether it is committed.
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Rolls the transaction back.
    fn rollback(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Waits until no other program changes the schema, and blocks others until
    /// [`Connection::end_schema_change`] or until the connection ends. If it ends in between,
    /// changes may stay half done where the database has no transactions for schema changes.
    fn begin_schema_change(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Keeps the changes and lets other programs take their turn.
    fn end_schema_change(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Runs a statement. Returns how many rows it touched.
    fn execute(
        &mut self,
        sql: &str,
        json: &str,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
    /// Runs a query and collects its rows.
    fn rows(
        &mut self,
        sql: &str,
        json: &str,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
    /// Runs a query outside of any transaction. It also sees what is not committed yet.
    fn rows_uncommitted(
        &mut self,
        sql: &str,
        json: &str,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
    /// Starts a transaction that may write and runs statements in it, in one round trip where the
    /// database supports that.
    fn begin_with(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> impl Future<Output = Result<Vec<SqlOutcome<Self::Row>>, StoreError>> + Send;
    /// Runs statements, in one round trip where the database supports that.
    fn run_all(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> impl Future<Output = Result<Vec<SqlOutcome<Self::Row>>, StoreError>> + Send;
    /// Runs queries, in one round trip where the database supports that. Also returns whether the
    /// database still takes writes, as [`Connection::may_still_write`] does, asked after them.
    fn read_all(
        &mut self,
        steps: Vec<SqlStep<'_>>,
    ) -> impl Future<Output = Result<ReadOutcomes<Self::Row>, StoreError>> + Send {
        async move {
            Ok(ReadOutcomes {
                outcomes: self.run_all(&steps).await?,
                may_write: self.may_still_write().await?,
            })
        }
    }
    /// Runs a query and passes its rows on one by one: a result of any size needs little memory.
    fn scan(
        &mut self,
        sql: &str,
        json: &str,
        each: impl FnMut(&Self::Row) -> Result<(), StoreError> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Runs statements without a bound value, separated by semicolons: schema changes.
    fn run(&mut self, sql: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Checks that the database still takes writes. After a failover the old server is read-only,
    /// and may lack what the new one has.
    fn may_still_write(&mut self) -> impl Future<Output = Result<bool, StoreError>> + Send {
        std::future::ready(Ok(true))
    }
}

/// A database, as the source of its connections.
pub trait Database: Clone + Send + Sync + 'static {
    /// Its connections.
    type Connection: Connection + 'static;

    /// The SQL of its dialect.
    const DIALECT: super::Dialect;

    /// Whether idle connections are worth keeping. An open SQLite file has side files that only its
    /// last user removes.
    const KEEPS_IDLE: bool = true;

    /// Opens a new connection, which may write.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;

    /// Opens one for reading. It may lead to a read-only server, such as a replica, but only while
    /// no other answers.
    fn connect_for_reads(
        &self,
    ) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send {
        self.connect()
    }
}
