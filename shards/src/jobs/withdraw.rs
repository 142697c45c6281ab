//! Job `withdraw` of a cluster: does the waiting withdrawals, as far as stock servers answer.
use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobError, Round};
use crate::stock::cluster::{ClusterStock, RedisServer, SqlMetaLedger, Withdrawn, withdraw};

pub(crate) struct Withdraw {
    pub(crate) stock: Arc<ClusterStock<RedisServer>>,
    pub(crate) meta: Arc<SqlMetaLedger>,
}

impl Job for Withdraw {
    const NAME: &'static str = "withdraw";
    const EVERY: Duration = Duration::from_secs(1);

    async fn round(&mut self) -> Result<Round, JobError> {
        let Withdrawn { waiting, .. } = withdraw(&self.stock, &*self.meta).await?;
        Ok(Round::leaving(waiting))
    }
}
