//! How connections are made, and when one ends.
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{
    LONG, connect, connect_again, hasty, impatient, is_mariadb, is_unavailable, of_another_gateway,
    player, shard,
};
use crate::store::mysql::MysqlConnection;
use crate::store::{
    Columns, Connection, Database, Input, Rows, SqlStep, StoreError, migrate_shard,
};
use crate::testing::{DatabaseServer, Mariadb};

/// The connection's id on the server.
async fn id(connection: &mut MysqlConnection) -> i64 {
    let rows = connection
        .rows("SELECT CAST(CONNECTION_ID() AS SIGNED)", "[]")
        .await
        .expect("an id");
    rows[0].integer(0).expect("a number")
}

async fn status(connection: &mut MysqlConnection, name: &str) -> i64 {
    let rows = connection
        .rows(&format!("SHOW GLOBAL STATUS LIKE '{name}'"), "[]")
        .await
        .expect("a status");
    rows[0].text(1).expect("a text").parse().expect("a number")
}

#[tokio::test]
async fn callers_of_a_server_that_hangs_share_one_dial_and_its_result_waits_for_the_next() {
    let server = Mariadb::private().await;
    let database = hasty(&server.database().await);
    let mut admin = connect(&of_another_gateway(&database)).await;
    let before = status(&mut admin, "Connections").await;
    server.pause();
    for _ in 0..2 {
        for refused in join_all((0..8).map(|_| database.connect())).await {
            let Err(StoreError::Unavailable(why)) = refused.map(drop) else {
                panic!("a paused server answered")
            };
            assert!(why.contains("still connecting"), "{why}");
        }
    }
    server.resume();
    // The dial that was running, and its probe of TCP.
    let mut made = connect_again(&database).await;
    let dialled = status(&mut admin, "Connections").await - before;
    assert!(dialled <= 2, "{dialled} dials for sixteen callers");
    let all = join_all((0..8).map(|_| database.connect())).await;
    assert!(
        all.iter().all(Result::is_ok),
        "one after the other: {all:?}"
    );
    id(&mut made).await;
}

#[tokio::test]
async fn who_was_refused_a_moment_ago_hears_the_same_again_at_once() {
    let server = Mariadb::private().await;
    let database = hasty(&server.database().await);
    server.kill();
    let mut failures = Vec::new();
    for _ in 0..200 {
        failures.push(
            database
                .connect()
                .await
                .map(drop)
                .expect_err("the server is gone"),
        );
    }
    let StoreError::Unavailable(why) = &failures[0] else {
        panic!("{failures:?}")
    };
    assert!(
        why.contains("127.0.0.1") && why.contains("refused"),
        "it names address and cause: {why}"
    );
    assert!(
        failures.iter().all(|failure| *failure == failures[0]),
        "{failures:?}"
    );
}

#[tokio::test]
async fn an_old_connection_is_used_until_its_successor_stands_and_ends_between_transactions() {
    let mut connection = connect(&shard().await).await;
    let first = id(&mut connection).await;
    connection.begin().await.expect("a transaction");
    connection.age_max = Duration::ZERO;
    for _ in 0..3 {
        assert_eq!(id(&mut connection).await, first, "its transaction is there");
        sleep(Duration::from_millis(20)).await;
    }
    connection.commit().await.expect("committed");
    let deadline = Instant::now() + LONG;
    while id(&mut connection).await == first {
        assert!(Instant::now() < deadline, "it grows old for ever");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(
        connection.age_max > Duration::from_mins(15),
        "the successor is young"
    );
}

#[test]
fn connections_that_were_made_together_do_not_end_together() {
    let ages: std::collections::BTreeSet<Duration> =
        (0..50).map(|_| super::super::age_max()).collect();
    assert!(ages.len() > 40);
    assert!(
        ages.iter()
            .all(|age| (Duration::from_mins(16)..Duration::from_mins(24)).contains(age)),
        "{ages:?}"
    );
}

#[tokio::test]
async fn a_refusal_to_write_ends_all_connections_of_the_database_between_transactions() {
    let server = Mariadb::private().await;
    let root = impatient(&server.database().await);
    migrate_shard(&root, 1).await.expect("a shard");
    let mut admin = connect(&root).await;
    let database = player(&mut admin, &root).await;
    let (mut one, mut two) = (connect(&database).await, connect(&database).await);
    let (first, second) = (id(&mut one).await, id(&mut two).await);
    two.begin_snapshot().await.expect("a transaction");
    admin.run("SET GLOBAL read_only = 1").await.expect("set");
    let write = "UPDATE stock_epoch SET epoch = epoch + 1 WHERE server = 5";
    let refused = one.execute(write, "[]").await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("1290")),
        "{refused:?}"
    );
    let refused = database.connect().await.map(drop);
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("read-only")),
        "{refused:?}"
    );
    let mut reader = database
        .connect_for_reads()
        .await
        .expect("it can be read from");
    assert_eq!(reader.may_still_write().await, Ok(false));
    assert_eq!(reads_and_may_write(&mut reader).await, (1, false));
    admin.run("SET GLOBAL read_only = 0").await.expect("set");
    assert_eq!(id(&mut two).await, second, "its transaction is there");
    two.rollback().await.expect("ended");
    // It is back, without a restart of any part.
    let mut one = connect_again(&database).await;
    one.execute(write, "[]").await.expect("written");
    assert_ne!(id(&mut one).await, first);
    assert_ne!(id(&mut two).await, second);
    sleep(super::super::READ_ONLY_AGE_MAX).await;
    id(&mut reader).await;
    assert_eq!(
        reader.may_still_write().await,
        Ok(true),
        "a read-only connection is replaced by a writable one"
    );
    assert_eq!(reads_and_may_write(&mut reader).await, (1, true));
    admin.run("SET GLOBAL read_only = 1").await.expect("set");
    assert_eq!(
        reads_and_may_write(&mut reader).await,
        (1, false),
        "a server that was writable is asked with each read"
    );
}

/// How many rows a read has, and whether the server still takes writes.
async fn reads_and_may_write(reader: &mut MysqlConnection) -> (usize, bool) {
    let steps = vec![
        SqlStep::read(
            "SELECT 1 FROM DUAL WHERE 1 = ?",
            Input::Json("1".to_owned()),
        ),
        SqlStep::read(
            "SELECT 1 FROM stock_epoch WHERE server IN ({rows})",
            Input::Rows(Rows::default()),
        ),
    ];
    let read = reader.read_all(steps).await.expect("read");
    let rows: Vec<usize> = read.outcomes.iter().map(|one| one.rows.len()).collect();
    assert_eq!(rows.len(), 2);
    (rows.iter().sum(), read.may_write)
}

#[tokio::test]
async fn a_transaction_that_idles_is_undone_after_some_seconds() {
    let database = shard().await;
    let (mut stuck, mut other) = (connect(&database).await, connect(&database).await);
    let write = "UPDATE stock_epoch SET epoch = epoch + 1 WHERE server = 5";
    stuck.begin().await.expect("a transaction");
    stuck.execute(write, "[]").await.expect("locked");
    let mut snapshot = connect(&database).await;
    snapshot.begin_snapshot().await.expect("a snapshot");
    snapshot
        .rows("SELECT epoch FROM stock_epoch", "[]")
        .await
        .expect("read");
    sleep(Duration::from_secs(7)).await;
    other
        .execute(write, "[]")
        .await
        .expect("the row is not held any more");
    assert!(is_unavailable(&stuck.commit().await));
    snapshot
        .rows("SELECT epoch FROM stock_epoch", "[]")
        .await
        .expect("a transaction that only reads may idle");
    snapshot.rollback().await.expect("ended");
    snapshot.begin().await.expect("a transaction");
    let bound = if is_mariadb(&database).await {
        "idle_transaction_timeout"
    } else {
        "wait_timeout"
    };
    let seconds = format!("SELECT CAST(@@{bound} AS SIGNED)");
    assert_eq!(
        snapshot.rows(&seconds, "[]").await.expect("a bound")[0].integer(0),
        Ok(5)
    );
    snapshot.commit().await.expect("ended");
    assert_eq!(
        snapshot
            .rows("SELECT @@wait_timeout", "[]")
            .await
            .expect("a bound")[0]
            .integer(0),
        Ok(60)
    );
}
