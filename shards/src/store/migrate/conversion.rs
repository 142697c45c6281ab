//! The conversion of orders from before there were calls: writes their calls.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::store::tables::calls::CallStatements;
use crate::store::{Columns, Connection, Dialect, StoreError};

/// What became of a step towards the next version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConversionStep {
    /// The version is reached.
    Done,
    /// There is more to do. What was done stays done.
    More,
}

/// Calls that one step writes: a fraction of a second.
pub(super) const PAGE: usize = 5_000;

/// How often the progress of a conversion is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Counts that only grow, to be read while shards are migrated.
#[derive(Debug, Default)]
pub struct ConversionProgress {
    tables: AtomicU64,
    tables_done: AtomicU64,
    calls: AtomicU64,
}

impl ConversionProgress {
    /// Tables of orders that are, or were, to be converted. Each shard adds its own when it comes
    /// to it.
    pub fn tables(&self) -> u64 {
        self.tables.load(Ordering::Relaxed)
    }

    /// Tables of orders that were converted.
    pub fn tables_done(&self) -> u64 {
        self.tables_done.load(Ordering::Relaxed)
    }

    /// Calls that were written.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Writes calls page by page, in the order of their key. It continues behind the last stored call,
/// so it can be interrupted at any time.
pub(super) struct Conversion<'p> {
    tables: Vec<CallStatements>,
    /// The table that is being converted.
    table: usize,
    begun: bool,
    /// Calls that were written so far.
    calls: u64,
    logged_at: Instant,
    progress: &'p ConversionProgress,
}

impl<'p> Conversion<'p> {
    pub(super) fn of(dialect: &Dialect, tables: u16, progress: &'p ConversionProgress) -> Self {
        Self {
            tables: (0..tables)
                .map(|table| paged(dialect, table, PAGE))
                .collect(),
            table: 0,
            begun: false,
            calls: 0,
            logged_at: Instant::now(),
            progress,
        }
    }

    pub(super) fn tables(&self) -> u16 {
        u16::try_from(self.tables.len()).expect("made of so many")
    }

    /// Writes the next page.
    pub(super) async fn step<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> Result<ConversionStep, StoreError> {
        if !self.begun {
            self.begun = true;
            let tables = self.tables.len() as u64;
            self.progress.tables.fetch_add(tables, Ordering::Relaxed);
        }
        let Some(sql) = self.tables.get(self.table) else {
            return Ok(ConversionStep::Done);
        };
        let written = write_page(connection, sql).await?;
        self.calls += written;
        self.progress.calls.fetch_add(written, Ordering::Relaxed);
        let over = written < PAGE as u64;
        if over {
            self.table += 1;
            self.progress.tables_done.fetch_add(1, Ordering::Relaxed);
        }
        self.log(over);
        Ok(ConversionStep::More)
    }

    /// Logs the progress at intervals, and at the end.
    fn log(&mut self, table_over: bool) {
        let over = table_over && self.table == self.tables.len();
        if self.calls > 0 && (over || self.logged_at.elapsed() >= LOG_INTERVAL) {
            self.logged_at = Instant::now();
            let (table, of) = (self.table, self.tables.len());
            tracing::info!(
                calls = self.calls,
                tables = format!("{table} of {of}"),
                "converting orders of the version before"
            );
        }
    }
}

/// The statements on the calls of a table, in pages of `page` rows.
pub(in crate::store) fn paged(dialect: &Dialect, table: u16, page: usize) -> CallStatements {
    let mut sql = CallStatements::of(dialect, table);
    sql.convert = sql.convert.replace("{rows_max}", &page.to_string());
    sql
}

/// Writes the calls that come behind the last one. Returns how many there were.
pub(in crate::store) async fn write_page<C: Connection>(
    connection: &mut C,
    sql: &CallStatements,
) -> Result<u64, StoreError> {
    let last = connection.rows(&sql.last, "[]").await?;
    let behind = match last.first() {
        Some(row) => [row.text(0)?.to_owned(), row.text(1)?.to_owned()],
        None => Default::default(),
    };
    let behind = serde_json::to_string(&behind).expect("plain values");
    connection.execute(&sql.convert, &behind).await
}
