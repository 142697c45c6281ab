//! Values come back as they were written or are refused; nothing is cut, clamped or folded.
use std::sync::Arc;

use market::UserId;
use market::calendar::Day;
use market::chances::Account;

use super::{bench, connect, number, shard, table};
use crate::store::conformance::gather;
use crate::store::{Connection, ShardStore, StoreError};

#[tokio::test]
async fn ids_that_look_alike_are_different_users() {
    let alike = ["alice", "ALICE", "Alice", "álice", "a\u{301}lice", "alicé", "ａlice", "ß", "ss", "ẞ", "ı", "i", "İ"];
    let mut bench = bench().await;
    let calls: Vec<(&str, &str)> = alike.iter().map(|&name| (name, "key")).collect();
    let settlement = bench.settlement(&calls);
    bench.persist(1, &settlement).await.expect("all of them are new");
    let known = bench.store.prefetch(&gather(&calls)).await.expect("read");
    bench.store.undo().await;
    let found: Vec<_> = known.orders.iter().map(|order| order.as_ref().map(|order| order.id)).collect();
    let written: Vec<_> = settlement.orders.iter().map(|order| Some(order.id)).collect();
    assert_eq!(found, written);
    // The one thing that the collation does fold never gets here.
    assert!(UserId::new("alice ").is_err());
}

#[tokio::test]
async fn extreme_values_come_back_as_they_were() {
    let mut bench = bench().await;
    let longest = "😀".repeat(UserId::CHARS_MAX);
    let key = "~".repeat(64);
    let mut settlement = bench.settlement(&[(&longest, &key), ("\\\"'%_\u{a0}x", "\\\"'%_")]);
    let order = Arc::make_mut(&mut settlement.orders[0]);
    order.award_title = Arc::from("\u{1}\t\n\r\\\"'😀\u{10ffff}".repeat(12));
    (order.version, order.ordinal, order.award_index) = (u32::MAX, u32::MAX, u32::MAX);
    order.activity = market::ActivityId::new(i64::MAX.unsigned_abs()).expect("the largest id");
    order.day = Day::from_number(u32::MAX);
    let account = Account { granted: u32::MAX, used: u32::MAX, day: order.day, day_used: u32::MAX, month_used: 0 };
    settlement.new_accounts[0].account = account;
    bench.persist(1, &settlement).await.expect("persisted");
    let known = bench.store.prefetch(&gather(&[(&longest, &key)])).await.expect("read");
    bench.store.undo().await;
    assert_eq!(known.orders[0].as_ref(), Some(&*settlement.orders[0]));
    assert_eq!(known.accounts[0], Some(account));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_for_its_data() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    let account = |user: &str, numbers: &str| format!(r#"[["good",1,1,1,1,1,1],[{user},{numbers}]]"#);
    let order = |user: &str, key: &str, title: &str, rule: &str| {
        format!(r#"[[1,"{user}","{key}",1,1,1,1,1,"{title}",1,"{rule}",1,1]]"#)
    };
    let long = |length: usize| "é".repeat(length);
    let refused = [
        (&sql.insert_accounts, account("\"u\"", "1,4294967296,1,1,1,1")),
        (&sql.insert_accounts, account("\"u\"", "1,-1,1,1,1,1")),
        (&sql.insert_accounts, account("\"u\"", "1,1,1,1,1,null")),
        (&sql.insert_accounts, account("\"u\"", "1,1,1,1,1")),
        (&sql.insert_accounts, account("\"u\"", "1,1,1,1,1,[1]")),
        (&sql.insert_accounts, account("null", "1,1,1,1,1,1")),
        (&sql.insert_accounts, account("{}", "1,1,1,1,1,1")),
        (&sql.insert_accounts, account(&format!("\"{}\"", long(129)), "1,1,1,1,1,1")),
        (&sql.insert_accounts, account(&format!("\"{}\"", long(700)), "1,1,1,1,1,1")),
        (&sql.insert_accounts, "[[".to_owned()),
        (&sql.insert_accounts, "no json".to_owned()),
        (&sql.insert_orders, order(&long(129), "key", "title", "rule")),
        (&sql.insert_orders, order("user", &"k".repeat(65), "title", "rule")),
        (&sql.insert_orders, order("user", "key", &long(129), "rule")),
        (&sql.insert_orders, order("user", "key", "title", &"r".repeat(33))),
    ];
    for (statement, json) in refused {
        let result = connection.execute(statement, &json).await;
        assert!(matches!(result, Err(StoreError::Data(_))), "{json}: {result:?}");
    }
    for name in ["account", "order"] {
        assert_eq!(number(&database, &format!("SELECT COUNT(*) FROM raffle_{name}_0")).await, 0);
    }
}

#[tokio::test]
async fn a_statement_without_rows_touches_nothing() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    for statement in [&sql.insert_accounts, &sql.update_accounts, &sql.insert_orders] {
        assert_eq!(connection.execute(statement, "[]").await, Ok(0));
    }
    assert!(connection.rows(&sql.lock_accounts, "[]").await.expect("rows").is_empty());
}

#[tokio::test]
async fn an_update_counts_the_rows_that_it_found() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    let sql = table();
    let rows = r#"[["a",1,5,1,1,1,1],["b",1,5,1,1,1,1]]"#;
    assert_eq!(connection.execute(&sql.insert_accounts, rows).await, Ok(2));
    // Nothing in them is new, and one is not there at all.
    let rows = r#"[["a",1,5,1,1,1,1],["b",1,5,1,1,1,1],["c",1,5,1,1,1,1]]"#;
    assert_eq!(connection.execute(&sql.update_accounts, rows).await, Ok(2));
}
