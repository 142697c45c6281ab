//! The server's files, from the outside.
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

/// Opens a database file that is there.
pub async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(5));
    SqliteConnection::connect_with(&options)
        .await
        .expect("a database file")
}

/// Runs a statement on a file that no server uses; returns how many rows it touched.
pub async fn plant(file: &Path, sql: &str) -> u64 {
    let mut connection = open(file).await;
    let touched = connection
        .execute(sql)
        .await
        .expect("a statement")
        .rows_affected();
    connection.close().await.expect("closed");
    touched
}

/// Takes a file's write lock, until a ROLLBACK: to its server it looks like a disk that hangs.
pub async fn lock(file: &Path) -> SqliteConnection {
    let mut connection = open(file).await;
    connection
        .execute("BEGIN IMMEDIATE")
        .await
        .expect("the lock");
    connection
}
