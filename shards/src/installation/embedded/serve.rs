//! What the embedded default provides to a running gateway.
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus::Registry;
use router::{ShardId, SlotMap};
use tokio::sync::Mutex;

use super::folder::{Folder, Held};
use super::options::EmbeddedOptions;
use super::start_error::StartError;
use super::stock::rebuild;
use crate::breaker::Breakers;
use crate::installation::assembly::{Around, Backing, Purpose, assemble};
use crate::installation::follow::{FollowedStock, Follower};
use crate::installation::sizes::GatewaySizes;
use crate::jobs::disk::Disk;
use crate::jobs::snapshot::MemorySnapshot;
use crate::jobs::withdraw_from_memory::{WithdrawFromMemory, Withdrawals};
use crate::jobs::{JobMetrics, Leases, Runner};
use crate::meta::{InstalledMeta, Meta};
use crate::metrics::Metrics;
use crate::service::Shards;
use crate::stock::MemoryStock;
use crate::stock::live::LiveStock;
use crate::store::{Access, SqlShard, SqliteFile, StoreError};

type MetaWithdrawals = Arc<Mutex<Withdrawals<Meta<SqliteFile>>>>;

impl Held {
    /// Starts a gateway.
    pub(crate) async fn serve(
        &self,
        options: &EmbeddedOptions,
        sizes: GatewaySizes,
        registry: &Registry,
    ) -> Result<(Shards, Runner), StartError> {
        self.start(options, sizes, registry, Purpose::Gateway).await
    }

    /// Opens the shards, rebuilds the stock, and starts the lanes and jobs that the purpose needs.
    pub(crate) async fn start(
        &self,
        options: &EmbeddedOptions,
        sizes: GatewaySizes,
        registry: &Registry,
        purpose: Purpose<'_>,
    ) -> Result<(Shards, Runner), StartError> {
        let metrics = (Metrics::new(registry)?, JobMetrics::new(registry)?);
        let map = self.lay_out(options).await?;
        let meta = self.meta().clone();
        self.check_marks(&map).await?;
        self.raise_marks(map.shards()).await?;
        meta.campaigns()
            .stock_what_is_published(Timestamp::now())
            .await?;
        // Campaigns before stock: no item is drawn before its units are there.
        let catalogue = meta.campaigns().catalogue().await?;
        let stock = rebuild(self.folder(), &map, &meta).await?;
        let withdrawals = Withdrawals::new(meta.clone(), stock.clone());
        let backing = EmbeddedBacking {
            folder: self.folder().clone(),
            meta,
            map,
            stock,
            withdrawals: Arc::new(Mutex::new(withdrawals)),
        };
        Ok(assemble(&backing, catalogue, sizes, metrics, purpose).await?)
    }
}

struct EmbeddedBacking {
    folder: Folder,
    meta: Meta<SqliteFile>,
    map: SlotMap,
    stock: Arc<MemoryStock>,
    withdrawals: MetaWithdrawals,
}

impl Backing for EmbeddedBacking {
    type Database = SqliteFile;
    type LaneStock = Arc<MemoryStock>;
    /// A file has one writer.
    const LANE_PER_TABLE: bool = false;

    fn meta(&self) -> &Meta<SqliteFile> {
        &self.meta
    }

    fn installed_meta(&self) -> InstalledMeta {
        InstalledMeta::embedded(self.meta.clone())
    }

    fn map(&self) -> &SlotMap {
        &self.map
    }

    fn stock_servers(&self) -> u8 {
        0
    }

    fn store(&self, shard: u16, tables: Range<u16>) -> SqlShard<SqliteFile> {
        let file = self.folder.shard(shard, Access::Write);
        SqlShard::new(file, self.map.clone(), ShardId::new(shard), tables)
    }

    fn shard_for_reads(&self, shard: u16) -> SqliteFile {
        self.folder.shard(shard, Access::Read)
    }

    fn lane_stock(&self, _shard: u16, _lane: u16, _breakers: &Arc<Breakers>) -> Arc<MemoryStock> {
        self.stock.clone()
    }

    fn live_stock(&self) -> LiveStock {
        LiveStock::Memory(self.stock.clone())
    }

    fn announcer(&self) -> Box<dyn Fn() + Send + Sync> {
        // There is no other gateway.
        Box::new(|| ())
    }

    fn leases(&self, _holder: String) -> Leases {
        Leases::Local
    }

    fn start_jobs(&self, runner: &mut Runner, around: &Around) {
        runner.start(Disk::new(
            self.folder.probe(),
            self.folder.files(self.map.shards(), Access::Write),
            around.metrics.clone(),
            around.readiness.clone(),
        ));
        runner.start(WithdrawFromMemory(self.withdrawals.clone()));
        runner.start(MemorySnapshot {
            meta: self.meta.clone(),
            stock: self.stock.clone(),
            metrics: around.metrics.clone(),
            written: Vec::new(),
        });
        let stock = FollowedMemory {
            meta: self.meta.clone(),
            stock: self.stock.clone(),
            withdrawals: self.withdrawals.clone(),
        };
        let follower = Follower {
            meta: self.meta.clone(),
            stock,
            catalogue: around.catalogue.clone(),
            following: around.following.clone(),
            metrics: around.metrics.clone(),
            revision: None,
        };
        runner.add([tokio::spawn(follower.run(runner.stopped()))]);
    }
}

struct FollowedMemory {
    meta: Meta<SqliteFile>,
    stock: Arc<MemoryStock>,
    withdrawals: MetaWithdrawals,
}

impl FollowedStock for FollowedMemory {
    async fn look(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Puts new units into the stock. Withdrawals are left to their job.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let mut withdrawals = self.withdrawals.lock().await;
        withdrawals.resolve().await?;
        for (item, total) in self.meta.stock_operations().totals().await? {
            self.stock.set_total(item, total);
        }
        Ok(())
    }
}
