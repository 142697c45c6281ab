//! How many order rows this machine can commit in `SQLite`: the limit of what draws can store.
//!
//! Two files with one writer each, like two shards of the gateway; nothing around the inserts but
//! the making of the rows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::error::Error;
use crate::prng::SplitMix64;

const FILES: u64 = 2;
const USERS: u64 = 1_000_000;

/// Rows of one transaction, and with 13 columns 3,328 parameters, a tenth of what `SQLite` allows.
const ROWS: usize = 256;

const TABLE: &str = "CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, request_id TEXT NOT NULL,
    activity_id INTEGER NOT NULL, version INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    day INTEGER NOT NULL, award_id INTEGER NOT NULL, award_title TEXT NOT NULL,
    award_index INTEGER NOT NULL, rule TEXT NOT NULL, stocked INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL, UNIQUE (user_id, request_id))";

/// How a batch reaches the table. Which is faster depends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// One statement with a parameter for each field.
    Values,
    /// One parameter, a JSON list, which `SQLite` takes apart.
    Json,
}

/// Inserts for that many seconds into fresh files in `folder`; the answer is rows per second.
pub(crate) fn measure(folder: &Path, way: Way, seconds: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("runtime", e))?;
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..FILES).map(|file| tokio::spawn(fill(folder.join(format!("{file}.db")), file, way, seconds))).collect();
        let mut sum = 0.0;
        for task in tasks {
            sum += task.await.map_err(|e| Error::io("a writer", e.into()))??;
        }
        Ok(sum)
    })
}

async fn fill(path: PathBuf, seed: u64, way: Way, seconds: u64) -> Result<f64, sqlx::Error> {
    let mut connection = open(&path).await?;
    let sql = statement(way);
    let mut source = Source::new(seed);
    // The first batch prepares the statement and makes the first pages: not measured.
    insert(&mut connection, &sql, way, &source.batch()).await?;
    let start = Instant::now();
    let mut batches = 0_u32;
    while start.elapsed() < Duration::from_secs(seconds) {
        insert(&mut connection, &sql, way, &source.batch()).await?;
        batches += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(f64::from(batches) * 256.0 / elapsed)
}

const _: () = assert!(ROWS == 256, "the rate above counts 256 rows a batch");

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
    const COLUMNS: usize = 13;
    match way {
        Way::Values => {
            let row = format!("({})", vec!["?"; COLUMNS].join(","));
            format!("INSERT INTO orders VALUES {}", vec![row; ROWS].join(","))
        }
        Way::Json => {
            let fields: Vec<_> = (0..COLUMNS).map(|n| format!("value->>{n}")).collect();
            format!("INSERT INTO orders SELECT {} FROM json_each(?1)", fields.join(","))
        }
    }
}

/// A lone statement is a transaction: BEGIN and COMMIT would add two trips to the writer's thread.
async fn insert(connection: &mut SqliteConnection, sql: &str, way: Way, batch: &[Order]) -> Result<(), sqlx::Error> {
    let query = match way {
        Way::Values => batch.iter().fold(sqlx::query(sql), |query, order| {
            query
                .bind(order.id)
                .bind(&*order.user)
                .bind(&*order.key)
                .bind(ACTIVITY)
                .bind(1_i64)
                .bind(1_i64)
                .bind(DAY)
                .bind(order.award)
                .bind(TITLE)
                .bind(order.award)
                .bind(RULE)
                .bind(true)
                .bind(order.created_at_ms)
        }),
        Way::Json => sqlx::query(sql).bind(json(batch)),
    };
    query.execute(connection).await.map(drop)
}

const ACTIVITY: i64 = 200_001;
const DAY: i64 = 20_000;
const TITLE: &str = "Random points";
const RULE: &str = "none";

fn json(batch: &[Order]) -> String {
    let mut text = String::with_capacity(ROWS * 160);
    for order in batch {
        text.push(if text.is_empty() { '[' } else { ',' });
        let Order { id, user, key, award, created_at_ms } = order;
        // Writing to a String cannot fail; no field holds what JSON would have escaped.
        let _ = write!(
            text,
            r#"[{id},"{user}","{key}",{ACTIVITY},1,1,{DAY},{award},"{TITLE}",{award},"{RULE}",1,{created_at_ms}]"#
        );
    }
    text.push(']');
    text
}

/// The fields that differ between orders.
#[derive(Debug)]
struct Order {
    id: i64,
    user: String,
    key: String,
    award: i64,
    created_at_ms: i64,
}

/// Makes orders as they come: ids that grow with time, users and keys in no order at all.
struct Source {
    random: SplitMix64,
    next_id: i64,
    created_at_ms: i64,
}

impl Source {
    fn new(seed: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            random: SplitMix64::new(seed),
            next_id: 7_000_000_000_000_000_000,
            created_at_ms: i64::try_from(now.as_millis()).unwrap_or_default(),
        }
    }

    fn batch(&mut self) -> Vec<Order> {
        (0..ROWS).map(|_| self.order()).collect()
    }

    fn order(&mut self) -> Order {
        self.next_id += 1;
        let key = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        let user = self.random.below(USERS);
        Order {
            id: self.next_id,
            user: format!("u{user}"),
            key: format!("{:024x}", key >> 32),
            award: i64::try_from(self.random.below(9)).unwrap_or_default(),
            created_at_ms: self.created_at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ways_store_the_same_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let batch = Source::new(1).batch();
        assert!(batch.iter().all(|order| order.key.len() == 24));
        let mut stored = Vec::new();
        for way in [Way::Values, Way::Json] {
            let path = folder.path().join(format!("{way:?}"));
            let mut connection = open(&path).await.expect("opened");
            insert(&mut connection, &statement(way), way, &batch).await.expect("inserted");
            let all = "SELECT count(*), group_concat(typeof(order_id) || order_id || user_id || typeof(stocked)
                || stocked || request_id || award_title || rule || created_at_ms || day || award_index) FROM orders";
            let row: (i64, String) = sqlx::query_as(all).fetch_one(&mut connection).await.expect("read");
            stored.push(row);
        }
        assert_eq!(stored[0].0, 256);
        assert_eq!(stored[0], stored[1]);
    }
}
