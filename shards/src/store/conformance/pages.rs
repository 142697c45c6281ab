//! The pages of SQLite files: small in new files, and as they were made in files of earlier
//! versions. The bound on the write-ahead log is in bytes, whatever the pages are.
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection as _};

use super::bench::{Bench, account, gather, sqlite};
use crate::store::sqlite::CHECKPOINT_BYTES;
use crate::store::{Access, Columns, Connection, Database, ShardStore, SqliteFile};

/// A file as earlier versions made it, with no table in it.
async fn make_earlier(file: &SqliteFile) {
    let options = SqliteConnectOptions::new()
        .filename(&file.path)
        .create_if_missing(true)
        .page_size(4096)
        .journal_mode(SqliteJournalMode::Wal);
    let made = options.connect().await.expect("a file");
    made.close().await.expect("closed");
}

async fn number(file: &SqliteFile, pragma: &str) -> i64 {
    let mut connection = file.connect().await.expect("a connection");
    let rows = connection.rows(&format!("PRAGMA {pragma}"), "[]").await;
    rows.expect("a pragma")[0].integer(0).expect("a number")
}

/// The bytes of a page of a file, and those of the log after which a writer makes a checkpoint.
async fn pages(file: &SqliteFile) -> (i64, i64) {
    let page_bytes = number(file, "page_size").await;
    let log_bytes = page_bytes * number(file, "wal_autocheckpoint").await;
    (page_bytes, log_bytes)
}

#[tokio::test]
async fn new_files_have_small_pages_and_a_log_bounded_in_bytes() {
    let (_folder, file) = sqlite();
    assert_eq!(pages(&file).await, (1024, CHECKPOINT_BYTES.into()));
    // Also once there are tables in it, and for a writer that did not make it.
    Bench::new(file.clone()).await;
    let access = Access::Write;
    let writer = SqliteFile { access, ..file };
    assert_eq!(pages(&writer).await, (1024, CHECKPOINT_BYTES.into()));
}

#[tokio::test]
async fn a_file_of_an_earlier_version_keeps_its_pages_and_has_the_same_bound() {
    let (_folder, file) = sqlite();
    make_earlier(&file).await;
    let mut bench = Bench::new(file.clone()).await;
    bench.draw_and_draw_again().await;
    let known = bench
        .prefetch(&gather(&[("a", "1"), ("b", "x")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(known.accounts, [Some(account(2)), Some(account(1))]);
    assert!(known.calls[0].is_some() && known.calls[1].is_none());

    assert_eq!(pages(&file).await, (4096, CHECKPOINT_BYTES.into()));
}
