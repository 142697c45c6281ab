//! What MySQL and MariaDB do that SQLite cannot, on real servers. What both do is in
//! `store/conformance.rs`.
mod data;
mod doubt;
mod grants;
mod held;
mod keys;
mod locks;
mod schema;
mod session;
mod trap;

use std::time::Duration;

use super::{MysqlConnection, MysqlDatabase};
use crate::store::conformance::{Bench, TABLES};
use crate::store::{Columns, Connection, Database, MYSQL, StoreError, TableStatements, migrate_shard};
use crate::testing::Mariadb;

/// Row locks are waited for 1 s (2 s in MySQL, which looks once a second), statements for 3 s.
fn impatient(database: &MysqlDatabase) -> MysqlDatabase {
    MysqlDatabase { statement_timeout: Duration::from_secs(3), ..database.clone() }
}

/// Everything is waited for 1 s.
fn hasty(database: &MysqlDatabase) -> MysqlDatabase {
    let second = Duration::from_secs(1);
    MysqlDatabase { connect_timeout: second, statement_timeout: second, ..database.clone() }
}

/// A fresh shard on the shared server and a lane on it.
async fn bench() -> Bench<MysqlDatabase> {
    Bench::new(impatient(&Mariadb::shared_database().await)).await
}

/// A fresh shard on the shared server.
async fn shard() -> MysqlDatabase {
    let database = impatient(&Mariadb::shared_database().await);
    migrate_shard(&database, TABLES).await.expect("a fresh shard");
    database
}

async fn connect(database: &MysqlDatabase) -> MysqlConnection {
    database.connect().await.expect("a connection")
}

fn table() -> TableStatements {
    MYSQL.table(0)
}

/// A number that a query of one row and column answers.
async fn number(database: &MysqlDatabase, sql: &str) -> i64 {
    let rows = connect(database).await.rows(sql, "[]").await.expect(sql);
    rows.first().expect("a row").integer(0).expect("a number")
}

fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

fn is_away<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Away(_)))
}
