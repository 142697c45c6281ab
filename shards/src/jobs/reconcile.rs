//! Job `stock-N`: reconciles stock server N. It rebuilds a server that has lost units, decides open
//! grants, and delivers recorded operations.
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounterVec;

use super::{Job, JobError, Round};
use crate::stock::cluster::{
    ClusterStock, Reconciled, RedisServer, SqlMetaLedger, SqlShardLedger, reconcile,
};
use crate::stock::ids::Epoch;

pub(crate) struct Reconcile {
    pub(crate) stock: Arc<ClusterStock<RedisServer>>,
    pub(crate) shards: Arc<[SqlShardLedger]>,
    pub(crate) meta: Arc<SqlMetaLedger>,
    /// The index of the server, from 0.
    pub(crate) index: usize,
    /// The greatest known epoch of any part.
    pub(crate) seen: Epoch,
    pub(crate) rebuilds: IntCounterVec,
}

impl Job for Reconcile {
    const NAME: &'static str = "stock";
    /// Also the time until a server is rebuilt.
    const EVERY: Duration = Duration::from_millis(500);

    fn number(&self) -> Option<u16> {
        Some(self.stock.nodes()[self.index].id.0.into())
    }

    async fn round(&mut self) -> Result<Round, JobError> {
        let node = &self.stock.nodes()[self.index];
        let (meta, spread) = (&*self.meta, self.meta.spread());
        let reconciled = reconcile(
            &self.stock,
            node,
            &self.shards,
            meta,
            spread,
            &mut self.seen,
        )
        .await?;
        if let Reconciled::Rebuilt(_) = reconciled {
            self.rebuilds
                .with_label_values(&[&node.id.to_string()])
                .inc();
        }
        Ok(Round::DONE)
    }
}
