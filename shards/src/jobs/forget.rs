//! Job `forget-N`: deletes void receipts of shard N once no request of their batch can be under way
//! any more.
use std::time::Duration;

use super::{Job, JobError, Round};
use crate::stock::cluster::{ShardLedger, SqlShardLedger};

pub(crate) struct Forget {
    pub(crate) shard: SqlShardLedger,
    pub(crate) number: u16,
}

impl Job for Forget {
    const NAME: &'static str = "forget";
    const EVERY: Duration = Duration::from_mins(1);

    fn number(&self) -> Option<u16> {
        Some(self.number)
    }

    async fn round(&mut self) -> Result<Round, JobError> {
        self.shard.forget_void().await?;
        Ok(Round::DONE)
    }
}
