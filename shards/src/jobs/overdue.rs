//! Job `overdue`: shows how many receipts of each shard should be gone. Each gateway looks for
//! itself, so that none goes on showing what it saw when it still held a lease.
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

    /// Counts on every shard that answers; fails at the end where one does not.
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
