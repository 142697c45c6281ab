//! Job `fold-N`: folds counters of issued units into those of run 0 when their lanes have not
//! changed them for a while. So shard N keeps few rows.
use std::time::Duration;

use super::{Job, JobError, Round};
use crate::stock::cluster::{ShardLedger, SqlShardLedger};

/// Counters are folded after this long without a new unit.
const COUNTERS_KEPT: Duration = Duration::from_mins(10);

pub(crate) struct Fold {
    pub(crate) shard: SqlShardLedger,
    pub(crate) number: u16,
}

impl Job for Fold {
    const NAME: &'static str = "fold";
    const EVERY: Duration = Duration::from_mins(1);

    fn number(&self) -> Option<u16> {
        Some(self.number)
    }

    async fn round(&mut self) -> Result<Round, JobError> {
        self.shard.fold(COUNTERS_KEPT).await?;
        Ok(Round::DONE)
    }
}
