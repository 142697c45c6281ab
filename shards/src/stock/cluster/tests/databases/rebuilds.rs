//! Rebuilds and epochs.
use super::super::super::ledger::ShardLedger;
use super::super::super::{ReconcileError, Reconciled, rebuild};
use super::TestCluster;
use crate::grant::GrantId;
use crate::stock::Receipt;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::{Connection, Database, GrantNote, MysqlDatabase, StoreError};
use crate::testing::{TestRedis, redis_command};

#[tokio::test]
async fn a_server_is_built_from_the_totals_and_again_after_it_lost_its_units() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    assert_eq!(cluster.reconcile().await, Reconciled::Rebuilt(Epoch(1)));
    assert_eq!(cluster.left().await, 10);
    let granted = cluster.take(1, 7, 4).await;
    cluster
        .note(1, 7, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    cluster.restart_redis().await;
    assert_eq!(
        (cluster.left().await, cluster.open().await),
        (6, 0),
        "units that shard 1 issued stay issued"
    );
    let fenced = cluster.note(0, 8, Epoch(1), &granted.parts).await;
    assert!(
        matches!(fenced, Err(StoreError::Fenced(_))),
        "units of an earlier epoch cannot be issued: {fenced:?}"
    );
    // The addition is delivered to the server, which has counted it already.
    assert_eq!(
        cluster.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
    assert_eq!(cluster.left().await, 6);
}

#[tokio::test]
async fn a_server_with_a_later_epoch_is_rebuilt_under_a_still_later_one() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    assert_eq!(cluster.reconcile().await, Reconciled::Rebuilt(Epoch(1)));
    for key in ["test:stock", "test:grants"] {
        cluster.redis.command(&["HSET", key, "epoch", "7"]).await;
    }
    let rebuilt = rebuild(cluster.node(), &cluster.shards, &cluster.ledger, Epoch(0)).await;
    assert!(
        matches!(rebuilt, Err(ReconcileError::Behind(Epoch(7)))),
        "{rebuilt:?}"
    );
    assert_eq!(cluster.reconcile().await, Reconciled::Rebuilt(Epoch(8)));
    assert_eq!(cluster.left().await, 10);
    // The addition is delivered to the server, which has counted it already.
    assert_eq!(
        cluster.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
}

/// A gateway hangs in mid-batch. A rebuild gives up soon, and other lanes continue.
#[tokio::test]
async fn a_rebuild_does_not_wait_long_for_an_epoch_that_is_held() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let granted = cluster.take(0, 1, 2).await;
    let receipt = Receipt {
        used: granted.parts.clone(),
        epochs: granted.epochs.clone(),
        ..Receipt::default()
    };
    let note = GrantNote::new(GrantId(1), 0, &receipt);
    let mut frozen = cluster.options.shards[0]
        .connect()
        .await
        .expect("a connection");
    frozen.begin().await.expect("a transaction");
    frozen
        .run_all(&note.steps(&MysqlDatabase::DIALECT))
        .await
        .expect("noted");
    let raised = cluster.shards[0].raise_epoch(ServerId(1), Epoch(2)).await;
    assert!(matches!(raised, Err(StoreError::Held(_))), "{raised:?}");
    let granted = cluster.take(0, 2, 2).await;
    // Another lane has counters of its own.
    cluster
        .note(0, 1 << 38, Epoch(1), &granted.parts)
        .await
        .expect("the rebuild does not wait any more");
    frozen.rollback().await.expect("undone");
    assert_eq!(
        cluster.shards[0].raise_epoch(ServerId(1), Epoch(2)).await,
        Ok(Epoch(2))
    );
}

#[tokio::test]
async fn a_server_that_lacks_segments_of_a_prize_is_rebuilt() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    redis_command(
        &cluster.redis.options(),
        &["HDEL", "test:stock", "1:award:1:2"],
    )
    .await;
    assert_eq!(cluster.reconcile().await, Reconciled::Rebuilt(Epoch(2)));
    assert_eq!(cluster.left().await, 10);
    assert_eq!(
        cluster.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
}
