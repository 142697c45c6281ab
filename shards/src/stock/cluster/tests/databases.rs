//! The jobs over real databases and a real server: rebuild, sweep, reclaim, fold, delivery,
//! withdrawal.
use jiff::Timestamp;

use super::super::ledger::{GrantOutcome, ShardLedger};
use super::*;
use crate::installation::ClusterOptions;
use crate::meta::{Meta, StockChange};
use crate::stock::Receipt;
use crate::stock::conformance::units;
use crate::store::{Columns, Connection, Database, GrantNote, MysqlDatabase, StoreError};
use crate::testing::{TestRedis, shared_database};

/// A cluster of two shards and one server, without gateways.
struct Site {
    redis: Redis,
    options: ClusterOptions,
    meta: Meta<MysqlDatabase>,
    ledger: SqlMetaLedger,
    shards: Vec<SqlShardLedger>,
    stock: Arc<ClusterStock<RedisServer>>,
    spread: Spread,
    seen: Epoch,
}

impl Site {
    async fn new() -> Self {
        let redis = Redis::start().await;
        let shards = vec![shared_database().await, shared_database().await];
        let options = ClusterOptions {
            meta: shared_database().await,
            shards,
            tables: 1,
            redis: vec![super::options(&redis)],
            segments: 3,
        };
        options.migrate().await.expect("migrated");
        let spread = Spread {
            segments: 3,
            servers: 1,
        };
        let meta = Meta::new(options.meta.clone());
        let (stock, _closers) = ClusterStock::new(vec![connect(1, spread, &redis)]);
        Self {
            ledger: SqlMetaLedger::new(meta.clone(), spread),
            shards: options
                .shards
                .iter()
                .cloned()
                .map(SqlShardLedger::new)
                .collect(),
            meta,
            options,
            redis,
            stock,
            spread,
            seen: Epoch(0),
        }
    }

    fn node(&self) -> &Arc<StockNode<RedisServer>> {
        &self.stock.nodes()[0]
    }

    async fn reconcile(&mut self) -> Reconciled {
        let node = self.node().clone();
        let Self {
            stock,
            shards,
            ledger,
            spread,
            seen,
            ..
        } = self;
        reconcile(stock, &node, shards, ledger, *spread, seen)
            .await
            .expect("looked after")
    }

    async fn add(&self, count: u64) {
        self.meta
            .stock_operations()
            .add(&change(count), Timestamp::UNIX_EPOCH)
            .await
            .expect("recorded");
    }

    /// What is left, by the server's word.
    async fn left(&self) -> u64 {
        let look = self
            .node()
            .trusted_session()
            .await
            .expect("trusted")
            .look()
            .await;
        look.expect("it answers")
            .expect("it knows its units")
            .left
            .values()
            .sum()
    }

    async fn open(&self) -> usize {
        let look = self
            .node()
            .trusted_session()
            .await
            .expect("trusted")
            .look()
            .await;
        look.expect("it answers")
            .expect("it knows its units")
            .open
            .len()
    }

    /// Notes a grant on a shard as a lane does in its transaction.
    async fn note(
        &self,
        shard: usize,
        grant: u64,
        epoch: Epoch,
        parts: &[Part],
    ) -> Result<(), StoreError> {
        let mut link = self.options.shards[shard]
            .connect()
            .await
            .expect("a connection");
        let epochs = [(ServerId(1), epoch)].into();
        let receipt = Receipt {
            used: parts.to_vec(),
            epochs,
            ..Receipt::default()
        };
        let note = GrantNote::new(GrantId(grant), 0, &receipt);
        link.begin().await?;
        let steps = note.steps(&MysqlDatabase::DIALECT);
        let outcomes = link.run_all(&steps).await?;
        note.check(&steps, &outcomes)?;
        link.commit().await
    }

    async fn issued(&self, shard: usize) -> u64 {
        let issued = self.shards[shard]
            .issued_of(ServerId(1))
            .await
            .expect("read");
        issued.iter().map(|(_, _, units)| units).sum()
    }

    /// A lane of a shard takes units.
    async fn take(&self, shard: u16, grant: u64, count: u32) -> Granted {
        let granted = self
            .stock
            .for_lane(shard, 0, &breakers())
            .take(GrantId(grant), &[units(1, count)])
            .await;
        granted.expect("the stock answers")
    }
}

fn change(count: u64) -> StockChange {
    StockChange {
        prize: prize(1),
        units: count,
        who: "who".to_owned(),
        why: "why".to_owned(),
    }
}

#[tokio::test]
async fn a_server_is_built_from_the_totals_and_again_after_it_forgot() {
    let mut site = Site::new().await;
    site.add(10).await;
    assert_eq!(site.reconcile().await, Reconciled::Rebuilt(Epoch(1)));
    assert_eq!(site.left().await, 10);
    let granted = site.take(1, 7, 4).await;
    site.note(1, 7, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    site.redis.kill();
    site.redis.restart().await;
    let mut reconciled = reconcile_once(&mut site).await;
    while reconciled.is_none() {
        reconciled = reconcile_once(&mut site).await;
    }
    assert_eq!(
        (site.left().await, site.open().await),
        (6, 0),
        "what shard 1 issued stays issued"
    );
    let fenced = site.note(0, 8, Epoch(1), &granted.parts).await;
    assert!(
        matches!(fenced, Err(StoreError::Fenced(_))),
        "units of the past cannot be issued: {fenced:?}"
    );
    // The addition is told to the server, which has counted it already.
    assert_eq!(
        site.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
    assert_eq!(site.left().await, 6);
}

#[tokio::test]
async fn an_epoch_above_the_registered_one_is_rebuilt_above_and_never_taken_for_done() {
    let mut site = Site::new().await;
    site.add(10).await;
    assert_eq!(site.reconcile().await, Reconciled::Rebuilt(Epoch(1)));
    for key in ["test:stock", "test:grants"] {
        site.redis.command(&["HSET", key, "epoch", "7"]).await;
    }
    let rebuilt = rebuild(site.node(), &site.shards, &site.ledger, Epoch(0)).await;
    assert!(
        matches!(rebuilt, Err(ReconcileError::Behind(Epoch(7)))),
        "{rebuilt:?}"
    );
    assert_eq!(site.reconcile().await, Reconciled::Rebuilt(Epoch(8)));
    assert_eq!(site.left().await, 10);
    // The addition is told to the server, which has counted it already.
    assert_eq!(
        site.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
}

/// A connection of before a restart is found dead first.
async fn reconcile_once(site: &mut Site) -> Option<Reconciled> {
    let node = site.node().clone();
    let Site {
        stock,
        shards,
        ledger,
        spread,
        seen,
        ..
    } = site;
    reconcile(stock, &node, shards, ledger, *spread, seen)
        .await
        .ok()
}

#[tokio::test]
async fn the_outcome_of_a_grant_is_decided_once() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let (committed, dead) = (site.take(0, 1, 3).await, site.take(1, 2, 4).await);
    site.note(0, 1, Epoch(1), &committed.parts)
        .await
        .expect("noted");
    assert_eq!(
        site.shards[0].decide(ServerId(1), GrantId(1)).await,
        Ok(GrantOutcome::Committed(committed.parts.clone()))
    );
    assert_eq!(
        site.shards[1].decide(ServerId(1), GrantId(2)).await,
        Ok(GrantOutcome::Void)
    );
    assert_eq!(
        site.shards[1].decide(ServerId(1), GrantId(2)).await,
        Ok(GrantOutcome::Void),
        "asked again"
    );
    let refused = site.note(1, 2, Epoch(1), &dead.parts).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "a batch that was made void never commits: {refused:?}"
    );
    drop(dead);
}

#[tokio::test]
async fn grants_that_stay_open_are_swept() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let committed = site.take(0, 1, 3).await;
    let _dead = site.take(1, 2, 4).await;
    // The batch used two of its three units.
    let used = committed.used(&[units(1, 2)]);
    site.note(0, 1, Epoch(1), &used).await.expect("noted");
    tokio::time::sleep(super::super::sweep::OPEN_MAX).await;
    site.reconcile().await;
    assert_eq!((site.left().await, site.open().await), (8, 0));
    assert_eq!(site.issued(0).await + site.issued(1).await, 2);
}

#[tokio::test]
async fn receipts_that_a_dead_lane_left_are_closed_and_deleted() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    for grant in 1..=3 {
        let granted = site.take(0, grant, 2).await;
        site.note(0, grant, Epoch(1), &granted.parts)
            .await
            .expect("noted");
    }
    let minute = Duration::from_mins(1);
    assert_eq!(
        reclaim(&site.stock, &site.shards[0], minute)
            .await
            .expect("reclaimed"),
        Reclaimed::default(),
        "too young"
    );
    assert_eq!(
        (site.issued(0).await, site.left().await, site.open().await),
        (6, 4, 3)
    );
    // Two holders of the job at once.
    let again = || reclaim(&site.stock, &site.shards[0], Duration::ZERO);
    let (one, two) = tokio::join!(again(), again());
    let deleted = |reclaimed: Result<Reclaimed, _>| reclaimed.unwrap_or_default().deleted;
    assert_eq!(deleted(one) + deleted(two), 3);
    assert_eq!(
        (site.issued(0).await, site.left().await, site.open().await),
        (6, 4, 0)
    );
    assert_eq!(site.shards[0].count_old(Duration::ZERO).await, Ok(0));
}

#[tokio::test]
async fn a_receipt_stays_while_its_grant_may_be_open() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let granted = site.take(0, 1, 2).await;
    site.note(0, 1, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    // Not even for a server whose units are of the past on this shard: on others they are not yet.
    site.shards[0]
        .raise_epoch(ServerId(1), Epoch(2))
        .await
        .expect("raised");
    site.redis.kill();
    assert!(
        reclaim(&site.stock, &site.shards[0], Duration::ZERO)
            .await
            .is_err()
    );
    assert_eq!(site.shards[0].count_old(Duration::ZERO).await, Ok(1));
}

/// The right end of an hour without meta or Redis: neither job waits for the other.
#[tokio::test]
async fn a_rebuild_does_not_mind_a_backlog_and_one_round_ends_it() {
    let mut site = Site::new().await;
    site.add(1_000_000).await;
    site.reconcile().await;
    let granted = site.take(0, 1, 3).await;
    site.note(0, 1, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    let part = granted.parts[0];
    let units = format!(
        "[[1,1,[[{},{},{},1]]]]",
        part.prize.activity, part.prize.award, part.segment
    );
    let many = format!(
        "INSERT INTO stock_receipt (grant_id, void, units, created_at)
         SELECT 1000 + a.server + 16 * b.server + 256 * c.server + 4096 * d.server + 65536 * e.server, 0, '{units}',
                NOW(3) - INTERVAL 1 HOUR
         FROM stock_epoch AS a, stock_epoch AS b, stock_epoch AS c, stock_epoch AS d, stock_epoch AS e
         WHERE e.server < 10 AND 1000 + a.server + 16 * b.server + 256 * c.server + 4096 * d.server + 65536 * e.server
               < 601000"
    );
    site.options.shards[0]
        .connect()
        .await
        .expect("a connection")
        .run(&many)
        .await
        .expect("rows");
    assert_eq!(
        site.shards[0].count_old(Duration::from_mins(5)).await,
        Ok(600_000)
    );
    site.redis.kill();
    site.redis.restart().await;
    let mut reconciled = reconcile_once(&mut site).await;
    while reconciled.is_none() {
        reconciled = reconcile_once(&mut site).await;
    }
    assert_eq!(site.left().await, 999_997, "counted without the receipts");
    let reclaimed = reclaim(&site.stock, &site.shards[0], Duration::from_mins(5))
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
        site.shards[0].count_old(Duration::from_mins(5)).await,
        Ok(0)
    );
    assert_eq!(site.left().await, 999_997);
}

#[tokio::test]
async fn a_lane_is_told_of_grants_that_are_closed_where_they_were_open() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let lane = site.stock.for_lane(0, 0, &breakers()).one_by_one();
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
    assert_eq!(closed, [GrantId(1)], "the other has no receipt");
    assert_eq!(lane.closed(), [], "it is told once");
    // What cannot be closed is told to nobody.
    let granted = lane
        .take(GrantId(3), &[units(1, 2)])
        .await
        .expect("the stock answers");
    site.redis.kill();
    lane.settle(GrantId(3), &granted, &granted.parts);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(lane.closed(), []);
}

#[tokio::test]
async fn idle_counters_are_folded_once_and_lanes_go_on() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let counters = "SELECT COUNT(*) FROM stock_issued WHERE run > 0";
    for (grant, run) in [(1, 1_u64), (2, 1), (3, 2)] {
        let granted = site.take(0, run << 38 | grant, 2).await;
        site.note(0, run << 38 | grant, Epoch(1), &granted.parts)
            .await
            .expect("noted");
    }
    let left = async |site: &Site| {
        let mut link = site.options.shards[0]
            .connect()
            .await
            .expect("a connection");
        link.rows(counters, "[]").await.expect("rows")[0]
            .integer(0)
            .expect("a count")
    };
    assert_eq!(
        site.shards[0].fold(Duration::from_mins(1)).await,
        Ok(0),
        "too young"
    );
    let before = left(&site).await;
    assert!(before >= 2);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (one, two) = tokio::join!(
        site.shards[0].fold(Duration::ZERO),
        site.shards[0].fold(Duration::ZERO)
    );
    assert_eq!(
        one.unwrap_or(0) + two.unwrap_or(0),
        usize::try_from(before).expect("few")
    );
    assert_eq!((site.issued(0).await, left(&site).await), (6, 0));
    let granted = site.take(0, 1 << 38 | 4, 1).await;
    site.note(0, 1 << 38 | 4, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    assert_eq!((site.issued(0).await, left(&site).await), (7, 1));
    assert_eq!(
        site.shards[0].fold(Duration::ZERO).await,
        Ok(1),
        "onto counters that are there"
    );
    assert_eq!(site.issued(0).await, 7);
}

/// A gateway stands still in mid-batch: whoever raises the epoch gives up soon, and lanes go on.
#[tokio::test]
async fn an_epoch_that_is_held_is_not_waited_for_long() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let granted = site.take(0, 1, 2).await;
    let receipt = Receipt {
        used: granted.parts.clone(),
        epochs: granted.epochs.clone(),
        ..Receipt::default()
    };
    let note = GrantNote::new(GrantId(1), 0, &receipt);
    let mut frozen = site.options.shards[0]
        .connect()
        .await
        .expect("a connection");
    frozen.begin().await.expect("a transaction");
    frozen
        .run_all(&note.steps(&MysqlDatabase::DIALECT))
        .await
        .expect("noted");
    let raised = site.shards[0].raise_epoch(ServerId(1), Epoch(2)).await;
    assert!(matches!(raised, Err(StoreError::Held(_))), "{raised:?}");
    let granted = site.take(0, 2, 2).await;
    // Another lane: it has counters of its own.
    site.note(0, 1 << 38, Epoch(1), &granted.parts)
        .await
        .expect("nobody is waited for any more");
    frozen.rollback().await.expect("undone");
    assert_eq!(
        site.shards[0].raise_epoch(ServerId(1), Epoch(2)).await,
        Ok(Epoch(2))
    );
}

#[tokio::test]
async fn additions_are_delivered_once_and_counted_once() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    assert_eq!(site.left().await, 10, "counted by the rebuild");
    site.reconcile().await;
    assert_eq!(site.left().await, 10, "and not delivered on top");
    site.add(7).await;
    site.reconcile().await;
    site.reconcile().await;
    assert_eq!(site.left().await, 17);
    site.add(5).await;
    let rebuilt = rebuild(site.node(), &site.shards, &site.ledger, Epoch(0))
        .await
        .expect("rebuilt");
    assert_eq!(rebuilt, Epoch(2));
    site.reconcile().await;
    assert_eq!(site.left().await, 22);
}

#[tokio::test]
async fn a_withdrawal_lowers_the_total_by_what_was_left() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    let granted = site.take(0, 1, 4).await;
    site.note(0, 1, Epoch(1), &granted.parts)
        .await
        .expect("noted");
    let operation = site
        .meta
        .stock_operations()
        .ask_withdrawal(&change(9), Timestamp::UNIX_EPOCH)
        .await
        .expect("recorded");
    // Two holders of the job at once.
    let (one, two) = tokio::join!(
        withdraw(&site.stock, &site.ledger),
        withdraw(&site.stock, &site.ledger)
    );
    one.and(two).expect("done");
    withdraw(&site.stock, &site.ledger)
        .await
        .expect("nothing is left to do");
    assert_eq!(
        site.meta.stock_operations().applied(operation).await,
        Ok(Some(-6))
    );
    assert_eq!(
        site.meta.stock_operations().totals().await.expect("read")[&prize(1)],
        4
    );
    assert_eq!(site.left().await, 0);
    rebuild(site.node(), &site.shards, &site.ledger, Epoch(0))
        .await
        .expect("rebuilt");
    assert_eq!(
        site.left().await,
        0,
        "a rebuild does not bring back what was withdrawn"
    );
}

#[tokio::test]
async fn a_delivery_tells_segments_that_they_get_none() {
    let mut site = Site::new().await;
    site.reconcile().await;
    site.add(1).await;
    let early = site
        .stock
        .for_lane(0, 0, &breakers())
        .take(GrantId(1), &[units(1, 2)])
        .await;
    assert_eq!(
        early,
        Err(StockUnavailable::Undelivered(vec![prize(1)])),
        "the unit is on its way"
    );
    assert_eq!(
        site.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
    assert_eq!(
        site.take(0, 2, 2).await.units(),
        [units(1, 1)],
        "and then that is all"
    );
}

#[tokio::test]
async fn a_server_that_lacks_segments_of_a_prize_is_rebuilt() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.reconcile().await;
    crate::testing::redis_command(&site.redis.options(), &["HDEL", "test:stock", "1:1:2"]).await;
    assert_eq!(site.reconcile().await, Reconciled::Rebuilt(Epoch(2)));
    assert_eq!(site.left().await, 10);
    assert_eq!(
        site.reconcile().await,
        Reconciled::Sound {
            swept: 0,
            delivered: 1
        }
    );
}

#[tokio::test]
async fn what_is_on_its_way_is_withdrawn_when_it_has_come() {
    let mut site = Site::new().await;
    site.reconcile().await;
    site.add(5).await;
    site.meta
        .stock_operations()
        .ask_withdrawal(&change(3), Timestamp::UNIX_EPOCH)
        .await
        .expect("recorded");
    assert_eq!(
        withdraw(&site.stock, &site.ledger)
            .await
            .expect("looked after"),
        Withdrawn {
            done: 0,
            waiting: 1
        },
        "it waits for the delivery"
    );
    site.reconcile().await;
    assert_eq!(
        withdraw(&site.stock, &site.ledger)
            .await
            .expect("looked after"),
        Withdrawn {
            done: 1,
            waiting: 0
        }
    );
    assert_eq!(site.left().await, 2);
}
