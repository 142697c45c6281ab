//! Lanes of several gateways on one shard.
use market::batch::AccountKey;
use market::chances::Account;
use tokio::join;
use tokio::time::Instant;

use super::{bench, connect, is_conflict, number, shard, table};
use crate::grant::GrantId;
use crate::store::conformance::{Bench, account, change_all, gather, orders_of, receipt};
use crate::store::{Connection, MysqlDatabase, PersistError, ShardStore, StoreError};

type Lane = Bench<MysqlDatabase>;

/// Accounts of these users, with one order each.
async fn with_users(lane: &mut Lane, names: &[&str]) {
    let calls: Vec<(&str, &str)> = names.iter().map(|&name| (name, "first")).collect();
    let settlement = lane.settlement(&calls);
    lane.persist(1, &settlement).await.expect("persisted");
}

async fn lock(lane: &mut Lane, calls: &[(&str, &str)]) -> Result<(), StoreError> {
    lane.prefetch(&gather(calls)).await.map(drop)
}

#[tokio::test]
async fn batches_of_the_same_users_do_not_deadlock_whatever_their_order() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    let names: Vec<String> = (0..60).map(|number| format!("user{number}")).collect();
    with_users(
        &mut one,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let forth: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "again")).collect();
    let back: Vec<(&str, &str)> = forth.iter().rev().copied().collect();
    let rounds = async |lane: &mut Lane, calls: &[(&str, &str)]| {
        for _ in 0..40 {
            lock(lane, calls)
                .await
                .expect("waits, but does not deadlock");
            lane.store.undo().await;
        }
    };
    join!(rounds(&mut one, &forth), rounds(&mut two, &back));
}

#[tokio::test]
async fn a_deadlock_is_a_conflict_for_one_of_the_two() {
    let database = shard().await;
    let sql = table();
    let (mut one, mut two) = (connect(&database).await, connect(&database).await);
    one.run("INSERT INTO raffle_account_0 VALUES ('a',1,5,1,1,1,1), ('b',1,5,1,1,1,1)")
        .await
        .expect("accounts");
    let [a, b] = ["('a',1)", "('b',1)"].map(|key| sql.accounts.lock_batch.replace("{rows}", key));
    for (connection, locks) in [(&mut one, &a), (&mut two, &b)] {
        connection.begin().await.expect("a transaction");
        connection.rows(locks, "[]").await.expect("locked");
    }
    let (one, two) = join!(one.rows(&b, "[]"), two.rows(&a, "[]"));
    assert_ne!(one.is_ok(), two.is_ok());
    assert!(is_conflict(&one) || is_conflict(&two));
}

#[tokio::test]
async fn locked_users_do_not_hold_up_others() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    with_users(&mut one, &["a", "b", "c"]).await;
    lock(&mut one, &[("b", "again"), ("nobody", "again")])
        .await
        .expect("locked");
    let settlement = two.settlement(&[("new", "first"), ("nobody2", "first")]);
    lock(
        &mut two,
        &[("a", "again"), ("c", "again"), ("new", "first")],
    )
    .await
    .expect("not held up");
    let persisted = two
        .store
        .persist(
            GrantId(2),
            &settlement,
            &receipt::<MysqlDatabase>(&settlement),
        )
        .await;
    persisted.expect("new users come between");
}

#[tokio::test]
async fn a_new_user_on_two_lanes_at_once_is_made_once() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    for lane in [&mut one, &mut two] {
        let known = lane
            .prefetch(&gather(&[("new", "key")]))
            .await
            .expect("no row is locked");
        assert_eq!(known.accounts, [None]);
    }
    let (first, second) = (
        one.settlement(&[("new", "key")]),
        two.settlement(&[("new", "key")]),
    );
    let (first_receipt, second_receipt) = (
        receipt::<MysqlDatabase>(&first),
        receipt::<MysqlDatabase>(&second),
    );
    let (first, second) = join!(
        one.store.persist(GrantId(1), &first, &first_receipt),
        two.store.persist(GrantId(2), &second, &second_receipt)
    );
    assert_ne!(first.is_ok(), second.is_ok());
    let loser = first.and(second);
    assert!(
        matches!(loser, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{loser:?}"
    );
    one.store.undo().await;
    two.store.undo().await;
    assert_eq!(one.issued().await, 1);
}

#[tokio::test]
async fn the_same_request_on_two_lanes_meets_at_the_lock() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    with_users(&mut one, &["a"]).await;
    lock(&mut one, &[("a", "key")]).await.expect("locked");
    let mut settlement = one.settlement(&[("a", "key")]);
    change_all(&mut settlement, account(2));
    let receipt = receipt::<MysqlDatabase>(&settlement);
    let call = gather(&[("a", "key")]);
    let (known, persisted) = join!(
        two.prefetch(&call),
        one.store.persist(GrantId(2), &settlement, &receipt)
    );
    persisted.expect("persisted");
    let found = orders_of(&known.expect("waited")).remove(0);
    assert_eq!(
        found,
        settlement.rows.made[0].made.orders(),
        "the order that was made meanwhile"
    );
}

#[tokio::test]
async fn a_lock_that_does_not_come_free_is_said_to_be_held_and_undoes_all() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    with_users(&mut one, &["a"]).await;
    lock(&mut one, &[("a", "again")]).await.expect("locked");
    let started = Instant::now();
    // A new account and an order are written before the lock is waited for in vain.
    let mut settlement = two.settlement(&[("x", "key"), ("a", "key")]);
    let change = |(index, (key, new)): (usize, (&AccountKey, &Account))| {
        let stored = (index > 0).then(|| account(1));
        let now = if index > 0 { account(2) } else { *new };
        (key.clone(), stored, Some(now))
    };
    let accounts = settlement.rows.accounts.written_rows().enumerate();
    settlement.rows.accounts = accounts.map(change).collect();
    let refused = two.persist(2, &settlement).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Held(_)))),
        "{refused:?}"
    );
    assert!(started.elapsed() < two.database.options.statement_timeout);
    // The server has undone the statement, not the transaction, which the lane must undo.
    two.store.undo().await;
    one.store.undo().await;
    let known = one.prefetch(&gather(&[("x", "key")])).await.expect("read");
    assert_eq!((known.accounts, known.calls), (vec![None], vec![None]));
    one.store.undo().await;
    two.persist(3, &settlement)
        .await
        .expect("the lane works again");
    assert_eq!(
        number(
            &one.database,
            "SELECT COUNT(*) FROM stock_receipt WHERE grant_id = 2"
        )
        .await,
        0
    );
}
