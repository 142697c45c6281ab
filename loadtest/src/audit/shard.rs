//! A shard for the auditor: tables of calls and orders, where it looks keys up and counts.
//!
//! Every key is looked up in every table of every shard. The table of the user alone would not show
//! a second order in another one, or an order in a wrong one, and the auditor would have to know
//! which table that is.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::database::Database;
use crate::error::Error;
use crate::keep::Prize;
use crate::target::require_loopback;

/// An order that was found for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The index of the key.
    pub(super) index: usize,
    pub(super) order_id: i64,
    pub(super) award_id: i64,
    pub(super) award_title: String,
    /// Its shard and table.
    pub(super) table: String,
}

impl Found {
    /// What its user should have received.
    pub(super) fn prize(&self) -> Prize {
        let award_title = Some(self.award_title.clone());
        Prize {
            award_id: self.award_id,
            order_id: self.order_id.to_string(),
            award_title,
        }
    }
}

/// The kinds of databases.
enum Store {
    Sqlite(SqliteConnection),
    MySql(MySqlConnection),
}

/// One shard.
pub(super) struct Shard {
    name: String,
    tables: Vec<String>,
    store: Store,
}

/// The name of a table of orders, without its number. Nothing but the number is put into a
/// statement.
const TABLE: &str = "raffle_order_";

/// The ids of a call's orders: the distances from the first one. A call makes at most ten, whose
/// ids are 1,024 apart.
const DISTANCES: &str = "[0,1024,2048,3072,4096,5120,6144,7168,8192,9216]";

// Keys are one JSON list of pairs, so any number of them is one statement and one round trip. A key
// has a call, and that has orders.
const FIND_SQLITE: &str =
    "SELECT j.key, o.order_id, o.award_id, o.award_title FROM json_each(?1) AS j
    CROSS JOIN raffle_call_{table} AS c
        ON c.user_id = j.value ->> 0 AND c.request_id = j.value ->> 1 AND c.kind = 1
    CROSS JOIN json_each('{distances}') AS d ON d.key < c.made
    CROSS JOIN raffle_order_{table} AS o ON o.order_id = c.first_id + d.value AND o.user_id = c.user_id";
// A string of a binary collation would be returned as bytes.
const FIND_MYSQL: &str = "SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, o.order_id, o.award_id,
    CONVERT(o.award_title USING utf8mb4) COLLATE utf8mb4_general_ci
    FROM JSON_TABLE(?, '$[*]' COLUMNS (
        k          FOR ORDINALITY,
        user_id    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        request_id VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
    )) AS j
    JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
        ON c.user_id = j.user_id AND c.request_id = j.request_id AND c.kind = 1
    JOIN JSON_TABLE('{distances}', '$[*]' COLUMNS (n FOR ORDINALITY, distance BIGINT PATH '$')) AS d ON d.n <= c.made
    JOIN raffle_order_{table} AS o FORCE INDEX (PRIMARY)
        ON o.order_id = c.first_id + d.distance AND o.user_id = c.user_id";

/// A range, because LIKE has special characters.
const COUNT_SQLITE: &str = "SELECT count(*) FROM raffle_call_{table} AS c
    CROSS JOIN json_each('{distances}') AS d ON d.key < c.made
    CROSS JOIN raffle_order_{table} AS o ON o.order_id = c.first_id + d.value AND o.user_id = c.user_id
    WHERE c.request_id >= ? AND c.request_id < ? AND c.kind = 1";
const COUNT_MYSQL: &str = "SELECT STRAIGHT_JOIN count(*) FROM raffle_call_{table} AS c
    JOIN JSON_TABLE('{distances}', '$[*]' COLUMNS (n FOR ORDINALITY, distance BIGINT PATH '$')) AS d ON d.n <= c.made
    JOIN raffle_order_{table} AS o FORCE INDEX (PRIMARY)
        ON o.order_id = c.first_id + d.distance AND o.user_id = c.user_id
    WHERE c.request_id >= ? AND c.request_id < ? AND c.kind = 1";

/// A statement on the tables of the number that this name of a table of orders ends with.
fn on(sql: &str, table: &str) -> String {
    sql.replace("{table}", &table[TABLE.len()..])
        .replace("{distances}", DISTANCES)
}

const TABLES_SQLITE: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 13) = ?1";
const TABLES_MYSQL: &str =
    "SELECT CONVERT(table_name USING utf8mb4) COLLATE utf8mb4_general_ci FROM information_schema.tables
    WHERE table_schema = DATABASE() AND LEFT(table_name, 13) = ?";

impl Shard {
    async fn open(name: String, mut store: Store) -> Result<Self, Error> {
        let mut tables: Vec<String> = match &mut store {
            Store::Sqlite(connection) => {
                sqlx::query_scalar(TABLES_SQLITE)
                    .bind(TABLE)
                    .fetch_all(connection)
                    .await?
            }
            Store::MySql(connection) => {
                sqlx::query_scalar(TABLES_MYSQL)
                    .bind(TABLE)
                    .fetch_all(connection)
                    .await?
            }
        };
        tables.retain(|table| {
            table[TABLE.len()..]
                .bytes()
                .all(|byte| byte.is_ascii_digit())
        });
        if tables.is_empty() {
            return Err(Error::CannotRun(format!("{name} has no tables of orders")));
        }
        tables.sort_unstable();
        Ok(Self {
            name,
            tables,
            store,
        })
    }

    /// All orders of the keys, which are a JSON list of pairs of user and request id.
    pub(super) async fn find(&mut self, keys: &str) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for table in &self.tables {
            let rows = match &mut self.store {
                Store::Sqlite(connection) => {
                    let sql = on(FIND_SQLITE, table);
                    let rows = sqlx::query(&sql).bind(keys).fetch_all(connection).await?;
                    rows.iter().map(order_of).collect::<Result<Vec<_>, _>>()?
                }
                Store::MySql(connection) => {
                    let sql = on(FIND_MYSQL, table);
                    let rows = sqlx::query(&sql).bind(keys).fetch_all(connection).await?;
                    rows.iter().map(order_of).collect::<Result<Vec<_>, _>>()?
                }
            };
            for (index, order_id, award_id, award_title) in rows {
                let index = usize::try_from(index).map_err(|_| {
                    Error::CannotRun("a database returned an unknown index".to_owned())
                })?;
                let table = format!("{} {table}", self.name);
                found.push(Found {
                    index,
                    order_id,
                    award_id,
                    award_title,
                    table,
                });
            }
        }
        Ok(found)
    }

    /// How many orders have a call whose request id has this prefix.
    pub(super) async fn count(&mut self, prefix: &str) -> Result<u64, Error> {
        // Greater than all request ids with the prefix: they are ASCII.
        let end = format!("{prefix}\u{7f}");
        let mut sum = 0;
        for table in &self.tables {
            let count: i64 = match &mut self.store {
                Store::Sqlite(connection) => {
                    let sql = on(COUNT_SQLITE, table);
                    sqlx::query_scalar(&sql)
                        .bind(prefix)
                        .bind(&*end)
                        .fetch_one(connection)
                        .await?
                }
                Store::MySql(connection) => {
                    let sql = on(COUNT_MYSQL, table);
                    sqlx::query_scalar(&sql)
                        .bind(prefix)
                        .bind(&*end)
                        .fetch_one(connection)
                        .await?
                }
            };
            sum += u64::try_from(count).unwrap_or_default();
        }
        Ok(sum)
    }
}

fn order_of<'r, R>(row: &'r R) -> Result<(i64, i64, i64, String), sqlx::Error>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    Ok((
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
    ))
}

/// Opens the shard files of a data folder, even while a server uses it.
pub(super) async fn of_folder(folder: &Path) -> Result<Vec<Shard>, Error> {
    let file = |number: usize| folder.join(format!("shard-{number}.sqlite"));
    let shards_max = usize::from(router::SHARDS_MAX);
    let files: Vec<PathBuf> = (0..shards_max)
        .map(file)
        .take_while(|file| file.is_file())
        .collect();
    if files.is_empty() {
        return Err(Error::CannotRun(format!(
            "{} is not a data folder: it has no shard-0.sqlite",
            folder.display()
        )));
    }
    let mut shards = Vec::new();
    for (number, file) in files.into_iter().enumerate() {
        // Not read-only: the files of a killed server have a log, which must be recovered.
        let options = SqliteConnectOptions::new()
            .filename(file)
            .disable_statement_logging();
        let connection = options.connect().await?;
        shards.push(Shard::open(format!("shard {number}"), Store::Sqlite(connection)).await?);
    }
    Ok(shards)
}

/// The shards in `cluster.json`.
#[derive(Debug, Deserialize)]
struct Cluster {
    shards: Vec<Database>,
}

/// Connects to the shards that a `cluster.json` names.
pub(super) async fn of_cluster(path: &Path) -> Result<Vec<Shard>, Error> {
    let failed = |e| Error::io(path.display().to_string(), e);
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let cluster: Cluster = serde_json::from_str(&text).map_err(|e| failed(e.into()))?;
    if cluster.shards.is_empty() {
        return Err(Error::CannotRun(format!(
            "{} names no shard",
            path.display()
        )));
    }
    let mut shards = Vec::new();
    for (number, database) in cluster.shards.iter().enumerate() {
        require_loopback(database.host)
            .map_err(|why| Error::CannotRun(format!("{}: {why}", path.display())))?;
        let connection = database.connect().await?;
        shards.push(Shard::open(format!("shard {number}"), Store::MySql(connection)).await?);
    }
    Ok(shards)
}
