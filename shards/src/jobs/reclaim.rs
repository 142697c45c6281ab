//! Job `reclaim-N`: closes grants of shard N that lanes left open, and deletes their receipts.
//! Lanes delete receipts themselves. An old one was left by a lane that died or has too few to
//! delete, or it could not be closed. A round ends when none is left.
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounterVec;

use super::{Job, JobError, Round};
use crate::stock::cluster::{ClusterStock, Reclaimed, RedisServer, SqlShardLedger, reclaim};

/// Younger receipts are left to their lanes.
pub(crate) const RECEIPTS_KEPT: Duration = Duration::from_secs(30);

pub(crate) struct Reclaim {
    pub(crate) stock: Arc<ClusterStock<RedisServer>>,
    pub(crate) shard: SqlShardLedger,
    pub(crate) number: u16,
    pub(crate) reclaimed: IntCounterVec,
}

impl Job for Reclaim {
    const NAME: &'static str = "reclaim";
    const EVERY: Duration = Duration::from_secs(5);

    fn number(&self) -> Option<u16> {
        Some(self.number)
    }

    async fn round(&mut self) -> Result<Round, JobError> {
        let Reclaimed { deleted, left } = reclaim(&self.stock, &self.shard, RECEIPTS_KEPT).await?;
        self.reclaimed
            .with_label_values(&[&self.number.to_string()])
            .inc_by(deleted as u64);
        Ok(Round::leaving(left))
    }
}
