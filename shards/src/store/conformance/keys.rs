//! Request ids: a user's belongs to one call.
use market::batch::Slots;

use super::bench::{Bench, calls_for, gather, orders_of};
use crate::store::{Database, PersistError, ShardStore, StoreError};

pub(super) async fn a_request_id_has_one_order<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = bench.settlement(&[("a", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let mut repeat = bench.settlement(&[("b", "1"), ("a", "1")]);
    repeat.rows.accounts = Slots::new(Vec::new(), Vec::new());
    let refused = bench.persist(2, &repeat).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    let known = bench
        .prefetch(&gather(&[("b", "1"), ("a", "1")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(
        orders_of(&known),
        [Vec::new(), first.rows.made[0].made.orders().to_vec()],
        "all of the batch is undone"
    );
    assert_eq!(bench.issued().await, 1);
}

/// Two gateways with one key at once, and different counts or chances: one of them is undone whole.
pub(super) async fn calls_with_one_request_id_collide<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = calls_for(&mut bench, &[("a", "1", 2)]);
    bench.persist(1, &first).await.expect("persisted");
    for (grant, made) in [(2, 1), (3, 2), (4, 10)] {
        let mut again = calls_for(&mut bench, &[("b", "1", 1), ("a", "1", made)]);
        again.rows.accounts = Slots::new(Vec::new(), Vec::new());
        let refused = bench.persist(grant, &again).await;
        assert!(
            matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
            "{made}: {refused:?}"
        );
        bench.store.undo().await;
    }
    let known = bench
        .prefetch(&gather(&[("b", "1"), ("a", "1")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(
        orders_of(&known),
        [Vec::new(), first.rows.made[0].made.orders().to_vec()]
    );
    assert_eq!(bench.issued().await, 2);
}
