//! Look-ups go by key: a collation or type that differs from its column's would turn one into a
//! scan, which locks every row that it reads.
use sqlx::mysql::MySqlRow;
use sqlx::{Column, Row};

use super::{connect, impatient, shard, table};
use crate::meta::StockOperationStatements;
use crate::store::tables::epochs::EPOCHS;
use crate::store::tables::issued::COUNTERS;
use crate::store::tables::receipts::RECEIPTS;
use crate::store::{Connection, Database, MysqlDatabase, migrate_meta};
use crate::testing::shared_database;

/// Tables that a statement reads other than by key; `j` and `t` are the bound value itself.
async fn scanned(database: &MysqlDatabase, statement: &str, json: &str) -> Vec<String> {
    let rows = connect(database)
        .await
        .rows(&format!("EXPLAIN FORMAT = TRADITIONAL {statement}"), json)
        .await
        .expect(statement);
    let column = |row: &MySqlRow, name: &str| {
        // By index: a prepared EXPLAIN has no column names yet.
        let place = row
            .columns()
            .iter()
            .position(|column| column.name() == name)
            .expect("a column");
        let text: Option<&[u8]> = row.try_get(place).expect("a text");
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    };
    let by_key = |kind: &str| matches!(kind, "eq_ref" | "ref" | "const");
    rows.iter()
        .filter(|row| column(row, "table").is_some_and(|table| table != "j" && table != "t"))
        .filter(|row| {
            column(row, "key").is_none() || !column(row, "type").is_some_and(|kind| by_key(&kind))
        })
        .map(|row| {
            format!(
                "{:?} {:?} {:?}",
                column(row, "table"),
                column(row, "type"),
                column(row, "key")
            )
        })
        .collect()
}

#[tokio::test]
async fn look_ups_use_their_keys_in_mariadb() {
    let database = shard().await;
    // So many rows that no optimizer prefers a scan.
    let many = "INSERT INTO stock_receipt (grant_id, void, units)
                SELECT a.server + 16 * b.server + 256 * c.server + 4096 * d.server, 0, '[]'
                FROM stock_epoch AS a, stock_epoch AS b, stock_epoch AS c, stock_epoch AS d WHERE d.server < 3;
                INSERT INTO stock_issued (server, activity_id, good_kind, good_id, segment, run, lane, issued)
                SELECT 1, a.server, 0, b.server, c.server, 1, 0, 1 FROM stock_epoch AS a, stock_epoch AS b, stock_epoch AS c";
    connect(&database).await.run(many).await.expect("rows");
    let sql = table();
    let calls = r#"[["a","b"],["c","d"],["e","f"]]"#;
    let awards = r#"[["a",1,2],["c",1,2],["e",1,2]]"#;
    let users = r#"[["a"],["c"],["e"]]"#;
    let three = r#"[["a","b",1,2,3,4,5],["c","d",1,2,3,4,5],["e","f",1,2,3,4,5]]"#;
    let hold_epochs = EPOCHS.hold.replace("{rows}", "(1)");
    let numbers = "[[1,2,3,4,5,6,7],[6,7,8,9,10,11,12]]";
    let statements = [
        (&*sql.calls.lock_batch, calls),
        (&*sql.calls.find_held, calls),
        (&*sql.accounts.find_held, three),
        (&*sql.points_accounts.find_held, users),
        (&*sql.sign_ins.find_held, three),
        (&*sql.user_awards.find_held, awards),
        (&*sql.points_accounts.of_user, r#"["a"]"#),
        (&*sql.sign_ins.of_user, r#"["a"]"#),
        (&*sql.user_awards.of_user, r#"["a"]"#),
        (&*sql.calls.find, three),
        (&*sql.calls.lock, three),
        (&*sql.calls.latest, r#"["a",1,2,3,1]"#),
        (&*sql.orders.of_ids, "[1,2,3]"),
        (&*sql.orders.find, three),
        (&*sql.recharge_orders.of_ids, "[1,2,3]"),
        (&*sql.recharge_orders.find, three),
        (&*hold_epochs, "[]"),
        (RECEIPTS.read, numbers),
        (EPOCHS.raise, numbers),
        (EPOCHS.read, numbers),
        (COUNTERS.lock, numbers),
        (COUNTERS.delete, numbers),
    ];
    for (statement, json) in statements {
        let scanned = scanned(&database, statement, json).await;
        assert!(scanned.is_empty(), "{statement}\n{scanned:?}");
    }
}

/// Statements on a range of receipts must not block each other.
#[tokio::test]
async fn receipts_are_deleted_by_their_keys_in_mariadb() {
    let database = shard().await;
    // Few rows: the server would prefer to read them all, and wait for those of running batches.
    connect(&database)
        .await
        .run("INSERT INTO stock_receipt VALUES (1, 0, '[]', NOW(3)), (2, 0, '[]', NOW(3))")
        .await
        .expect("rows");
    let many: Vec<String> = (1..=256).map(|grant| format!("({grant})")).collect();
    for statement in [
        RECEIPTS.delete.replace("{rows}", "(1)"),
        RECEIPTS.delete.replace("{rows}", &many.join(",")),
    ] {
        let scanned = scanned(&database, &statement, "[]").await;
        assert!(
            scanned.iter().all(|line| line.contains("range")),
            "{statement}\n{scanned:?}"
        );
    }
}

/// A reader reads the rows of its users and no others, however few there are.
#[tokio::test]
async fn rows_are_read_by_their_keys_in_mariadb() {
    let database = shard().await;
    let sql = table();
    for statement in [
        sql.accounts
            .read
            .replace("{rows}", "('a',1),('b',1),('c',1)"),
        sql.points_accounts
            .read
            .replace("{rows}", "('a'),('b'),('c')"),
    ] {
        let scanned = scanned(&database, &statement, "[]").await;
        assert!(
            scanned.iter().all(|line| line.contains("range")),
            "{statement}\n{scanned:?}"
        );
    }
}

/// A batch reads its own rows and no others, however many they are.
#[tokio::test]
async fn rows_are_locked_by_their_keys_in_mariadb() {
    let database = shard().await;
    let sql = table();
    // Few rows: the server would prefer to read them all.
    for (insert, rows) in [
        (
            &sql.accounts.insert,
            "('a',1,9,0,0,0,0),('b',1,9,0,0,0,0),('c',1,9,0,0,0,0)",
        ),
        (
            &sql.points_accounts.insert,
            "('a',1,1,0),('b',1,1,0),('c',1,1,0)",
        ),
        (
            &sql.sign_ins.insert,
            "('a',1,20260101,1),('b',1,20260101,1),('c',1,20260101,1)",
        ),
        (
            &sql.user_awards.insert,
            "('a',1,2,1),('b',1,2,1),('c',1,2,1)",
        ),
    ] {
        let mut connection = connect(&database).await;
        let insert = insert.replace("{rows}", rows);
        connection.run(&insert).await.expect("rows");
    }
    for (lock_batch, ids) in [
        (&sql.accounts.lock_batch, 1),
        (&sql.points_accounts.lock_batch, 0),
        (&sql.sign_ins.lock_batch, 1),
        (&sql.user_awards.lock_batch, 2),
    ] {
        are_locked_by_their_keys(&database, lock_batch, ids).await;
    }
}

/// Keys of users with so many ids: none, the activity's, or the activity's and the award's.
async fn are_locked_by_their_keys(database: &MysqlDatabase, sql: &str, ids: usize) {
    // Ten awards of each of the draws of a full batch.
    let most = if ids == 2 { 10_240 } else { 1_024 };
    for count in [1, 2, 300, most] {
        let key = |number: usize| {
            let odd = number % 2 == 1;
            let user = if odd { "_utf8mb4 X'e6bca2'" } else { "'b'" };
            match ids {
                0 => format!("({user})"),
                1 => format!("({user},{})", 1 + number / 2),
                _ => format!("({user},{},{})", 1 + number / 20, number / 2 % 10),
            }
        };
        let keys: Vec<String> = (0..count).map(key).collect();
        let statement = sql.replace("{rows}", &keys.join(","));
        let scanned = scanned(database, &statement, "[]").await;
        assert!(
            scanned
                .iter()
                .all(|line| line.contains("range") && line.contains("PRIMARY")),
            "{sql} {count}: {scanned:?}"
        );
        assert!(count < 3 || !scanned.is_empty(), "{sql} {count}");
    }
}

/// Taking calls back must not wait for the calls of other transactions.
#[tokio::test]
async fn calls_are_taken_back_by_their_keys_in_mariadb() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let rows = "('a','k',1,1,1,1,1,1),('b','k',1,1,1,1025,1,1)";
    let insert = table().calls.insert.replace("{rows}", rows);
    connection.run(&insert).await.expect("rows");
    for keys in [r#"[["a","k"]]"#, r#"[["a","k"],["b","k"],["c","k"]]"#] {
        let scanned = scanned(&database, &table().calls.take_back, keys).await;
        assert!(scanned.is_empty(), "{keys}: {scanned:?}");
    }
}

#[tokio::test]
async fn meta_look_ups_use_their_keys_in_mariadb() {
    let database = impatient(&shared_database().await);
    migrate_meta(&database).await.expect("a fresh database");
    let sql = StockOperationStatements::of::<MysqlDatabase>();
    for statement in [sql.apply_operation, sql.read_operation, sql.read_operations] {
        let scanned = scanned(&database, statement, "[1,2,3]").await;
        assert!(scanned.is_empty(), "{statement}\n{scanned:?}");
    }
}

/// The number of places for bound values in each text that lanes, reads and jobs run (`meta` looks
/// at its own). Those of the audit, which are the longest, may have several.
#[test]
fn each_statement_has_one_place_for_its_value_at_most() {
    let dialect = MysqlDatabase::DIALECT;
    let all = format!("{dialect:?}{:?}{EPOCHS:?}{RECEIPTS:?}{COUNTERS:?}", table());
    let texts: Vec<&str> = all.split(": \"").collect();
    assert!(texts.len() > 40, "{}", texts.len());
    let several = texts.iter().filter(|text| text.matches('?').count() > 1);
    assert!(
        several
            .clone()
            .all(|text| text.contains("JSON_UNQUOTE(JSON_EXTRACT(?")),
        "{:?}",
        several.collect::<Vec<_>>()
    );
}
