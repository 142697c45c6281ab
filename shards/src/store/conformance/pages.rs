//! The pages of SQLite files: small in new files, and as they were made in files of earlier
//! versions. The bound on the write-ahead log is in bytes, whatever the pages are.
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection as _};

use super::bench::{Bench, account, change_all, gather, sqlite};
use crate::store::{Columns, Connection, Database, ShardStore, SqliteFile};

const MIB: u64 = 1 << 20;

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

async fn page_bytes(file: &SqliteFile) -> i64 {
    let mut connection = file.connect().await.expect("a connection");
    let rows = connection.rows("PRAGMA page_size", "[]").await;
    rows.expect("a pragma")[0].integer(0).expect("a number")
}

/// How large the log has become when so much was written, a MiB for each commit.
async fn log_bytes_after(file: &SqliteFile, mib: u64) -> u64 {
    let mut connection = file.connect().await.expect("a connection");
    connection
        .run("CREATE TABLE filler (bytes BLOB)")
        .await
        .expect("made");
    for _ in 0..mib {
        connection
            .run("INSERT INTO filler VALUES (zeroblob(1048576))")
            .await
            .expect("written");
    }
    let log = file.path.with_extension("sqlite-wal");
    std::fs::metadata(log).expect("a log").len()
}

#[tokio::test]
async fn new_files_have_small_pages_and_a_log_bounded_in_bytes() {
    let (_folder, file) = sqlite();
    let log_bytes = log_bytes_after(&file, 24).await;
    assert!((15 * MIB..19 * MIB).contains(&log_bytes), "{log_bytes}");
    assert_eq!(page_bytes(&file).await, 1024);
}

#[tokio::test]
async fn a_file_of_an_earlier_version_keeps_its_pages_and_has_the_same_bound() {
    let (_folder, file) = sqlite();
    make_earlier(&file).await;
    let mut bench = Bench::new(file.clone()).await;
    let first = bench.settlement(&[("a", "1"), ("b", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let mut second = bench.settlement(&[("a", "2")]);
    change_all(&mut second, account(2));
    bench.persist(2, &second).await.expect("persisted");
    let known = bench
        .prefetch(&gather(&[("a", "1"), ("b", "x")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(known.accounts, [Some(account(2)), Some(account(1))]);
    assert!(known.calls[0].is_some() && known.calls[1].is_none());

    let log_bytes = log_bytes_after(&file, 24).await;
    assert!((15 * MIB..19 * MIB).contains(&log_bytes), "{log_bytes}");
    assert_eq!(page_bytes(&file).await, 4096);
}
