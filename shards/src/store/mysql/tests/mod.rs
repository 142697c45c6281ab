//! What MySQL and MariaDB do that SQLite cannot, on real servers. What both do is in
//! `store/conformance.rs`.
mod age;
mod data;
mod doubt;
mod grants;
mod hang;
mod held;
mod hostile;
mod keys;
mod locks;
mod moves;
mod schema;
mod session;
mod trap;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Dialer, MysqlConnection, MysqlDatabase};
use crate::store::conformance::{Bench, TABLES};
use crate::store::tables::Numbered;
use crate::store::{Columns, Connection, Database, MYSQL, StoreError, migrate_shard};
use crate::testing::shared_database;

/// Row locks time out after 1 s (2 s in MySQL, which checks once a second), statements after 3 s.
fn impatient(database: &MysqlDatabase) -> MysqlDatabase {
    database.with(|options| options.statement_timeout = Duration::from_secs(3))
}

/// All timeouts are 1 s.
fn hasty(database: &MysqlDatabase) -> MysqlDatabase {
    let second = Duration::from_secs(1);
    database.with(|options| {
        options.connect_timeout = second;
        options.statement_timeout = second;
    })
}

/// The same database as another gateway reaches it.
fn of_another_gateway(database: &MysqlDatabase) -> MysqlDatabase {
    MysqlDatabase {
        dialer: Dialer::default(),
        ..database.clone()
    }
}

/// A fresh shard on the shared server and a lane on it.
async fn bench() -> Bench<MysqlDatabase> {
    Bench::new(impatient(&shared_database().await)).await
}

/// A fresh shard on the shared server.
async fn shard() -> MysqlDatabase {
    let database = impatient(&shared_database().await);
    migrate_shard(&database, TABLES)
        .await
        .expect("a fresh shard");
    database
}

async fn connect(database: &MysqlDatabase) -> MysqlConnection {
    database.connect().await.expect("a connection")
}

fn table() -> Numbered {
    Numbered::of(&MYSQL, 0)
}

/// The number that a query of one row and column returns.
async fn number(database: &MysqlDatabase, sql: &str) -> i64 {
    let rows = connect(database).await.rows(sql, "[]").await.expect(sql);
    rows.first().expect("a row").integer(0).expect("a number")
}

fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

fn is_unavailable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

/// Whether the server is MariaDB, for tests of what only MariaDB does.
async fn is_mariadb(database: &MysqlDatabase) -> bool {
    number(
        database,
        "SELECT CAST(VERSION() LIKE '%MariaDB%' AS SIGNED)",
    )
    .await
        == 1
}

/// The maximum wait for something quick, on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// A new connection, also after failures that hold the next dial back.
async fn connect_again(database: &MysqlDatabase) -> MysqlConnection {
    let deadline = Instant::now() + LONG;
    loop {
        match database.connect().await {
            Ok(connection) => return connection,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// An account on the server of `admin` that may do everything in `database` and nothing else, as
/// gateways have it.
async fn player(admin: &mut MysqlConnection, database: &MysqlDatabase) -> MysqlDatabase {
    let make = format!(
        "CREATE USER IF NOT EXISTS player@'%' IDENTIFIED BY ''; GRANT ALL ON {}.* TO player@'%'",
        database.options.database
    );
    admin.run(&make).await.expect("an account");
    of_another_gateway(&database.with(|options| options.user = "player".to_owned()))
}
