//! Additions and withdrawals of operators.
use jiff::Timestamp;

use super::super::super::{Reconciled, Withdrawn, rebuild, withdraw};
use super::super::breakers;
use super::{TestCluster, change};
use crate::grant::GrantId;
use crate::stock::conformance::{item, units};
use crate::stock::ids::Epoch;
use crate::stock::{Stock, StockUnavailable};

#[tokio::test]
async fn additions_are_delivered_once_and_counted_once() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    assert_eq!(cluster.left().await, 10, "counted by the rebuild");
    cluster.reconcile().await;
    assert_eq!(cluster.left().await, 10, "and not delivered on top");
    cluster.add(7).await;
    cluster.reconcile().await;
    cluster.reconcile().await;
    assert_eq!(cluster.left().await, 17);
    cluster.add(5).await;
    let rebuilt = rebuild(cluster.node(), &cluster.shards, &cluster.ledger, Epoch(0))
        .await
        .expect("rebuilt");
    assert_eq!(rebuilt, Epoch(2));
    cluster.reconcile().await;
    assert_eq!(cluster.left().await, 22);
}

#[tokio::test]
async fn a_withdrawal_lowers_the_total_by_what_was_left() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let granted = cluster.take(0, 1, 4).await;
    cluster
        .note(0, 1, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    let operation = cluster
        .meta
        .stock_operations()
        .ask_withdrawal(&change(9), Timestamp::UNIX_EPOCH)
        .await
        .expect("recorded");
    // Two holders of the job at once.
    let (one, two) = tokio::join!(
        withdraw(&cluster.stock, &cluster.ledger),
        withdraw(&cluster.stock, &cluster.ledger)
    );
    one.and(two).expect("done");
    withdraw(&cluster.stock, &cluster.ledger)
        .await
        .expect("nothing is left to do");
    assert_eq!(
        cluster.meta.stock_operations().applied(operation).await,
        Ok(Some(-6))
    );
    assert_eq!(
        cluster
            .meta
            .stock_operations()
            .totals()
            .await
            .expect("read")[&item(1)],
        4
    );
    assert_eq!(cluster.left().await, 0);
    rebuild(cluster.node(), &cluster.shards, &cluster.ledger, Epoch(0))
        .await
        .expect("rebuilt");
    assert_eq!(
        cluster.left().await,
        0,
        "a rebuild does not bring back what was withdrawn"
    );
}

#[tokio::test]
async fn a_delivery_includes_segments_that_get_no_units() {
    let mut cluster = TestCluster::new().await;
    cluster.reconcile().await;
    cluster.add(1).await;
    let early = cluster
        .stock
        .for_lane(0, 0, &breakers())
        .take(GrantId(1), &[units(1, 2)])
        .await;
    assert_eq!(
        early,
        Err(StockUnavailable::Undelivered(vec![item(1)])),
        "the unit was not delivered yet"
    );
    assert_eq!(
        cluster.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
    assert_eq!(
        cluster.take(0, 2, 2).await.units(),
        [units(1, 1)],
        "there are no more units"
    );
}

#[tokio::test]
async fn undelivered_units_are_withdrawn_after_their_delivery() {
    let mut cluster = TestCluster::new().await;
    cluster.reconcile().await;
    cluster.add(5).await;
    cluster
        .meta
        .stock_operations()
        .ask_withdrawal(&change(3), Timestamp::UNIX_EPOCH)
        .await
        .expect("recorded");
    assert_eq!(
        withdraw(&cluster.stock, &cluster.ledger)
            .await
            .expect("reconciled"),
        Withdrawn {
            done: 0,
            waiting: 1
        },
        "it waits for the delivery"
    );
    cluster.reconcile().await;
    assert_eq!(
        withdraw(&cluster.stock, &cluster.ledger)
            .await
            .expect("reconciled"),
        Withdrawn {
            done: 1,
            waiting: 0
        }
    );
    assert_eq!(cluster.left().await, 2);
}
