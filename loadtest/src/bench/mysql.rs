//! How many draws the databases of a cluster can commit as rows of calls and orders: the limit of
//! draws.
//!
//! Four writers for each server, each with a connection and tables of its own. They make rows and
//! insert them, and do nothing else. The tables and the statements are the gateway's own.

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Executor as _};

use crate::bench::orders::{DrawRow, DrawTable, RowSource, Stopwatch};
use crate::database::Database;
use crate::error::Error;

/// Writers for each server: more gained nothing.
const WRITERS: u16 = 4;

/// The statements that make the tables in their present form.
const SCHEMA: [&str; 5] = [
    include_str!("../../../shards/sql/mysql/schema/shard_0001_tables.sql"),
    include_str!("../../../shards/sql/mysql/schema/shard_0002_tables.sql"),
    include_str!("../../../shards/sql/mysql/schema/shard_0006_tables.sql"),
    include_str!("../../../shards/sql/mysql/schema/shard_0008_tables.sql"),
    include_str!("../../../shards/sql/mysql/schema/shard_0010_tables.sql"),
];
/// The tables that this makes.
const NAMES: [&str; 7] = [
    "raffle_account_{table}",
    "raffle_order_{table}",
    "raffle_call_{table}",
    "recharge_order_{table}",
    "points_account_{table}",
    "points_entry_{table}",
    "sign_in_{table}",
];
const INSERT_CALLS: &str = include_str!("../../../shards/sql/mysql/calls/insert.sql");
const INSERT_ORDERS: &str = include_str!("../../../shards/sql/mysql/orders/insert.sql");

/// Inserts into new tables for `seconds`. Returns the draws per second.
pub(super) fn measure(servers: &[Database], seconds: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("runtime", e))?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for (number, (server, writer)) in (0..).zip(
            servers
                .iter()
                .flat_map(|s| (0..WRITERS).map(move |w| (s, w))),
        ) {
            let tables = WriterTables::of(writer);
            tasks.push(tokio::spawn(fill(server.clone(), tables, number, seconds)));
        }
        let mut sum = 0.0;
        for task in tasks {
            sum += task.await.map_err(|e| Error::io("a writer", e.into()))??;
        }
        Ok(sum)
    })
}

async fn fill(
    server: Database,
    tables: WriterTables,
    number: u16,
    seconds: u64,
) -> Result<f64, Error> {
    let mut connection = server.connect().await?;
    require_durable(&mut connection).await?;
    tables.create(&mut connection).await?;
    let sql = DrawTable::ALL.map(|table| tables.insert(table));
    let mut source = RowSource::new(number);
    // The first batch is not measured: it prepares the statement and makes the first pages.
    insert(&mut connection, &sql, &source.batch()).await?;
    let mut watch = Stopwatch::start(seconds);
    while watch.runs() {
        insert(&mut connection, &sql, &source.batch()).await?;
        watch.count_batch();
    }
    let rate = watch.inserted_per_second();
    tables.drop(&mut connection).await?;
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

/// The tables of one writer. Its name replaces the number of a shard's tables.
struct WriterTables {
    number: String,
}

impl WriterTables {
    fn of(writer: u16) -> Self {
        Self {
            number: format!("loadtest_{writer}"),
        }
    }

    /// The SQL on this writer's tables.
    fn on(&self, sql: &str) -> String {
        sql.replace("{table}", &self.number)
    }

    async fn create(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        self.drop(connection).await?;
        for change in SCHEMA {
            connection.execute(&*self.on(change)).await?;
        }
        Ok(())
    }

    async fn drop(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let sql = self.on(&format!("DROP TABLE IF EXISTS {}", NAMES.join(", ")));
        connection.execute(&*sql).await.map(std::mem::drop)
    }

    fn insert(&self, table: DrawTable) -> String {
        let sql = match table {
            DrawTable::Calls => INSERT_CALLS,
            DrawTable::Orders => INSERT_ORDERS,
        };
        self.on(sql).replace("{rows}", &table.placeholders())
    }
}

/// One transaction.
async fn insert(
    connection: &mut MySqlConnection,
    sql: &[String; 2],
    batch: &[DrawRow],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for (table, sql) in DrawTable::ALL.into_iter().zip(sql) {
        sqlx::query_with(sql, table.fields::<sqlx::MySql>(batch)?)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::orders::ROWS;

    #[test]
    fn the_gateways_statements_are_as_we_take_them() {
        let made: Vec<&str> = SCHEMA
            .iter()
            .flat_map(|change| change.split("CREATE TABLE IF NOT EXISTS ").skip(1))
            .map(|create| create.split_once(' ').expect("a name").0)
            .collect();
        assert_eq!(made, NAMES);
        let tables = WriterTables::of(3);
        for change in SCHEMA {
            assert!(!tables.on(change).contains('{'), "{change}");
        }
        for (table, name) in DrawTable::ALL.into_iter().zip(["call", "order"]) {
            let insert = tables.insert(table);
            let begin = format!("INSERT INTO raffle_{name}_loadtest_3 (");
            let columns = insert.strip_prefix(&begin).expect("the writer's table");
            let columns = columns.split(')').next().unwrap_or_default();
            assert_eq!(columns.split(',').count(), table.columns(), "{insert}");
            assert!(!insert.contains('{'), "{insert}");
            assert_eq!(insert.matches('?').count(), ROWS * table.columns());
        }
    }
}
