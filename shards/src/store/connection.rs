//! One database connection, whatever the database: what the statement files are run on.
//!
//! A statement is a fixed text that takes at most one value, a JSON document with all its rows, so
//! any number of rows is one statement. What writes the rows of a batch gets them as they are, and
//! the database takes them in its cheapest way. The dialects differ in their texts only; all Rust
//! above this trait is written once.
use std::future::Future;

use futures_util::{Stream, TryStreamExt};
use serde::Serialize;
use sqlx::Either;

/// What went wrong with a statement, by what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A row with this key is there already, or a row to be changed is not: somebody else was
    /// faster. The transaction must be undone and planned again.
    #[error("a row was changed by somebody else: {0}")]
    Conflict(String),
    /// A row is locked by somebody else, and was not waited for or waited for in vain. The
    /// transaction must be undone; [`super::ShardStore::held`] says whose rows these are.
    #[error("a row is locked by somebody else: {0}")]
    Held(String),
    /// The stock was rebuilt since the batch's units were granted: they cannot be issued any more.
    #[error("units were granted under an epoch that has passed: {0}")]
    Fenced(String),
    /// The database refuses what a row says. Trying again does not help.
    #[error("the database refuses the data: {0}")]
    Data(String),
    /// The database cannot be reached or does not answer as it should.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
}

/// Reads the columns of a row by their place.
pub trait Columns {
    /// The integer in column `index`.
    fn integer(&self, index: usize) -> Result<i64, StoreError>;
    /// The text in column `index`.
    fn text(&self, index: usize) -> Result<&str, StoreError>;
    /// The integer in column `index`, or `None` for NULL.
    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError>;

    /// The number in column `index` as a narrower type.
    fn number<T: TryFrom<i64>>(&self, index: usize) -> Result<T, StoreError> {
        T::try_from(self.integer(index)?).map_err(|_| out_of_range(index))
    }
}

/// The error for a stored value that the program cannot have written.
pub fn out_of_range(index: usize) -> StoreError {
    StoreError::Data(format!("column {index} holds a value out of its range"))
}

/// A field of a row to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value<'a> {
    /// A integer.
    Integer(i64),
    /// A text.
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
    /// When it is not as wide as the first one.
    pub fn push<const WIDTH: usize>(&mut self, row: [Value<'a>; WIDTH]) {
        assert!(
            WIDTH > 0 && (self.width == WIDTH || self.fields.is_empty()),
            "rows of one statement are alike"
        );
        self.width = WIDTH;
        self.fields.extend(row);
    }

    /// Fields in each row; 0 while there is none.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows, one after the other.
    pub fn by_row(&self) -> std::slice::ChunksExact<'_, Value<'a>> {
        self.fields.chunks_exact(self.width.max(1))
    }
}

/// What a statement works on.
#[derive(Debug)]
pub enum Input<'a> {
    /// A JSON document with all its rows.
    Json(String),
    /// Rows to be written, in whatever way the database takes them most cheaply.
    Rows(Rows<'a>),
    /// Nothing: the statement has no place for a value, and always runs.
    Nothing,
}

/// How many rows a statement must have written. Each is judged by itself: a sum over several would
/// let the miss of one hide behind what another did too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It does not write, or however many it wrote is right.
    Any,
    /// So many.
    Rows(usize),
    /// So many that were there and that it changed.
    Changed(usize),
    /// So many, each of which it added or changed.
    AddedOrChanged(usize),
}

impl Expected {
    /// Whether `touched`, as the database counts, is what was expected.
    pub fn is_met(self, touched: u64, changed_row_count: u64) -> bool {
        match self {
            Expected::Any => true,
            Expected::Rows(rows) => touched == rows as u64,
            Expected::Changed(rows) => touched == rows as u64 * changed_row_count,
            Expected::AddedOrChanged(rows) => {
                (rows as u64..=rows as u64 * changed_row_count).contains(&touched)
            }
        }
    }
}

/// One statement of several that run in one go.
#[derive(Debug)]
pub struct Step<'a> {
    /// Its text: exactly one statement.
    pub sql: &'a str,
    /// What it works on.
    pub input: Input<'a>,
    /// What it must have done, for [`check_all`] to look at.
    pub expected: Expected,
}

impl<'a> Step<'a> {
    /// A statement that reads.
    pub fn read(sql: &'a str, input: Input<'a>) -> Self {
        Self {
            sql,
            input,
            expected: Expected::Any,
        }
    }
}

/// Whether each statement wrote what it was expected to: a row that was there already, or that was
/// not, says that somebody else was faster.
pub fn check_all<R>(
    steps: &[Step<'_>],
    outcomes: &[Outcome<R>],
    changed_row_count: u64,
) -> Result<(), StoreError> {
    for (place, (step, outcome)) in steps.iter().zip(outcomes).enumerate() {
        let Outcome { touched, .. } = outcome;
        if !step.expected.is_met(*touched, changed_row_count) {
            let expected = step.expected;
            return Err(StoreError::Conflict(format!(
                "statement {place} wrote {touched} rows, expected {expected:?}"
            )));
        }
    }
    Ok(())
}

/// What one statement of several did.
#[derive(Debug)]
pub struct Outcome<R> {
    /// The rows that it found.
    pub rows: Vec<R>,
    /// How many it wrote, where one that an upsert changed counts as
    /// [`super::Dialect::changed_row_count`].
    pub touched: u64,
}

impl<R> Default for Outcome<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            touched: 0,
        }
    }
}

/// Collects what each statement of a text did, out of its rows and the counts that end them.
pub(super) async fn outcomes<R>(
    mut results: impl Stream<Item = Result<Either<u64, R>, sqlx::Error>> + Unpin,
) -> Result<Vec<Outcome<R>>, sqlx::Error> {
    let (mut ended, mut rows) = (Vec::new(), Vec::new());
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Right(row) => rows.push(row),
            Either::Left(touched) => ended.push(Outcome {
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
    /// Starts a read-only transaction: all its statements see one moment.
    fn begin_snapshot(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Ends the transaction. After an error it is unknown whether it has landed.
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Undoes the transaction.
    fn rollback(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Waits until no other program changes the schema, and keeps others from it until
    /// [`Connection::end_schema_change`] or until the connection is gone. What was run in between
    /// may stay half done then, where the database has no transactions for schema changes.
    fn begin_schema_change(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Keeps what was changed and lets others have their turn.
    fn end_schema_change(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Runs a statement; answers how many rows it touched.
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
    /// Runs a query outside of any transaction, which sees what others have not committed yet.
    fn rows_uncommitted(
        &mut self,
        sql: &str,
        json: &str,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
    /// Starts a transaction that may write and runs statements in it, in one round trip where the
    /// database can.
    fn begin_with(
        &mut self,
        steps: &[Step<'_>],
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Row>>, StoreError>> + Send;
    /// Runs statements, in one round trip where the database can.
    fn run_all(
        &mut self,
        steps: &[Step<'_>],
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Row>>, StoreError>> + Send;
    /// Runs a query and hands its rows over one by one, so that a result of any size needs
    /// little memory.
    fn scan(
        &mut self,
        sql: &str,
        json: &str,
        each: impl FnMut(&Self::Row) -> Result<(), StoreError> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Runs statements without a bound value, separated by semicolons: schema changes.
    fn run(&mut self, sql: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Asks whether the database is still one that may be written to. Where it has moved, its old
    /// server is read-only and may miss what the new one has.
    fn may_still_write(&mut self) -> impl Future<Output = Result<bool, StoreError>> + Send {
        std::future::ready(Ok(true))
    }
}

/// Where connections to one database come from.
pub trait Database: Clone + Send + Sync + 'static {
    /// Its connections.
    type Connection: Connection + 'static;

    /// The texts of its dialect.
    const DIALECT: super::Dialect;

    /// Whether a connection is worth keeping while nobody needs one. An open file keeps others
    /// beside it that only its last user removes.
    const KEEPS_IDLE: bool = true;

    /// Opens a new connection, which may write.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;

    /// Opens one for reading. It leads to a server that may not be written to, such as a replica,
    /// only while no other answers.
    fn connect_for_reads(
        &self,
    ) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send {
        self.connect()
    }
}
