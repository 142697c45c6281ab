//! Job `overdue`: shows how many receipts of each shard should be deleted by now. Each gateway
//! counts for itself: with a lease, a former holder would go on showing its last count.
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGaugeVec;

use super::reclaim::RECEIPTS_KEPT;
use super::{Job, JobError, JobScope, Round};
use crate::stock::cluster::{ShardLedger, SqlShardLedger};

pub(crate) struct Overdue {
    pub(crate) shards: Arc<[SqlShardLedger]>,
    pub(crate) overdue: IntGaugeVec,
}

impl Job for Overdue {
    const NAME: &'static str = "overdue";
    const EVERY: Duration = Duration::from_secs(15);
    const SCOPE: JobScope = JobScope::Process;

    /// Counts on every shard that answers. Fails at the end when one does not.
    async fn round(&mut self) -> Result<Round, JobError> {
        let (mut backlog, mut unavailable) = (0, None);
        for (number, shard) in self.shards.iter().enumerate() {
            match shard.count_old(2 * RECEIPTS_KEPT).await {
                Ok(count) => {
                    backlog += usize::try_from(count).unwrap_or(usize::MAX);
                    self.show(number, count);
                }
                Err(error) => unavailable = Some(error),
            }
        }
        match unavailable {
            Some(error) => Err(error.into()),
            None => Ok(Round::leaving(backlog)),
        }
    }
}

impl Overdue {
    fn show(&self, shard: usize, count: u64) {
        self.overdue
            .with_label_values(&[&shard.to_string()])
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
