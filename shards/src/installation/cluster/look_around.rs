//! The checks at the start: whether shards and stock servers belong to this cluster.
use futures_util::future::{join, join_all};

use super::cluster_error::ClusterError;
use super::metrics::ClusterMetrics;
use super::opened::{Cluster, Parts};
use crate::stock::cluster::RedisOptions;
use crate::store::{
    Database, ExpectedIdentity, IdentityMismatch, MigrateError, MysqlDatabase, OlderMeta, RunCheck,
    StoreError, check_durability, check_shard, read_identity,
};

/// Why a shard is refused.
#[derive(Debug, thiserror::Error)]
enum ShardFault {
    #[error(transparent)]
    Mismatch(#[from] IdentityMismatch),
    #[error(transparent)]
    Behind(#[from] OlderMeta),
    #[error(transparent)]
    Schema(#[from] MigrateError),
}

impl From<StoreError> for ShardFault {
    fn from(error: StoreError) -> Self {
        Self::Schema(error.into())
    }
}

/// Checks that a shard is the expected one, and warns of bad settings of its server.
async fn look_at_shard(
    number: usize,
    shard: &MysqlDatabase,
    check: &RunCheck,
) -> Result<(), ShardFault> {
    // Without the check of new connections, which reports a wrong identity as unavailable: here the
    // two must be distinguished.
    let bare = shard.with(|options| options.expected = ExpectedIdentity::default());
    // The identity first, where there is one: an error about the schema of another cluster's
    // database would not help.
    if let Some(expected) = shard.options.expected.what()
        && let Ok(Some(found)) = read_identity::<MysqlDatabase>(&mut bare.connect().await?).await
    {
        expected.check(Some(&found))?;
    }
    check_shard(&bare).await?;
    let mut connection = bare.connect().await?;
    if let Some(expected) = shard.options.expected.what() {
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

/// Warns of bad memory settings of stock servers. They do not prevent the start.
pub(super) async fn look_at_stock_servers(servers: &[RedisOptions]) {
    let warnings = join_all(servers.iter().map(RedisOptions::memory_warning)).await;
    for (server, warning) in (1_u8..).zip(warnings) {
        if let Some(warning) = warning {
            tracing::warn!(server, warning, "a stock server");
        }
    }
}

impl Parts {
    /// Refuses shards and stock servers of another cluster, and shards with another schema. One
    /// that is unavailable does not prevent the start.
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

    /// Shows from now on which parts belong to another cluster.
    pub(super) fn show_strangers(&self, metrics: &ClusterMetrics) {
        let databases = self.shards.iter().chain([self.meta.database()]);
        let notices = databases.filter_map(|database| database.options.expected.notice());
        for notice in notices.chain(self.stock.nodes().iter().map(|node| &node.notice)) {
            notice.show(&metrics.identity_mismatch);
        }
    }
}

impl Cluster {
    /// The stock servers that answer and hold units of another cluster. One line for each.
    pub(super) async fn strangers(&self) -> Vec<String> {
        let servers = self.parts.stock.nodes().iter().map(|node| async move {
            let stranger = node.recognise_now().await.ok()?.err()?;
            Some(format!("stock server {}: {stranger}", node.id))
        });
        join_all(servers).await.into_iter().flatten().collect()
    }
}
