//! Connections: their session settings, and how they end.
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{connect, connect_again, hasty, is_conflict, is_unavailable, number, shard};
use crate::store::{
    Columns, Connection, Database, Input, MysqlDatabase, SqlStep, StoreError, Tls, check_durability,
};
use crate::testing::{DatabaseServer, Mariadb, shared_database};

/// The maximum time without a lock wait, on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_session_does_not_depend_on_how_the_server_is_set_up() {
    let server = Mariadb::with_options(&[
        "--transaction-isolation=SERIALIZABLE",
        "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT",
        "--default-time-zone=+09:00",
        "--autocommit=0",
        "--character-set-server=latin2",
        "--innodb-lock-wait-timeout=1000",
    ])
    .await;
    let database = server.database().await;
    let mut connection = connect(&database).await;
    // MariaDB before 11.1 has the older name only, MySQL since 8 the newer.
    let older = connection.rows("SELECT @@tx_isolation", "[]").await.is_ok();
    let isolation = if older {
        "tx_isolation"
    } else {
        "transaction_isolation"
    };
    let said = format!(
        "SELECT CONCAT_WS(' ', @@{isolation}, @@sql_mode, @@time_zone, @@autocommit + 0, @@collation_connection,
                @@innodb_lock_wait_timeout, @@wait_timeout)"
    );
    let rows = connection.rows(&said, "[]").await.expect("variables");
    let wanted =
        "READ-COMMITTED STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION +00:00 1 utf8mb4_bin 1 60";
    assert_eq!(rows[0].text(0), Ok(wanted));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_costs_the_connection() {
    let database = hasty(&shard().await);
    let mut connection = connect(&database).await;
    connection.begin().await.expect("a transaction");
    let started = Instant::now();
    assert!(is_unavailable(
        &connection.rows("SELECT SLEEP(20)", "[]").await
    ));
    assert!(started.elapsed() < Duration::from_secs(2));
    let started = Instant::now();
    assert!(is_unavailable(&connection.rows("SELECT 1", "[]").await));
    assert!(is_unavailable(&connection.execute("DO 1", "[]").await));
    assert!(is_unavailable(&connection.commit().await));
    assert!(is_unavailable(&connection.rollback().await));
    assert!(is_unavailable(&connection.run("DO 1").await));
    assert!(is_unavailable(
        &connection.scan("SELECT 1", "[]", |_| Ok(())).await
    ));
    drop(connection);
    assert!(started.elapsed() < AT_ONCE);
}

#[tokio::test]
async fn a_connection_is_not_used_after_its_caller_was_dropped() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    timeout(
        Duration::from_millis(50),
        connection.rows("SELECT SLEEP(1), 7", "[]"),
    )
    .await
    .expect_err("cut off");
    assert!(
        is_unavailable(&connection.rows("SELECT 8", "[]").await),
        "otherwise it would read the answer to the statement before"
    );
    let mut connection = connect(&database).await;
    let enough = |_: &sqlx::mysql::MySqlRow| Err(StoreError::Data("enough".to_owned()));
    let cut = connection
        .scan("SELECT server FROM stock_epoch", "[]", enough)
        .await;
    assert_eq!(cut, Err(StoreError::Data("enough".to_owned())));
    assert!(is_unavailable(&connection.rows("SELECT 8", "[]").await));
}

#[tokio::test]
async fn a_refused_statement_costs_nothing() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    assert!(is_unavailable(
        &connection.rows("SELECT nonsense", "[]").await
    ));
    let rows = connection
        .rows("SELECT 8", "[]")
        .await
        .expect("as good as before");
    assert_eq!(rows[0].integer(0), Ok(8));
}

#[tokio::test]
async fn a_scan_hands_over_all_rows() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let mut seen = Vec::new();
    let each = |row: &sqlx::mysql::MySqlRow| {
        seen.push(row.integer(0)?);
        Ok(())
    };
    connection
        .scan("SELECT server FROM stock_epoch ORDER BY server", "[]", each)
        .await
        .expect("scanned");
    assert_eq!(seen, (0..16).collect::<Vec<_>>());
    connection.rows("SELECT 1", "[]").await.expect("usable");
}

/// Closes a connection from the server's side.
async fn hang_up(connection: &mut impl Connection, database: &MysqlDatabase) {
    let id = connection
        .rows("SELECT CAST(CONNECTION_ID() AS SIGNED)", "[]")
        .await
        .expect("an id")[0]
        .integer(0);
    connect(database)
        .await
        .run(&format!("KILL {}", id.expect("a number")))
        .await
        .expect("killed");
}

#[tokio::test]
async fn a_connection_closed_at_rest_is_made_anew() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    hang_up(&mut connection, &database).await;
    connection
        .begin()
        .await
        .expect("begun on another connection");
    hang_up(&mut connection, &database).await;
    assert!(
        is_unavailable(&connection.rows("SELECT 1", "[]").await),
        "its transaction is lost"
    );
    let mut connection = connect(&database).await;
    hang_up(&mut connection, &database).await;
    let begun = connection
        .begin_with(&[step("SELECT ?", "[1]")])
        .await
        .expect("begun on another connection");
    assert_eq!(begun[0].rows[0].text(0), Ok("[1]"));
    let mut connection = connect(&database).await;
    hang_up(&mut connection, &database).await;
    connection
        .rows("SELECT 1", "[]")
        .await
        .expect("read on another connection");
    hang_up(&mut connection, &database).await;
    assert!(
        is_unavailable(&connection.execute("DO 1", "[]").await),
        "it is unknown whether it was done"
    );
    let mut connection = connect(&database).await;
    hang_up(&mut connection, &database).await;
    connection.used -= super::super::IDLE_MAX * 2;
    connection
        .execute("DO 1", "[]")
        .await
        .expect("not even tried on a connection that old");
}

#[tokio::test]
async fn a_transaction_is_not_begun_within_another() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    connection.begin().await.expect("a transaction");
    connection
        .run("UPDATE stock_epoch SET epoch = 5 WHERE server = 5")
        .await
        .expect("changed");
    assert!(
        is_unavailable(&connection.begin().await),
        "MySQL would commit the first"
    );
    assert!(is_unavailable(&connection.begin_with(&[]).await));
    drop(connection);
    assert_eq!(
        number(
            &database,
            "SELECT CAST(SUM(epoch) AS SIGNED) FROM stock_epoch"
        )
        .await,
        0
    );
}

fn step<'a>(sql: &'a str, json: &str) -> SqlStep<'a> {
    SqlStep::read(sql, Input::Json(json.to_owned()))
}

#[tokio::test]
async fn statements_of_one_round_trip_answer_each_for_itself() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let epochs = "SELECT epoch FROM stock_epoch WHERE server > 13 AND ? <> '' ORDER BY server";
    let raise = "UPDATE stock_epoch SET epoch = epoch + 1 WHERE server > 12 AND ? <> ''";
    let steps = [
        step(epochs, "[1]"),
        step("SELECT ?", "[]"),
        step(raise, "[1]"),
        step(epochs, "[1]"),
    ];
    let outcomes = connection.begin_with(&steps).await.expect("run");
    let found = |at: usize| {
        outcomes[at]
            .rows
            .iter()
            .map(|row| row.integer(0).expect("an epoch"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (found(0), found(1), found(2), found(3)),
        (vec![0, 0], vec![], vec![], vec![1, 1])
    );
    assert_eq!(
        outcomes
            .iter()
            .map(|outcome| outcome.touched)
            .collect::<Vec<_>>(),
        [0, 0, 3, 0]
    );
    connection.rollback().await.expect("it was a transaction");
    assert_eq!(
        number(
            &database,
            "SELECT CAST(SUM(epoch) AS SIGNED) FROM stock_epoch"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn the_first_statement_that_is_refused_is_the_last_that_runs() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let raise = "UPDATE stock_epoch SET epoch = epoch + 1 WHERE ? <> ''";
    let again = "INSERT INTO stock_epoch (server, epoch) SELECT 1, 1 WHERE ? <> ''";
    let steps = [step(raise, "[1]"), step(again, "[1]"), step(raise, "[1]")];
    assert!(is_conflict(&connection.begin_with(&steps).await));
    let seen = connection
        .rows("SELECT MAX(epoch) FROM stock_epoch", "[]")
        .await
        .expect("as good as before");
    assert_eq!(
        seen[0].integer(0),
        Ok(1),
        "the statement before is part of the transaction, which is open"
    );
    assert!(is_unavailable(&connection.begin().await));
    connection.rollback().await.expect("undone");
    assert!(is_conflict(&connection.run_all(&steps[1..]).await));
    assert_eq!(
        number(
            &database,
            "SELECT CAST(SUM(epoch) AS SIGNED) FROM stock_epoch"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn a_snapshot_sees_one_moment_and_changes_nothing() {
    let database = shard().await;
    let (mut reader, mut writer) = (connect(&database).await, connect(&database).await);
    let sum = "SELECT CAST(SUM(epoch) AS SIGNED) FROM stock_epoch";
    reader.begin_snapshot().await.expect("a snapshot");
    writer
        .run("UPDATE stock_epoch SET epoch = 5 WHERE server = 5")
        .await
        .expect("changed");
    assert_eq!(
        reader.rows(sum, "[]").await.expect("a sum")[0].integer(0),
        Ok(0)
    );
    reader.rollback().await.expect("ended");
    let mut other = connect(&database).await;
    other.begin_snapshot().await.expect("a snapshot");
    other
        .run("UPDATE stock_epoch SET epoch = 1")
        .await
        .expect_err("it is for reading");
    reader.begin().await.expect("a transaction");
    assert_eq!(
        reader.rows(sum, "[]").await.expect("a sum")[0].integer(0),
        Ok(5)
    );
    writer
        .run("UPDATE stock_epoch SET epoch = 6 WHERE server = 5")
        .await
        .expect("changed");
    assert_eq!(
        reader.rows(sum, "[]").await.expect("a sum")[0].integer(0),
        Ok(6),
        "READ COMMITTED again"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_long() {
    let server = Mariadb::private().await;
    let database = hasty(&server.database().await);
    let mut connection = connect(&database).await;
    connection.begin().await.expect("a transaction");
    server.pause();
    let started = Instant::now();
    assert!(is_unavailable(&connection.rollback().await));
    assert!(started.elapsed() < Duration::from_secs(2));
    let started = Instant::now();
    drop(connection);
    assert!(started.elapsed() < AT_ONCE);
    assert!(is_unavailable(&database.connect().await));
    assert!(started.elapsed() < Duration::from_secs(2));
    server.kill();
    let started = Instant::now();
    assert!(is_unavailable(&database.connect().await));
    assert!(started.elapsed() < AT_ONCE);
    let first = server.pid();
    server.restart().await;
    assert_ne!(server.pid(), first);
    connect_again(&database).await;
}

#[tokio::test]
async fn passwords_are_checked_and_never_shown() {
    let database = shared_database().await;
    let make = format!(
        "CREATE USER {0}@'%' IDENTIFIED BY 's3cret\\'\"'; GRANT ALL ON {0}.* TO {0}@'%'",
        database.options.database
    );
    connect(&database)
        .await
        .run(&make)
        .await
        .expect("an account");
    let right = database.with(|options| {
        options.user = options.database.clone();
        options.password = "s3cret'\"".to_owned();
    });
    connect(&right).await;
    let wrong = right.with(|options| options.password = "s3cret".to_owned());
    let refused = wrong.connect().await.map(drop);
    assert!(is_unavailable(&refused));
    assert!(!format!("{right:?} {refused:?}").contains("s3cret"));
    assert!(!format!("{:?}", connect(&right).await).contains("s3cret"));
}

#[tokio::test]
async fn a_server_that_may_forget_is_reported() {
    let server = Mariadb::with_options(&["--log-bin=log", "--sync-binlog=0"]).await;
    let database = server.database().await;
    let mut connection = connect(&database).await;
    connection
        .run("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        .await
        .expect("set");
    connection
        .run("CREATE TABLE old (i INT) ENGINE = MyISAM")
        .await
        .expect("a table");
    let warnings = check_durability(&database).await.expect("checked");
    let about: Vec<&str> = warnings
        .iter()
        .filter_map(|warning| {
            warning
                .split(' ')
                .find(|word| word.contains('_') || *word == "old")
        })
        .collect();
    assert_eq!(
        about,
        ["innodb_flush_log_at_trx_commit", "sync_binlog", "old"],
        "{warnings:?}"
    );
    let shard = shard().await;
    assert_eq!(check_durability(&shard).await, Ok(vec![]));
}

#[tokio::test]
async fn connections_can_be_encrypted() {
    let server = Mariadb::encrypted().await;
    let plain = server.database().await;
    let cipher = async |tls: Tls| {
        let mut connection = plain.with(|options| options.tls = tls).connect().await?;
        let rows = connection
            .rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'", "[]")
            .await?;
        Ok::<_, StoreError>(rows[0].text(1)?.to_owned())
    };
    assert_eq!(cipher(Tls::Off).await, Ok(String::new()));
    let ca_file = server.folder().join("ca.pem");
    for tls in [Tls::Required, Tls::Verify { ca_file }] {
        assert_ne!(cipher(tls).await.expect("encrypted"), "");
    }
    let stranger = Tls::Verify {
        ca_file: server.folder().join("other.pem"),
    };
    assert!(is_unavailable(&cipher(stranger).await));
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_is_refused_where_it_must() {
    let server = Mariadb::private().await;
    let database = server.database().await;
    let required = database.with(|options| options.tls = Tls::Required);
    assert!(is_unavailable(&required.connect().await));
}
