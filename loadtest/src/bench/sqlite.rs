//! How many draws this machine can commit in `SQLite` as rows of calls and orders: the limit of
//! draws.
//!
//! Two files with one writer each, like two shards of the gateway. The writers make rows and insert
//! them, and do nothing else.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::bench::orders::{DrawRow, DrawTable, InsertWay, RowSource, Stopwatch};
use crate::error::Error;

const FILES: u16 = 2;

const TABLES: &str = "CREATE TABLE calls (
    user_id TEXT NOT NULL, request_id TEXT NOT NULL, kind INTEGER NOT NULL,
    activity_id INTEGER NOT NULL, asked INTEGER NOT NULL, first_id INTEGER NOT NULL,
    made INTEGER NOT NULL, created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, request_id)) WITHOUT ROWID;
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, activity_id INTEGER NOT NULL,
    version INTEGER NOT NULL, ordinal INTEGER NOT NULL, day INTEGER NOT NULL,
    award_id INTEGER NOT NULL, award_title TEXT NOT NULL, award_index INTEGER NOT NULL,
    rule TEXT NOT NULL, stocked INTEGER NOT NULL, promise INTEGER NOT NULL,
    points INTEGER NOT NULL, award_config TEXT NOT NULL)";

/// Inserts into new files in `folder` for `seconds`. Returns the draws per second.
pub(super) fn measure(folder: &Path, way: InsertWay, seconds: u64) -> Result<f64, Error> {
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

async fn fill(
    path: PathBuf,
    number: u16,
    way: InsertWay,
    seconds: u64,
) -> Result<f64, sqlx::Error> {
    let mut connection = open(&path).await?;
    let sql = DrawTable::ALL.map(|table| statement(table, way));
    let mut source = RowSource::new(number);
    // The first batch is not measured: it prepares the statement and makes the first pages.
    insert(&mut connection, &sql, way, &source.batch()).await?;
    let mut watch = Stopwatch::start(seconds);
    while watch.runs() {
        insert(&mut connection, &sql, way, &source.batch()).await?;
        watch.count_batch();
    }
    let rate = watch.inserted_per_second();
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
    connection.execute(TABLES).await?;
    Ok(connection)
}

fn statement(table: DrawTable, way: InsertWay) -> String {
    let name = match table {
        DrawTable::Calls => "calls",
        DrawTable::Orders => "orders",
    };
    match way {
        InsertWay::Values => format!("INSERT INTO {name} VALUES {}", table.placeholders()),
        InsertWay::Json => {
            let fields: Vec<_> = (0..table.columns())
                .map(|n| format!("value->>{n}"))
                .collect();
            format!(
                "INSERT INTO {name} SELECT {} FROM json_each(?1)",
                fields.join(",")
            )
        }
    }
}

/// One transaction.
async fn insert(
    connection: &mut SqliteConnection,
    sql: &[String; 2],
    way: InsertWay,
    batch: &[DrawRow],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for (table, sql) in DrawTable::ALL.into_iter().zip(sql) {
        let query = match way {
            InsertWay::Values => sqlx::query_with(sql, table.fields::<sqlx::Sqlite>(batch)?),
            InsertWay::Json => sqlx::query(sql).bind(table.json(batch)),
        };
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ways_store_the_same_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let batch = RowSource::new(1).batch();
        let mut stored = Vec::new();
        for way in [InsertWay::Values, InsertWay::Json] {
            let path = folder.path().join(format!("{way:?}"));
            let mut connection = open(&path).await.expect("opened");
            insert(
                &mut connection,
                &DrawTable::ALL.map(|table| statement(table, way)),
                way,
                &batch,
            )
            .await
            .expect("inserted");
            let all = "SELECT count(*), group_concat(typeof(order_id) || order_id || user_id || typeof(stocked)
                || stocked || request_id || award_title || rule || created_at_ms || day || award_index)
                FROM orders JOIN calls USING (user_id) WHERE first_id = order_id";
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
