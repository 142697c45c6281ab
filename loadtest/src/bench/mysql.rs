//! How many order rows the databases of a cluster can commit: the limit of draws.
//!
//! Four writers for each server, each with a connection and a table of its own. They make rows and
//! insert them, and do nothing else. The table and the statement are the gateway's own.

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Executor as _};

use crate::bench::orders::{OrderRow, Source, Stopwatch, fields, placeholders};
use crate::database::Database;
use crate::error::Error;

/// Writers for each server: more gained nothing.
const WRITERS: u16 = 4;

const SCHEMA: &str = include_str!("../../../shards/sql/mysql/schema/shard_0001_tables.sql");
/// Statements that change the table of the first version.
const CHANGE: &str = include_str!("../../../shards/sql/mysql/schema/shard_0002_tables.sql");
const INSERT: &str = include_str!("../../../shards/sql/mysql/shard/insert_orders.sql");
const GATEWAYS_NAME: &str = "raffle_order_{table}";

/// Inserts for that many seconds into new tables. Returns the rows per second.
pub(super) fn measure(servers: &[Database], seconds: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("runtime", e))?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for (number, (server, writer)) in (0..).zip(
            servers
                .iter()
                .flat_map(|s| (0..WRITERS).map(move |w| (s, w))),
        ) {
            let table = Table {
                name: format!("loadtest_order_{writer}"),
            };
            tasks.push(tokio::spawn(fill(server.clone(), table, number, seconds)));
        }
        let mut sum = 0.0;
        for task in tasks {
            sum += task.await.map_err(|e| Error::io("a writer", e.into()))??;
        }
        Ok(sum)
    })
}

async fn fill(server: Database, table: Table, number: u16, seconds: u64) -> Result<f64, Error> {
    let mut connection = server.connect().await?;
    require_durable(&mut connection).await?;
    table.create(&mut connection).await?;
    let sql = table.insert();
    let mut source = Source::new(number);
    // The first batch is not measured: it prepares the statement and makes the first pages.
    insert(&mut connection, &sql, &source.batch()).await?;
    let mut watch = Stopwatch::start(seconds);
    while watch.runs() {
        insert(&mut connection, &sql, &source.batch()).await?;
        watch.count_batch();
    }
    let rate = watch.rows_per_second();
    connection
        .execute(&*format!("DROP TABLE {}", table.name))
        .await?;
    connection.close().await?;
    Ok(rate)
}

/// Draws are synced, so a limit without syncs would not be their limit.
async fn require_durable(connection: &mut MySqlConnection) -> Result<(), Error> {
    let sql = "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)";
    let flush: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    if flush == 1 {
        return Ok(());
    }
    Err(Error::CannotRun(format!(
        "innodb_flush_log_at_trx_commit is {flush}: commits are not durable"
    )))
}

/// The table of one writer.
struct Table {
    name: String,
}

impl Table {
    async fn create(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        connection
            .execute(&*format!("DROP TABLE IF EXISTS {}", self.name))
            .await?;
        let create = SCHEMA
            .split(';')
            .find(|statement| statement.contains(GATEWAYS_NAME));
        let create = create.expect("a unit test looks that it is there");
        connection
            .execute(&*create.replace(GATEWAYS_NAME, &self.name))
            .await?;
        connection
            .execute(&*CHANGE.replace(GATEWAYS_NAME, &self.name))
            .await?;
        Ok(())
    }

    fn insert(&self) -> String {
        INSERT
            .replace(GATEWAYS_NAME, &self.name)
            .replace("{rows}", &placeholders())
    }
}

/// A single statement is a transaction.
async fn insert(
    connection: &mut MySqlConnection,
    sql: &str,
    batch: &[OrderRow],
) -> Result<(), sqlx::Error> {
    sqlx::query_with(sql, fields::<sqlx::MySql>(batch)?)
        .execute(connection)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::orders::{COLUMNS, ROWS};

    #[test]
    fn the_gateways_statements_are_as_we_take_them() {
        let create: Vec<&str> = SCHEMA
            .split(';')
            .filter(|statement| statement.contains(GATEWAYS_NAME))
            .collect();
        assert_eq!(create.len(), 1);
        assert_eq!(
            create[0].matches(" NOT NULL").count() + CHANGE.matches(" NOT NULL").count(),
            COLUMNS
        );
        assert!(CHANGE.contains("UNIQUE KEY raffle_order_request (user_id, request_id, seq)"));
        assert!(!CHANGE.replace(GATEWAYS_NAME, "t").contains('{'));
        let table = Table {
            name: "t".to_owned(),
        };
        let insert = table.insert();
        assert!(
            insert.contains("INSERT INTO t (order_id,") && !insert.contains('{'),
            "{insert}"
        );
        assert_eq!(insert.matches('?').count(), ROWS * COLUMNS);
    }
}
