//! The jobs on real databases and a real server.
mod operations;
mod rebuilds;
mod receipts;

use std::sync::Arc;

use jiff::Timestamp;

use super::super::ledger::ShardLedger;
use super::super::server::{ServerStock, Session};
use super::super::{
    ClusterStock, ReconcileError, Reconciled, RedisServer, Spread, SqlMetaLedger, SqlShardLedger,
    StockNode, reconcile,
};
use super::{breakers, connect};
use crate::grant::GrantId;
use crate::installation::ClusterOptions;
use crate::meta::{Meta, StockChange};
use crate::stock::conformance::{item, units};
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::{Granted, Part, Receipt, Stock};
use crate::store::{Connection, Database, GrantNote, MysqlDatabase, StoreError};
use crate::testing::{Redis, TestRedis, shared_database};

/// A cluster of two shards and one server, without gateways.
struct TestCluster {
    redis: Redis,
    options: ClusterOptions,
    meta: Meta<MysqlDatabase>,
    ledger: SqlMetaLedger,
    shards: Vec<SqlShardLedger>,
    stock: Arc<ClusterStock<RedisServer>>,
    spread: Spread,
    seen: Epoch,
}

impl TestCluster {
    async fn new() -> Self {
        let redis = Redis::start().await;
        let shards = vec![shared_database().await, shared_database().await];
        let options = ClusterOptions {
            meta: shared_database().await,
            shards,
            tables: 1,
            redis: vec![redis.options()],
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
        self.try_reconcile().await.expect("reconciled")
    }

    async fn try_reconcile(&mut self) -> Result<Reconciled, ReconcileError> {
        let node = self.node().clone();
        let Self {
            stock,
            shards,
            ledger,
            spread,
            seen,
            ..
        } = self;
        reconcile(stock, &node, shards, ledger, *spread, seen).await
    }

    /// Kills the stock server, which forgets everything, starts it again and reconciles. That fails
    /// while the pool still has a dead connection from before.
    async fn restart_redis(&mut self) {
        self.redis.kill();
        self.redis.restart().await;
        while self.try_reconcile().await.is_err() {}
    }

    async fn add(&self, count: u64) {
        self.meta
            .stock_operations()
            .add(&change(count), Timestamp::UNIX_EPOCH)
            .await
            .expect("recorded");
    }

    /// What the server holds.
    async fn look(&self) -> ServerStock {
        let session = self.node().trusted_session().await;
        let look = session.expect("trusted").look().await;
        look.expect("it answers").expect("it knows its units")
    }

    /// The units left on the server.
    async fn left(&self) -> u64 {
        self.look().await.left.values().sum()
    }

    async fn open(&self) -> usize {
        self.look().await.open.len()
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
        item: item(1),
        units: count,
        who: "who".to_owned(),
        why: "why".to_owned(),
    }
}
