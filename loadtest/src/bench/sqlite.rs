//! How many order rows this machine can commit in `SQLite`: the limit of draws.
//!
//! Two files with one writer each, like two shards of the gateway. The writers make rows and insert
//! them, and do nothing else.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::bench::orders::{COLUMNS, OrderRow, Source, Stopwatch, Way, fields, json, placeholders};
use crate::error::Error;

const FILES: u16 = 2;

const TABLE: &str = "CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, request_id TEXT NOT NULL,
    activity_id INTEGER NOT NULL, version INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    day INTEGER NOT NULL, award_id INTEGER NOT NULL, award_title TEXT NOT NULL,
    award_index INTEGER NOT NULL, rule TEXT NOT NULL, stocked INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL, seq INTEGER NOT NULL, asked INTEGER NOT NULL,
    UNIQUE (user_id, request_id, seq))";

/// Inserts for that many seconds into new files in `folder`. Returns the rows per second.
pub(super) fn measure(folder: &Path, way: Way, seconds: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("runtime", e))?;
    runtime.block_on(async {
        let tasks: Vec<_> = (0..FILES)
            .map(|file| tokio::spawn(fill(folder.join(format!("{file}.db")), file, way, seconds)))
            .collect();
        let mut sum = 0.0;
        for task in tasks {
            sum += task.await.map_err(|e| Error::io("a writer", e.into()))??;
        }
        Ok(sum)
    })
}

async fn fill(path: PathBuf, number: u16, way: Way, seconds: u64) -> Result<f64, sqlx::Error> {
    let mut connection = open(&path).await?;
    let sql = statement(way);
    let mut source = Source::new(number);
    // The first batch is not measured: it prepares the statement and makes the first pages.
    insert(&mut connection, &sql, way, &source.batch()).await?;
    let mut watch = Stopwatch::start(seconds);
    while watch.runs() {
        insert(&mut connection, &sql, way, &source.batch()).await?;
        watch.count_batch();
    }
    let rate = watch.rows_per_second();
    connection.close().await?;
    Ok(rate)
}

async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await?;
    connection.execute(TABLE).await?;
    Ok(connection)
}

fn statement(way: Way) -> String {
    match way {
        Way::Values => format!("INSERT INTO orders VALUES {}", placeholders()),
        Way::Json => {
            let fields: Vec<_> = (0..COLUMNS).map(|n| format!("value->>{n}")).collect();
            format!(
                "INSERT INTO orders SELECT {} FROM json_each(?1)",
                fields.join(",")
            )
        }
    }
}

/// A single statement is a transaction: BEGIN and COMMIT would add two trips to the writer's thread.
async fn insert(
    connection: &mut SqliteConnection,
    sql: &str,
    way: Way,
    batch: &[OrderRow],
) -> Result<(), sqlx::Error> {
    let query = match way {
        Way::Values => sqlx::query_with(sql, fields::<sqlx::Sqlite>(batch)?),
        Way::Json => sqlx::query(sql).bind(json(batch)),
    };
    query.execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ways_store_the_same_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let batch = Source::new(1).batch();
        let mut stored = Vec::new();
        for way in [Way::Values, Way::Json] {
            let path = folder.path().join(format!("{way:?}"));
            let mut connection = open(&path).await.expect("opened");
            insert(&mut connection, &statement(way), way, &batch)
                .await
                .expect("inserted");
            let all = "SELECT count(*), group_concat(typeof(order_id) || order_id || user_id || typeof(stocked)
                || stocked || request_id || award_title || rule || created_at_ms || day || award_index) FROM orders";
            let row: (i64, String) = sqlx::query_as(all)
                .fetch_one(&mut connection)
                .await
                .expect("read");
            stored.push(row);
        }
        assert_eq!(stored[0].0, 256);
        assert_eq!(stored[0], stored[1]);
    }
}
