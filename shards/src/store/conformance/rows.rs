//! Rows: what is persisted is found, what is undone is not.
use router::{ShardId, SlotMap};

use super::bench::{Bench, TABLES, account, calls_for, change_all, gather, orders_of, sqlite};
use crate::store::tables::orders::OrderStatements;
use crate::store::{
    CallKeys, Columns, Connection, Database, OnLock, PersistError, ShardStore, SqlShard,
    SqliteFile, StoreError, migrate_shard,
};

#[tokio::test]
async fn a_user_of_another_shard_is_refused() {
    let (_folder, file) = sqlite();
    migrate_shard(&file, 1).await.expect("a fresh shard");
    let map = SlotMap::even(1, 2, 1).expect("a map");
    let names: Vec<String> = (0..100).map(|number| format!("u{number}")).collect();
    let of = |shard| {
        names
            .iter()
            .find(|name| map.route(name).shard() == ShardId::new(shard))
            .expect("one of many")
    };
    let mut store = SqlShard::new(file, map.clone(), ShardId::new(0), 0..1);
    store
        .prefetch(
            &gather(&[(of(0), "k")]),
            CallKeys::LookUp,
            OnLock::Wait,
            true,
        )
        .await
        .expect("its own");
    store.undo().await;
    let refused = store
        .prefetch(
            &gather(&[(of(0), "k"), (of(1), "k")]),
            CallKeys::LookUp,
            OnLock::Wait,
            true,
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
}

pub(super) async fn what_is_persisted_is_found<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    // Enough users to fill every table, among them ids that sloppy collations take for equal.
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let odd = ["u", "U", "ú", "a b", "\"'\\;--", "漢字", "😀"];
    let calls: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .chain(odd)
        .map(|name| (name, "Key"))
        .collect();
    let settlement = bench.settlement(&calls);
    bench.persist(1, &settlement).await.expect("persisted");
    let known = bench.prefetch(&gather(&calls)).await.expect("read");
    bench.store.undo().await;
    for (index, made) in settlement.rows.made.iter().enumerate() {
        assert_eq!(orders_of(&known)[index], made.made.orders());
        assert_eq!(known.accounts[index], Some(account(1)));
    }
    let strangers = gather(&[
        ("user0", "key"),
        ("User0", "Key"),
        ("user", "Key"),
        ("ù", "Key"),
    ]);
    let known = bench.prefetch(&strangers).await.expect("read");
    bench.store.undo().await;
    assert_eq!(known.calls, [const { None }; 4]);
    assert_eq!(known.accounts, [Some(account(1)), None, None, None]);
    assert_eq!(bench.issued().await, 47);
}

pub(super) async fn changed_accounts_are_changed<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    bench.draw_and_draw_again().await;
    let known = bench
        .prefetch(&gather(&[("a", "x"), ("b", "x")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(known.accounts, [Some(account(2)), Some(account(1))]);
}

pub(super) async fn a_call_has_its_orders_in_their_order<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let calls = [
        ("a", "ten", 10),
        ("b", "one", 1),
        ("c", "ten", 3),
        ("d", "ten", 10),
    ];
    let settlement = calls_for(&mut bench, &calls);
    bench.persist(1, &settlement).await.expect("persisted");
    let asked: Vec<(&str, &str)> = calls
        .iter()
        .map(|&(name, key, _)| (name, key))
        .chain([("a", "one")])
        .collect();
    let known = bench.prefetch(&gather(&asked)).await.expect("read");
    bench.store.undo().await;
    for (found, made) in orders_of(&known).iter().zip(&settlement.rows.made) {
        assert_eq!(found, made.made.orders());
    }
    assert_eq!(known.calls[4], None);
    assert_eq!(bench.issued().await, 24);
}

pub(super) async fn accounts_that_came_or_went_meanwhile_are_conflicts<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = bench.settlement(&[("a", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let again = bench.settlement(&[("a", "2")]);
    let refused = bench.persist(2, &again).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    let mut absent = bench.settlement(&[("b", "1")]);
    change_all(&mut absent, account(1));
    let refused = bench.persist(3, &absent).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    assert_eq!(bench.issued().await, 1);
}

pub(super) async fn what_is_undone_leaves_nothing<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    bench.prefetch(&gather(&[("a", "1")])).await.expect("read");
    bench.store.undo().await;
    bench.store.undo().await;
    let settlement = bench.settlement(&[("a", "1")]);
    bench
        .persist(1, &settlement)
        .await
        .expect("the store is usable");
    assert_eq!(bench.issued().await, 1);
}

pub(super) async fn the_greatest_order_id_is_known<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let settlement = bench.settlement(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
    bench.persist(1, &settlement).await.expect("persisted");
    let mut connection = bench.database.connect().await.expect("a connection");
    let mut greatest = 0;
    for table in 0..TABLES {
        let rows = connection
            .rows(&OrderStatements::of(&D::DIALECT, table).read_last, "[]")
            .await
            .expect("rows");
        greatest = rows[0].number::<u64>(0).expect("an id").max(greatest);
    }
    assert_eq!(
        Some(greatest),
        settlement.rows.orders().map(|order| order.id.get()).max()
    );
}

#[tokio::test]
async fn a_commit_is_on_disk_before_it_is_answered() {
    let (_folder, file) = sqlite();
    migrate_shard(&file, TABLES).await.expect("a fresh shard");
    let mut connection = file.connect().await.expect("a connection");
    let pragma = async |connection: &mut <SqliteFile as Database>::Connection, name: &str| {
        connection
            .rows(&format!("PRAGMA {name}"), "[]")
            .await
            .expect("a pragma")
    };
    let synchronous = pragma(&mut connection, "synchronous").await;
    assert_eq!(synchronous[0].integer(0).expect("a number"), 2, "FULL");
    let journal = pragma(&mut connection, "journal_mode").await;
    assert_eq!(journal[0].text(0).expect("a text"), "wal");
}
