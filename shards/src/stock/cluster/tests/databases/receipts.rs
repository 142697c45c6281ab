//! Grants that stay open, their receipts, and counters of issued units: sweep, reclaim, fold.
use std::time::Duration;

use super::super::super::ledger::{GrantOutcome, ShardLedger};
use super::super::super::sweep::OPEN_MAX;
use super::super::super::{Reclaimed, reclaim};
use super::super::breakers;
use super::TestCluster;
use crate::grant::GrantId;
use crate::stock::Stock;
use crate::stock::conformance::units;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::{Columns, Connection, Database, StoreError};

#[tokio::test]
async fn the_outcome_of_a_grant_is_decided_once() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let (committed, dead) = (cluster.take(0, 1, 3).await, cluster.take(1, 2, 4).await);
    cluster
        .note(0, 1, Epoch(1), &committed.parts)
        .await
        .expect("noted");
    assert_eq!(
        cluster.shards[0].decide(ServerId(1), GrantId(1)).await,
        Ok(GrantOutcome::Committed(committed.parts.clone()))
    );
    assert_eq!(
        cluster.shards[1].decide(ServerId(1), GrantId(2)).await,
        Ok(GrantOutcome::Void)
    );
    assert_eq!(
        cluster.shards[1].decide(ServerId(1), GrantId(2)).await,
        Ok(GrantOutcome::Void),
        "asked again"
    );
    let refused = cluster.note(1, 2, Epoch(1), &dead.parts).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "a batch that was made void never commits: {refused:?}"
    );
    drop(dead);
}

#[tokio::test]
async fn grants_that_stay_open_are_swept() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let committed = cluster.take(0, 1, 3).await;
    let _dead = cluster.take(1, 2, 4).await;
    // The batch used two of its three units.
    let used = committed.used(&[units(1, 2)]);
    cluster.note(0, 1, Epoch(1), &used).await.expect("noted");
    tokio::time::sleep(OPEN_MAX).await;
    cluster.reconcile().await;
    assert_eq!((cluster.left().await, cluster.open().await), (8, 0));
    assert_eq!(cluster.issued(0).await + cluster.issued(1).await, 2);
}

#[tokio::test]
async fn receipts_that_a_dead_lane_left_are_closed_and_deleted() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    for grant in 1..=3 {
        let granted = cluster.take(0, grant, 2).await;
        cluster
            .note(0, grant, Epoch(1), &granted.parts)
            .await
            .expect("noted");
    }
    let minute = Duration::from_mins(1);
    assert_eq!(
        reclaim(&cluster.stock, &cluster.shards[0], minute)
            .await
            .expect("reclaimed"),
        Reclaimed::default(),
        "too young"
    );
    assert_eq!(
        (
            cluster.issued(0).await,
            cluster.left().await,
            cluster.open().await
        ),
        (6, 4, 3)
    );
    // Two holders of the job at once.
    let again = || reclaim(&cluster.stock, &cluster.shards[0], Duration::ZERO);
    let (one, two) = tokio::join!(again(), again());
    let deleted = |reclaimed: Result<Reclaimed, _>| reclaimed.unwrap_or_default().deleted;
    assert_eq!(deleted(one) + deleted(two), 3);
    assert_eq!(
        (
            cluster.issued(0).await,
            cluster.left().await,
            cluster.open().await
        ),
        (6, 4, 0)
    );
    assert_eq!(cluster.shards[0].count_old(Duration::ZERO).await, Ok(0));
}

#[tokio::test]
async fn a_receipt_stays_while_its_grant_may_be_open() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let granted = cluster.take(0, 1, 2).await;
    cluster
        .note(0, 1, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    // Even if this shard already has a later epoch of the server: other shards may not have it yet.
    cluster.shards[0]
        .raise_epoch(ServerId(1), Epoch(2))
        .await
        .expect("raised");
    cluster.redis.kill();
    assert!(
        reclaim(&cluster.stock, &cluster.shards[0], Duration::ZERO)
            .await
            .is_err()
    );
    assert_eq!(cluster.shards[0].count_old(Duration::ZERO).await, Ok(1));
}

/// As after an hour without meta database or Redis: neither job waits for the other.
#[tokio::test]
async fn a_backlog_of_receipts_does_not_affect_a_rebuild_and_one_round_clears_it() {
    let mut cluster = TestCluster::new().await;
    cluster.add(1_000_000).await;
    cluster.reconcile().await;
    let granted = cluster.take(0, 1, 3).await;
    cluster
        .note(0, 1, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    let part = granted.parts[0];
    let units = format!(
        "[[1,1,[[{},{},{},1]]]]",
        part.item.activity,
        part.item.good.id(),
        part.segment
    );
    let many = format!(
        "INSERT INTO stock_receipt (grant_id, void, units, created_at)
         SELECT 1000 + a.server + 16 * b.server + 256 * c.server + 4096 * d.server + 65536 * e.server, 0, '{units}',
                NOW(3) - INTERVAL 1 HOUR
         FROM stock_epoch AS a, stock_epoch AS b, stock_epoch AS c, stock_epoch AS d, stock_epoch AS e
         WHERE e.server < 10 AND 1000 + a.server + 16 * b.server + 256 * c.server + 4096 * d.server + 65536 * e.server
               < 601000"
    );
    cluster.options.shards[0]
        .connect()
        .await
        .expect("a connection")
        .run(&many)
        .await
        .expect("rows");
    assert_eq!(
        cluster.shards[0].count_old(Duration::from_mins(5)).await,
        Ok(600_000)
    );
    cluster.restart_redis().await;
    assert_eq!(
        cluster.left().await,
        999_997,
        "counted without the receipts"
    );
    let reclaimed = reclaim(&cluster.stock, &cluster.shards[0], Duration::from_mins(5))
        .await
        .expect("reclaimed");
    assert_eq!(
        reclaimed,
        Reclaimed {
            deleted: 600_000,
            left: 0
        }
    );
    assert_eq!(
        cluster.shards[0].count_old(Duration::from_mins(5)).await,
        Ok(0)
    );
    assert_eq!(cluster.left().await, 999_997);
}

#[tokio::test]
async fn a_lane_gets_grants_that_are_closed_wherever_they_were_open() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let lane = cluster.stock.for_lane(0, 0, &breakers()).one_by_one();
    let granted = lane
        .take(GrantId(1), &[units(1, 2)])
        .await
        .expect("the stock answers");
    let unused = lane
        .take(GrantId(2), &[units(1, 2)])
        .await
        .expect("the stock answers");
    lane.settle(GrantId(1), &granted, &granted.parts);
    lane.settle(GrantId(2), &unused, &[]);
    let mut closed = lane.closed();
    while closed.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        closed = lane.closed();
    }
    assert_eq!(closed, [GrantId(1)], "the other grant has no receipt");
    assert_eq!(lane.closed(), [], "each grant is returned once");
    // A grant that cannot be closed is not returned.
    let granted = lane
        .take(GrantId(3), &[units(1, 2)])
        .await
        .expect("the stock answers");
    cluster.redis.kill();
    lane.settle(GrantId(3), &granted, &granted.parts);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(lane.closed(), []);
}

#[tokio::test]
async fn idle_counters_are_folded_once_and_lanes_continue() {
    let mut cluster = TestCluster::new().await;
    cluster.add(10).await;
    cluster.reconcile().await;
    let counters = "SELECT COUNT(*) FROM stock_issued WHERE run > 0";
    for (grant, run) in [(1, 1_u64), (2, 1), (3, 2)] {
        let granted = cluster.take(0, run << 38 | grant, 2).await;
        cluster
            .note(0, run << 38 | grant, Epoch(1), &granted.parts)
            .await
            .expect("noted");
    }
    let left = async |cluster: &TestCluster| {
        let mut link = cluster.options.shards[0]
            .connect()
            .await
            .expect("a connection");
        link.rows(counters, "[]").await.expect("rows")[0]
            .integer(0)
            .expect("a count")
    };
    assert_eq!(
        cluster.shards[0].fold(Duration::from_mins(1)).await,
        Ok(0),
        "too young"
    );
    let before = left(&cluster).await;
    assert!(before >= 2);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (one, two) = tokio::join!(
        cluster.shards[0].fold(Duration::ZERO),
        cluster.shards[0].fold(Duration::ZERO)
    );
    assert_eq!(
        one.unwrap_or(0) + two.unwrap_or(0),
        usize::try_from(before).expect("few")
    );
    assert_eq!((cluster.issued(0).await, left(&cluster).await), (6, 0));
    let granted = cluster.take(0, 1 << 38 | 4, 1).await;
    cluster
        .note(0, 1 << 38 | 4, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    assert_eq!((cluster.issued(0).await, left(&cluster).await), (7, 1));
    assert_eq!(
        cluster.shards[0].fold(Duration::ZERO).await,
        Ok(1),
        "onto counters that are there"
    );
    assert_eq!(cluster.issued(0).await, 7);
}
