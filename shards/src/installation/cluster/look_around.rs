//! Looking around at the start: whether shards and stock servers are this cluster's.
use futures_util::future::{join, join_all};

use super::cluster_error::ClusterError;
use super::metrics::ClusterMetrics;
use super::opened::{Cluster, Parts};
use crate::stock::cluster::RedisOptions;
use crate::store::{
    Behind, Database, ExpectedIdentity, MigrateError, Mismatch, MysqlDatabase, RunCheck,
    StoreError, check_durability, check_shard, read_identity,
};

/// What speaks against a shard.
#[derive(Debug, thiserror::Error)]
enum ShardFault {
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error(transparent)]
    Behind(#[from] Behind),
    #[error(transparent)]
    Schema(#[from] MigrateError),
}

impl From<StoreError> for ShardFault {
    fn from(error: StoreError) -> Self {
        Self::Schema(error.into())
    }
}

/// Checks that a shard is the one that it is taken for, and warns of how its server is set up.
async fn look_at_shard(
    number: usize,
    shard: &MysqlDatabase,
    check: &RunCheck,
) -> Result<(), ShardFault> {
    // Not as new connections are asked: a wrong answer is the end here, no answer is not.
    let bare = MysqlDatabase {
        expected: ExpectedIdentity::default(),
        ..shard.clone()
    };
    // First, where it says so: what is wrong with the schema of another cluster's database helps
    // nobody.
    if let Some(expected) = shard.expected.what()
        && let Ok(Some(found)) = read_identity::<MysqlDatabase>(&mut bare.connect().await?).await
    {
        expected.check(Some(&found))?;
    }
    check_shard(&bare).await?;
    let mut connection = bare.connect().await?;
    if let Some(expected) = shard.expected.what() {
        expected.check(
            read_identity::<MysqlDatabase>(&mut connection)
                .await?
                .as_ref(),
        )?;
    }
    check.make::<MysqlDatabase>(&mut connection).await??;
    for warning in check_durability(&bare).await.unwrap_or_default() {
        tracing::warn!(shard = number, "{warning}");
    }
    Ok(())
}

/// Warns of how stock servers handle their memory. That is no reason not to start.
pub(super) async fn look_at_stock_servers(servers: &[RedisOptions]) {
    let warnings = join_all(servers.iter().map(RedisOptions::memory_warning)).await;
    for (server, warning) in (1_u8..).zip(warnings) {
        if let Some(warning) = warning {
            tracing::warn!(server, warning, "a stock server");
        }
    }
}

impl Parts {
    /// Refuses shards and stock servers that are not this cluster's, and shards that this program
    /// does not know. One that is unavailable is no reason not to start.
    pub(super) async fn look_around(&self) -> Result<(), ClusterError> {
        let shards = self.shards.iter().zip(&self.run_checks).enumerate();
        let shards = shards.map(|(number, (shard, check))| look_at_shard(number, shard, check));
        let servers = self.stock.nodes().iter().map(|node| node.recognise_now());
        let (shards, servers) = join(join_all(shards), join_all(servers)).await;
        let mut wrong = Vec::new();
        for (number, looked) in shards.into_iter().enumerate() {
            match looked {
                Ok(()) => {}
                Err(ShardFault::Schema(MigrateError::Store(error))) => {
                    tracing::warn!(shard = number, %error, "a shard is unavailable");
                }
                Err(fault) => wrong.push(format!(
                    "shard {number} ({:?}): {fault}",
                    self.shards[number]
                )),
            }
        }
        for (node, recognised) in self.stock.nodes().iter().zip(servers) {
            match recognised {
                Ok(Ok(())) => {}
                Ok(Err(stranger)) => wrong.push(format!("stock server {}: {stranger}", node.id)),
                Err(error) => {
                    tracing::warn!(server = %node.id, %error, "a stock server is unavailable");
                }
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(ClusterError::NotOurs(wrong))
        }
    }

    /// Shows from now on which parts are not this cluster's.
    pub(super) fn show_strangers(&self, metrics: &ClusterMetrics) {
        let databases = self.shards.iter().chain([self.meta.database()]);
        let notices = databases.filter_map(|database| database.expected.notice());
        for notice in notices.chain(self.stock.nodes().iter().map(|node| &node.notice)) {
            notice.show(&metrics.identity_mismatch);
        }
    }
}

impl Cluster {
    /// What is wrong with the stock servers that answer: units that are another cluster's. One line
    /// for each.
    pub(super) async fn strangers(&self) -> Vec<String> {
        let servers = self.parts.stock.nodes().iter().map(|node| async move {
            let stranger = node.recognise_now().await.ok()?.err()?;
            Some(format!("stock server {}: {stranger}", node.id))
        });
        join_all(servers).await.into_iter().flatten().collect()
    }
}
