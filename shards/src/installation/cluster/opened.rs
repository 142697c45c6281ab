//! A cluster that is laid out, as this process reaches it.
use std::sync::Arc;

use router::SlotMap;
use tokio::task::JoinHandle;

use super::notification::Notifications;
use crate::meta::Meta;
use crate::stock::cluster::{
    ClusterStock, MetaLedger, ReconcileError, RedisOptions, RedisServer, SqlMetaLedger,
    SqlShardLedger, deliver,
};
use crate::stock::spread::Spread;
use crate::store::{MysqlDatabase, RunCheck, StoreError};

/// A cluster that is laid out: what gateways and commands work on.
pub(crate) struct Cluster {
    pub(super) parts: Arc<Parts>,
    /// The tasks that close grants; they end with the stock.
    pub(super) _closers: Vec<JoinHandle<()>>,
}

/// The parts of a cluster, as this process reaches them.
pub(super) struct Parts {
    pub(super) meta: Meta<MysqlDatabase>,
    pub(super) ledger: Arc<SqlMetaLedger>,
    pub(super) shards: Vec<MysqlDatabase>,
    /// The check before each shard's first batch.
    pub(super) run_checks: Vec<Arc<RunCheck>>,
    pub(super) ledgers: Arc<[SqlShardLedger]>,
    pub(super) stock: Arc<ClusterStock<RedisServer>>,
    pub(super) notifications: Arc<Notifications>,
    pub(super) redis: Vec<RedisOptions>,
    pub(super) map: SlotMap,
}

impl Cluster {
    /// The meta database.
    pub(crate) fn meta(&self) -> &Meta<MysqlDatabase> {
        &self.parts.meta
    }

    /// The shards' databases.
    pub(crate) fn shards(&self) -> &[MysqlDatabase] {
        &self.parts.shards
    }

    /// How users are spread.
    pub(crate) fn map(&self) -> &SlotMap {
        &self.parts.map
    }

    /// How the stock is spread over servers.
    pub(crate) fn spread(&self) -> Spread {
        self.parts.ledger.spread()
    }
}

impl Parts {
    /// Reads which processes the meta database trusts now.
    pub(super) async fn learn_servers(&self) -> Result<(), StoreError> {
        for node in self.stock.nodes() {
            node.set_registered(self.ledger.registered(node.id).await?);
        }
        Ok(())
    }

    /// Brings recorded additions to their servers.
    pub(super) async fn deliver(&self) -> Result<(), ReconcileError> {
        for node in self.stock.nodes() {
            let mut session = node.trusted_session().await?;
            deliver(node, &mut session, &*self.ledger, self.ledger.spread()).await?;
        }
        Ok(())
    }
}
