//! What a cluster provides to a running gateway.
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join;
use prometheus::Registry;
use router::{ShardId, SlotMap};

use super::cluster_error::ClusterError;
use super::follow::FollowedServers;
use super::look_around::look_at_stock_servers;
use super::metrics::ClusterMetrics;
use super::opened::{Cluster, Parts};
use crate::breaker::Breakers;
use crate::installation::assembly::{Around, Backing, Purpose, assemble};
use crate::installation::follow::Follower;
use crate::installation::sizes::GatewaySizes;
use crate::jobs::fold::Fold;
use crate::jobs::forget::Forget;
use crate::jobs::overdue::Overdue;
use crate::jobs::reclaim::Reclaim;
use crate::jobs::reconcile::Reconcile;
use crate::jobs::snapshot::ClusterSnapshot;
use crate::jobs::withdraw::Withdraw;
use crate::jobs::{JobMetrics, LeaseTable, Leases, Runner, SharedLeases};
use crate::meta::{InstalledMeta, Meta};
use crate::metrics::Metrics;
use crate::service::Shards;
use crate::stock::cluster::{LaneStock, LeftOnServers, RedisServer};
use crate::stock::ids::Epoch;
use crate::stock::live::{LiveServers, LiveStock};
use crate::store::{MysqlDatabase, SqlShard, check_durability};

impl Cluster {
    /// Checks the parts of the cluster, and starts a gateway.
    pub(crate) async fn serve(
        &self,
        sizes: GatewaySizes,
        registry: &Registry,
    ) -> Result<(Shards, Runner), ClusterError> {
        self.start(sizes, registry, Purpose::Gateway).await
    }

    /// Starts the lanes and jobs that the purpose needs.
    pub(crate) async fn start(
        &self,
        sizes: GatewaySizes,
        registry: &Registry,
        purpose: Purpose<'_>,
    ) -> Result<(Shards, Runner), ClusterError> {
        let metrics = (Metrics::new(registry)?, JobMetrics::new(registry)?);
        let backing = ClusterBacking {
            parts: self.parts.clone(),
            metrics: ClusterMetrics::new(registry)?,
        };
        let parts = &self.parts;
        // Without it each new connection is still checked, and each shard before its first batch.
        if matches!(purpose, Purpose::Gateway) {
            parts.look_around_and_warn(&backing.metrics).await?;
        }
        let catalogue = parts.meta.campaigns().catalogue().await;
        let catalogue = catalogue.map_err(ClusterError::Meta)?;
        assemble(&backing, catalogue, sizes, metrics, purpose)
            .await
            .map_err(ClusterError::Meta)
    }
}

impl Parts {
    /// Refuses parts of another cluster, and warns of bad settings of servers.
    async fn look_around_and_warn(&self, metrics: &ClusterMetrics) -> Result<(), ClusterError> {
        let (ours, ()) = join(self.look_around(), look_at_stock_servers(&self.redis)).await;
        ours?;
        self.show_strangers(metrics);
        let warnings = check_durability(self.meta.database()).await;
        for warning in warnings.unwrap_or_default() {
            tracing::warn!("meta database: {warning}");
        }
        Ok(())
    }
}

struct ClusterBacking {
    parts: Arc<Parts>,
    metrics: ClusterMetrics,
}

impl Backing for ClusterBacking {
    type Database = MysqlDatabase;
    type LaneStock = LaneStock<RedisServer>;
    const LANE_PER_TABLE: bool = true;

    fn meta(&self) -> &Meta<MysqlDatabase> {
        &self.parts.meta
    }

    fn installed_meta(&self) -> InstalledMeta {
        InstalledMeta::Cluster(self.parts.meta.clone())
    }

    fn map(&self) -> &SlotMap {
        &self.parts.map
    }

    fn stock_servers(&self) -> u8 {
        u8::try_from(self.parts.stock.nodes().len()).expect("at most fifteen")
    }

    fn store(&self, shard: u16, tables: Range<u16>) -> SqlShard<MysqlDatabase> {
        let index = usize::from(shard);
        let (database, map) = (self.shard_for_reads(shard), self.parts.map.clone());
        SqlShard::new(database, map, ShardId::new(shard), tables)
            .checked_by(self.parts.run_checks[index].clone())
    }

    fn shard_for_reads(&self, shard: u16) -> MysqlDatabase {
        self.parts.shards[usize::from(shard)].clone()
    }

    fn lane_stock(
        &self,
        shard: u16,
        lane: u16,
        breakers: &Arc<Breakers>,
    ) -> LaneStock<RedisServer> {
        self.parts.stock.for_lane(shard, lane, breakers)
    }

    fn live_stock(&self) -> LiveStock {
        let servers = LeftOnServers(self.parts.stock.clone());
        LiveStock::Servers(LiveServers::new(servers))
    }

    fn announcer(&self) -> Box<dyn Fn() + Send + Sync> {
        let notifications = self.parts.notifications.clone();
        Box::new(move || notifications.say())
    }

    fn leases(&self, holder: String) -> Leases {
        let table = LeaseTable::new(self.parts.meta.pool().clone());
        Leases::Shared(Arc::new(SharedLeases::new(table, holder)))
    }

    fn start_jobs(&self, runner: &mut Runner, around: &Around) {
        self.start_server_jobs(runner);
        self.start_shard_jobs(runner);
        self.start_meta_jobs(runner, around);
        runner.add(self.parts.notifications.listen(
            &around.following.changed,
            &self.metrics.notifications,
            &runner.stopped(),
        ));
        let follower = Follower {
            meta: self.parts.meta.clone(),
            stock: FollowedServers(self.parts.clone()),
            catalogue: around.catalogue.clone(),
            following: around.following.clone(),
            metrics: around.metrics.clone(),
            revision: None,
        };
        runner.add([tokio::spawn(follower.run(runner.stopped()))]);
    }
}

impl ClusterBacking {
    /// The jobs of each stock server.
    fn start_server_jobs(&self, runner: &mut Runner) {
        for index in 0..self.parts.stock.nodes().len() {
            runner.start(Reconcile {
                stock: self.parts.stock.clone(),
                shards: self.parts.ledgers.clone(),
                meta: self.parts.ledger.clone(),
                index,
                seen: Epoch(0),
                rebuilds: self.metrics.stock_rebuilds.clone(),
            });
        }
    }

    /// The jobs of each shard.
    fn start_shard_jobs(&self, runner: &mut Runner) {
        for (number, shard) in (0..).zip(self.parts.ledgers.iter()) {
            runner.start(Reclaim {
                stock: self.parts.stock.clone(),
                shard: shard.clone(),
                number,
                reclaimed: self.metrics.receipts_reclaimed.clone(),
            });
            runner.start(Fold {
                shard: shard.clone(),
                number,
            });
            runner.start(Forget {
                shard: shard.clone(),
                number,
            });
        }
    }

    fn start_meta_jobs(&self, runner: &mut Runner, around: &Around) {
        runner.start(Overdue {
            shards: self.parts.ledgers.clone(),
            overdue: self.metrics.receipts_overdue.clone(),
        });
        runner.start(Withdraw {
            stock: self.parts.stock.clone(),
            meta: self.parts.ledger.clone(),
        });
        runner.start(ClusterSnapshot {
            meta: self.parts.meta.clone(),
            stock: self.parts.stock.clone(),
            shards: self.parts.ledgers.clone(),
            metrics: around.metrics.clone(),
            written_seconds: self.metrics.snapshot_written_seconds.clone(),
        });
    }
}
