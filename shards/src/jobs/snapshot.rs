//! Job `snapshot`: copies the units that are left, issued and under open grants into the meta
//! database, for operators and reports. Draws never wait for it.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::IntGauge;

use super::{Job, JobError, Round};
use crate::meta::Meta;
use crate::metrics::Metrics;
use crate::stock::cluster::{ClusterStock, RedisServer, SqlShardLedger, snapshots};
use crate::stock::{MemoryStock, Snapshot};
use crate::store::{MysqlDatabase, SqliteFile};

/// The job of a cluster: reads all stock servers and shards.
pub(crate) struct ClusterSnapshot {
    pub(crate) meta: Meta<MysqlDatabase>,
    pub(crate) stock: Arc<ClusterStock<RedisServer>>,
    pub(crate) shards: Arc<[SqlShardLedger]>,
    pub(crate) metrics: Metrics,
    /// When it was written last.
    pub(crate) written_seconds: IntGauge,
}

impl Job for ClusterSnapshot {
    const NAME: &'static str = "snapshot";
    const EVERY: Duration = Duration::from_secs(1);

    async fn round(&mut self) -> Result<Round, JobError> {
        let snapshots = snapshots(&self.meta, &self.stock, &self.shards).await?;
        let now = Timestamp::now();
        self.meta.stock_snapshots().write(&snapshots, now).await?;
        self.metrics.show_stock(&snapshots);
        self.written_seconds.set(now.as_second());
        Ok(Round::DONE)
    }
}

/// The job of stock in memory: writes the snapshot when it has changed.
pub(crate) struct MemorySnapshot {
    pub(crate) meta: Meta<SqliteFile>,
    pub(crate) stock: Arc<MemoryStock>,
    pub(crate) metrics: Metrics,
    /// The last written snapshot.
    pub(crate) written: Vec<Snapshot>,
}

impl Job for MemorySnapshot {
    const NAME: &'static str = "snapshot";
    const EVERY: Duration = Duration::from_millis(500);
    /// Units that the lanes issued while they drained.
    const LAST_ROUND: bool = true;

    async fn round(&mut self) -> Result<Round, JobError> {
        let snapshots = self.stock.snapshots();
        if snapshots != self.written {
            self.metrics.show_stock(&snapshots);
            self.meta
                .stock_snapshots()
                .write(&snapshots, Timestamp::now())
                .await?;
            self.written = snapshots;
        }
        Ok(Round::DONE)
    }
}
