//! The jobs over real databases and a real server: rebuild, sweep, roll-up, delivery, withdrawal.
use jiff::Timestamp;

use super::super::ledger::{Fate, ShardLedger};
use super::super::sql::{SqlMetaLedger, SqlShardLedger};
use super::*;
use crate::cluster::Options;
use crate::meta::{Meta, StockChange};
use crate::stock::Receipt;
use crate::stock::conformance::units;
use crate::store::{Connection, Database, GrantNote, MysqlDatabase, StoreError};
use crate::testing::Mariadb;

/// A cluster of two shards and one server, without gateways.
struct Site {
    redis: Redis,
    options: Options,
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
        let shards = vec![Mariadb::shared_database().await, Mariadb::shared_database().await];
        let options = Options {
            meta: Mariadb::shared_database().await,
            shards,
            tables: 1,
            redis: vec![super::options(&redis)],
            segments: 3,
        };
        options.migrate().await.expect("migrated");
        let spread = Spread { segments: 3, servers: 1 };
        let meta = Meta::new(options.meta.clone());
        let (stock, _closers) = ClusterStock::new(vec![connect(1, spread, &redis)]);
        Self {
            ledger: SqlMetaLedger::new(meta.clone(), spread),
            shards: options.shards.iter().cloned().map(SqlShardLedger::new).collect(),
            meta,
            options,
            redis,
            stock,
            spread,
            seen: Epoch(0),
        }
    }

    fn shelf(&self) -> &Arc<Shelf<RedisServer>> {
        &self.stock.shelves()[0]
    }

    async fn tend(&mut self) -> Tended {
        let shelf = self.shelf().clone();
        let Self { stock, shards, ledger, spread, seen, .. } = self;
        tend(stock, &shelf, shards, ledger, *spread, seen).await.expect("looked after")
    }

    async fn add(&self, count: u64) {
        self.meta.add_stock(&change(count), Timestamp::UNIX_EPOCH).await.expect("recorded");
    }

    /// What is left, by the server's word.
    async fn left(&self) -> u64 {
        let look = self.shelf().trusted_session().await.expect("trusted").look().await;
        look.expect("it answers").expect("it knows its units").left.values().sum()
    }

    async fn open(&self) -> usize {
        let look = self.shelf().trusted_session().await.expect("trusted").look().await;
        look.expect("it answers").expect("it knows its units").open.len()
    }

    /// Notes a grant on a shard as a lane does in its transaction.
    async fn note(&self, shard: usize, grant: u64, epoch: Epoch, parts: &[Part]) -> Result<(), StoreError> {
        let mut link = self.options.shards[shard].connect().await.expect("a connection");
        let receipt = Receipt { used: parts.to_vec(), epochs: [(ServerId(1), epoch)].into() };
        let note = GrantNote::new(GrantId(grant), &receipt);
        link.begin().await?;
        let outcomes = link.run_all(&note.steps(&MysqlDatabase::DIALECT)).await?;
        note.check(&outcomes)?;
        link.commit().await
    }

    async fn issued(&self, shard: usize) -> u64 {
        let issued = self.shards[shard].issued_of(ServerId(1)).await.expect("read");
        issued.iter().map(|(_, _, units)| units).sum()
    }

    /// A lane of a shard takes units.
    async fn take(&self, shard: u16, grant: u64, count: u32) -> Granted {
        let granted = self.stock.for_lane(shard, 0, &breakers()).take(GrantId(grant), &[units(1, count)]).await;
        granted.expect("the stock answers")
    }
}

fn change(count: u64) -> StockChange {
    StockChange { prize: prize(1), units: count, who: "who".to_owned(), why: "why".to_owned() }
}

#[tokio::test]
async fn a_server_is_built_from_the_totals_and_again_after_it_forgot() {
    let mut site = Site::new().await;
    site.add(10).await;
    assert_eq!(site.tend().await, Tended::Rebuilt(Epoch(1)));
    assert_eq!(site.left().await, 10);
    let granted = site.take(1, 7, 4).await;
    site.note(1, 7, Epoch(1), &granted.parts).await.expect("noted");
    site.redis.kill();
    site.redis.restart().await;
    let mut tended = tend_once(&mut site).await;
    while tended.is_none() {
        tended = tend_once(&mut site).await;
    }
    assert_eq!((site.left().await, site.open().await), (6, 0), "what shard 1 issued stays issued");
    let fenced = site.note(0, 8, Epoch(1), &granted.parts).await;
    assert!(matches!(fenced, Err(StoreError::Fenced(_))), "units of the past cannot be issued: {fenced:?}");
    // The addition is told to the server, which has counted it already.
    assert_eq!(site.tend().await, Tended::Sound { swept: 0, delivered: 1 });
    assert_eq!(site.left().await, 6);
}

/// A connection of before a restart is found dead first.
async fn tend_once(site: &mut Site) -> Option<Tended> {
    let shelf = site.shelf().clone();
    let Site { stock, shards, ledger, spread, seen, .. } = site;
    tend(stock, &shelf, shards, ledger, *spread, seen).await.ok()
}

#[tokio::test]
async fn the_fate_of_a_grant_is_decided_once() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.tend().await;
    let (committed, dead) = (site.take(0, 1, 3).await, site.take(1, 2, 4).await);
    site.note(0, 1, Epoch(1), &committed.parts).await.expect("noted");
    assert_eq!(site.shards[0].decide(ServerId(1), GrantId(1)).await, Ok(Fate::Committed(committed.parts.clone())));
    assert_eq!(site.shards[1].decide(ServerId(1), GrantId(2)).await, Ok(Fate::Void));
    assert_eq!(site.shards[1].decide(ServerId(1), GrantId(2)).await, Ok(Fate::Void), "asked again");
    let refused = site.note(1, 2, Epoch(1), &dead.parts).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "a batch that was made void never commits: {refused:?}");
    drop(dead);
}

#[tokio::test]
async fn grants_that_stay_open_are_swept() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.tend().await;
    let committed = site.take(0, 1, 3).await;
    let _dead = site.take(1, 2, 4).await;
    // The batch used two of its three units.
    let used = committed.used(&[units(1, 2)]);
    site.note(0, 1, Epoch(1), &used).await.expect("noted");
    tokio::time::sleep(super::super::sweep::OPEN_MAX).await;
    site.tend().await;
    assert_eq!((site.left().await, site.open().await), (8, 0));
    assert_eq!(site.issued(0).await + site.issued(1).await, 2);
}

#[tokio::test]
async fn settled_grants_become_counters() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.tend().await;
    for grant in 1..=3 {
        let granted = site.take(0, grant, 2).await;
        site.note(0, grant, Epoch(1), &granted.parts).await.expect("noted");
    }
    assert_eq!(roll_up(site.shelf(), &site.shards[0]).await.expect("rolled up"), 0, "too young");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    // Two holders of the job at once.
    let (one, two) = tokio::join!(roll_up(site.shelf(), &site.shards[0]), roll_up(site.shelf(), &site.shards[0]));
    assert_eq!(one.unwrap_or(0) + two.unwrap_or(0), 3);
    assert_eq!((site.issued(0).await, site.left().await, site.open().await), (6, 4, 0));
    let granted = site.take(0, 4, 1).await;
    site.note(0, 4, Epoch(1), &granted.parts).await.expect("noted");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(roll_up(site.shelf(), &site.shards[0]).await.expect("rolled up"), 1, "onto counters that are there");
    assert_eq!(site.issued(0).await, 7);
}

#[tokio::test]
async fn additions_are_delivered_once_and_counted_once() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.tend().await;
    assert_eq!(site.left().await, 10, "counted by the rebuild");
    site.tend().await;
    assert_eq!(site.left().await, 10, "and not delivered on top");
    site.add(7).await;
    site.tend().await;
    site.tend().await;
    assert_eq!(site.left().await, 17);
    site.add(5).await;
    let rebuilt = rebuild(site.shelf(), &site.shards, &site.ledger, Epoch(0)).await.expect("rebuilt");
    assert_eq!(rebuilt, Epoch(2));
    site.tend().await;
    assert_eq!(site.left().await, 22);
}

#[tokio::test]
async fn a_withdrawal_lowers_the_total_by_what_was_left() {
    let mut site = Site::new().await;
    site.add(10).await;
    site.tend().await;
    let granted = site.take(0, 1, 4).await;
    site.note(0, 1, Epoch(1), &granted.parts).await.expect("noted");
    let operation = site.meta.ask_withdrawal(&change(9), Timestamp::UNIX_EPOCH).await.expect("recorded");
    // Two holders of the job at once.
    let (one, two) = tokio::join!(withdraw(&site.stock, &site.ledger), withdraw(&site.stock, &site.ledger));
    one.and(two).expect("done");
    withdraw(&site.stock, &site.ledger).await.expect("nothing is left to do");
    assert_eq!(site.meta.applied(operation).await, Ok(Some(-6)));
    assert_eq!(site.meta.totals().await.expect("read")[&prize(1)], 4);
    assert_eq!(site.left().await, 0);
    rebuild(site.shelf(), &site.shards, &site.ledger, Epoch(0)).await.expect("rebuilt");
    assert_eq!(site.left().await, 0, "a rebuild does not bring back what was withdrawn");
}
