//! Schema versions, and rows of the first one.
use market::DrawCount;

use super::bench::{Bench, TABLES, gather, map, orders_of};
use crate::store::{
    Connection, Database, MigrateError, PersistError, ShardStore, StoreError, migrate_meta,
    migrate_shard,
};

/// Orders from before calls had counts are calls for one draw.
pub(super) async fn orders_of_the_first_schema_are_kept<D: Database>(database: D) {
    let mut connection = database.connect().await.expect("a connection");
    let first = D::DIALECT
        .shard_change(0, TABLES)
        .expect("the first version");
    let noted = "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);
                 INSERT INTO schema_version VALUES (1)";
    connection
        .run(&format!("{first};\n{noted}"))
        .await
        .expect("made");
    let table = map().route("a").table();
    let columns =
        "order_id, user_id, request_id, activity_id, version, ordinal, day, award_id, award_title,
                   award_index, rule, stocked, created_at_ms";
    let row = "1024, 'a', '1', 100301, 3, 7, 20261121, 101, 't', 8, 'rule_default', 0, 1";
    connection
        .run(&format!(
            "INSERT INTO raffle_order_{table} ({columns}) VALUES ({row})"
        ))
        .await
        .expect("written");
    drop(connection);
    let mut bench = Bench::new(database).await;
    let known = bench.prefetch(&gather(&[("a", "1")])).await.expect("read");
    bench.store.undo().await;
    let [order] = &orders_of(&known)[0][..] else {
        panic!("{:?}", known.calls)
    };
    assert_eq!(
        (order.id.get(), order.seq, order.asked),
        (1024, 0, DrawCount::ONE)
    );
    let again = bench.settlement(&[("a", "1")]);
    let refused = bench.persist(1, &again).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
}

pub(super) async fn migrations_run_once_and_refuse_a_newer_schema<D: Database>(database: D) {
    for _ in 0..2 {
        migrate_shard(&database, TABLES).await.expect("idempotent");
    }
    let (one, two) = tokio::join!(
        migrate_shard(&database, TABLES),
        migrate_shard(&database, TABLES)
    );
    one.and(two).expect("two at once take turns");
    let mut connection = database.connect().await.expect("a connection");
    connection
        .run("INSERT INTO schema_version VALUES (999)")
        .await
        .expect("planted");
    let refused = migrate_shard(&database, TABLES).await;
    assert!(
        matches!(refused, Err(MigrateError::TooNew { found: 999, .. })),
        "{refused:?}"
    );
}

pub(super) async fn the_meta_schema_is_made_once<D: Database>(database: D) {
    let (one, two) = tokio::join!(migrate_meta(&database), migrate_meta(&database));
    one.and(two).expect("two at once take turns");
}
