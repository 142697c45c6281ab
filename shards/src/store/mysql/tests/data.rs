//! Values come back as they were written, or are refused: nothing is cut, clamped or folded.
use std::sync::Arc;

use market::calendar::Day;
use market::chances::Account;
use market::{MadeCall, UserId};

use super::{bench, connect, number, shard, table};
use crate::store::conformance::{gather, orders_of};
use crate::store::tables::epochs::EPOCHS;
use crate::store::{
    Columns, Connection, Input, MysqlConnection, Rows, ShardStore, SqlStep, StoreError, Value,
};

#[tokio::test]
async fn ids_that_look_alike_are_different_users() {
    let alike = [
        "alice",
        "ALICE",
        "Alice",
        "álice",
        "a\u{301}lice",
        "alicé",
        "ａlice",
        "ß",
        "ss",
        "ẞ",
        "ı",
        "i",
        "İ",
    ];
    let mut bench = bench().await;
    let calls: Vec<(&str, &str)> = alike.iter().map(|&name| (name, "key")).collect();
    let settlement = bench.settlement(&calls);
    bench
        .persist(1, &settlement)
        .await
        .expect("all of them are new");
    let known = bench.prefetch(&gather(&calls)).await.expect("read");
    bench.store.undo().await;
    let found: Vec<Vec<_>> = orders_of(&known)
        .iter()
        .map(|orders| orders.iter().map(|order| order.id).collect())
        .collect();
    let written: Vec<_> = settlement
        .rows
        .orders()
        .map(|order| vec![order.id])
        .collect();
    assert_eq!(found, written);
    // User ids have no spaces at the end, which is all that the collation folds.
    assert!(UserId::new("alice ").is_err());
}

#[tokio::test]
async fn extreme_values_come_back_as_they_were() {
    let mut bench = bench().await;
    let longest = "😀".repeat(UserId::CHARS_MAX);
    let key = "~".repeat(64);
    let mut settlement = bench.settlement(&[(&longest, &key), ("\\\"'%_\u{a0}x", "\\\"'%_")]);
    let mut order = settlement.rows.made[0].made.orders()[0].clone();
    order.award_title = Arc::from("\u{1}\t\n\r\\\"'😀\u{10ffff}".repeat(12));
    (order.version, order.ordinal, order.award_index) = (u32::MAX, u32::MAX, u32::MAX);
    order.activity = market::ActivityId::new(i64::MAX.unsigned_abs()).expect("the largest id");
    order.day = Day::from_number(u32::MAX);
    let day = order.day;
    settlement.rows.made[0] = MadeCall::of_orders([order]);
    let account = Account {
        granted: u32::MAX,
        used: u32::MAX,
        day,
        day_used: u32::MAX,
        month_used: 0,
    };
    settlement.rows.accounts.set(0, Some(account));
    bench.persist(1, &settlement).await.expect("persisted");
    let known = bench
        .prefetch(&gather(&[(&longest, &key)]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(orders_of(&known)[0], settlement.rows.made[0].made.orders());
    assert_eq!(known.accounts[0], Some(account));
}

/// A row of `insert_accounts` with this user and number of chances.
fn account(user: &str, granted: i64) -> Vec<Value<'_>> {
    [Value::Text(user)]
        .into_iter()
        .chain([1, granted, 1, 1, 1, 1].map(Value::Integer))
        .collect()
}

fn rows<'a, const WIDTH: usize>(rows: impl IntoIterator<Item = Vec<Value<'a>>>) -> Rows<'a> {
    let mut all = Rows::default();
    for row in rows {
        all.push::<WIDTH>(row.try_into().expect("as wide as the statement"));
    }
    all
}

async fn write(
    connection: &mut MysqlConnection,
    sql: &str,
    rows: Rows<'_>,
) -> Result<u64, StoreError> {
    let outcomes = connection
        .run_all(&[SqlStep::read(sql, Input::Rows(rows))])
        .await?;
    Ok(outcomes[0].touched)
}

#[tokio::test]
async fn what_does_not_fit_is_refused_for_its_data() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    let long = |length: usize| "é".repeat(length);
    for (user, granted) in [
        ("u", 1 << 32),
        ("u", -1),
        (&*long(129), 1),
        (&*long(700), 1),
    ] {
        let two = rows::<7>([account("good", 1), account(user, granted)]);
        let result = write(&mut connection, &sql.accounts.insert, two).await;
        assert!(
            matches!(result, Err(StoreError::Data(_))),
            "{user} {granted}: {result:?}"
        );
    }
    let one = Value::Integer(1);
    let (user, title, rule) = (long(129), long(129), "r".repeat(33));
    for (user, title, rule) in [
        (&*user, "title", "rule"),
        ("user", &*title, "rule"),
        ("user", "title", &*rule),
    ] {
        let row = [
            one,
            user.into(),
            one,
            one,
            one,
            one,
            one,
            title.into(),
            one,
            rule.into(),
            one,
            one,
            one,
            "".into(),
        ];
        let result = write(
            &mut connection,
            &sql.orders.insert,
            rows::<14>([row.to_vec()]),
        )
        .await;
        assert!(
            matches!(result, Err(StoreError::Data(_))),
            "{user} {title} {rule}: {result:?}"
        );
    }
    let key = "k".repeat(65);
    for (user, key, asked) in [
        (&*user, "key", one),
        ("user", &*key, one),
        ("user", "key", Value::Integer(1 << 32)),
    ] {
        let row = vec![user.into(), key.into(), one, one, asked, one, one, one];
        let result = write(&mut connection, &sql.calls.insert, rows::<8>([row])).await;
        assert!(
            matches!(result, Err(StoreError::Data(_))),
            "{user} {key} {asked:?}: {result:?}"
        );
    }
    for name in ["account", "call", "order"] {
        assert_eq!(
            number(&database, &format!("SELECT COUNT(*) FROM raffle_{name}_0")).await,
            0
        );
    }
}

#[tokio::test]
async fn json_that_a_statement_cannot_read_is_refused_for_its_data() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    for json in ["[[1]]", "[[1,[5]]]", "[[1,{}]]", "[[", "no json"] {
        let result = connection.execute(EPOCHS.raise, json).await;
        assert!(
            matches!(result, Err(StoreError::Data(_))),
            "{json}: {result:?}"
        );
    }
    assert_eq!(
        number(
            &database,
            "SELECT COUNT(*) FROM stock_epoch WHERE epoch > 0"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn a_statement_without_rows_touches_nothing() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    for statement in [
        &sql.accounts.insert,
        &sql.accounts.update,
        &sql.calls.insert,
        &sql.orders.insert,
    ] {
        assert_eq!(
            write(&mut connection, statement, Rows::default()).await,
            Ok(0)
        );
    }
    assert!(
        connection
            .rows(&sql.calls.lock_batch, "[]")
            .await
            .expect("rows")
            .is_empty()
    );
}

#[tokio::test]
async fn an_update_counts_rows_that_were_not_there_as_too_few() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    let two = |granted| [account("a", granted), account("b", granted)];
    assert_eq!(
        write(&mut connection, &sql.accounts.insert, rows::<7>(two(5))).await,
        Ok(2)
    );
    assert_eq!(
        write(&mut connection, &sql.accounts.update, rows::<7>(two(6))).await,
        Ok(4)
    );
    let three = two(7).into_iter().chain([account("c", 7)]);
    assert_eq!(
        write(&mut connection, &sql.accounts.update, rows::<7>(three)).await,
        Ok(5)
    );
    // An unchanged row counts too little as well: for the lane it is a conflict.
    assert_eq!(
        write(&mut connection, &sql.accounts.update, rows::<7>(two(7))).await,
        Ok(2)
    );
}

#[tokio::test]
async fn batches_of_any_size_are_written_whole() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    let users: Vec<String> = (0..1024).map(|user| format!("u{user:04}")).collect();
    for count in [1, 2, 3, 127, 128, 129, 255, 300, 1024] {
        connection.begin().await.expect("a transaction");
        let many = || rows::<7>(users[..count].iter().map(|user| account(user, 1)));
        assert_eq!(
            write(&mut connection, &sql.accounts.insert, many()).await,
            Ok(count as u64)
        );
        let found = connection
            .rows(
                "SELECT user_id FROM raffle_account_0 ORDER BY user_id",
                "[]",
            )
            .await
            .expect("rows");
        let found: Vec<&str> = found
            .iter()
            .map(|row| row.text(0).expect("a user"))
            .collect();
        assert_eq!(found, users[..count]);
        connection.rollback().await.expect("undone");
    }
}
