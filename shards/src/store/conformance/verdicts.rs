//! Batches in doubt: whether they have committed.
use super::bench::Bench;
use crate::store::{CommitVerdict, Database, PersistError, ShardStore, StoreError};

pub(super) async fn a_verdict_is_final<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let settlement = bench.settlement(&[("a", "1")]);
    bench.persist(5, &settlement).await.expect("persisted");
    assert_eq!(
        bench.verdict(5, &settlement).await,
        Ok(CommitVerdict::Committed)
    );
    assert_eq!(
        bench.verdict(5, &settlement).await,
        Ok(CommitVerdict::Committed),
        "asked again"
    );
    let late = bench.settlement(&[("b", "1")]);
    assert_eq!(bench.verdict(6, &late).await, Ok(CommitVerdict::Void));
    assert_eq!(
        bench.verdict(6, &late).await,
        Ok(CommitVerdict::Void),
        "the first verdict was lost"
    );
    if D::DIALECT.lane_per_table {
        let refused = bench.persist(6, &late).await;
        assert!(
            matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
            "{refused:?}"
        );
        bench.store.undo().await;
    }
    bench.persist(7, &late).await.expect("another grant");
    assert_eq!(bench.issued().await, 2);
}

/// Such a batch has nothing to go by but its orders.
pub(super) async fn a_batch_without_units_gets_its_verdict_too<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let (mut made, mut lost) = (
        bench.settlement(&[("a", "1")]),
        bench.settlement(&[("a", "2")]),
    );
    made.used.clear();
    lost.used.clear();
    bench.persist(1, &made).await.expect("persisted");
    assert_eq!(bench.verdict(1, &made).await, Ok(CommitVerdict::Committed));
    assert_eq!(bench.verdict(2, &lost).await, Ok(CommitVerdict::Void));
    assert_eq!(bench.issued().await, 0);
}
