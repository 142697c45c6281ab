//! Opening: finds out which cluster the meta database belongs to, and how all other parts are
//! reached.
use std::sync::Arc;

use super::cluster_error::ClusterError;
use super::notification::Notifications;
use super::opened::{Cluster, Parts};
use super::options::{ClusterOptions, layout};
use crate::meta::Meta;
use crate::stock::cluster::{
    ClusterStock, RedisOptions, RedisServer, SqlMetaLedger, SqlShardLedger,
};
use crate::stock::ids::ServerId;
use crate::store::{
    DatabaseIdentity, DatabaseRole, ExpectedIdentity, MysqlDatabase, RunCheck, check_meta,
};

impl ClusterOptions {
    /// Opens the cluster. Only the meta database must answer.
    pub(crate) async fn open(&self) -> Result<Cluster, ClusterError> {
        // A database without an identity, or one that does not answer, is checked next.
        self.refuse_other_part(self.meta_identity().await.ok().flatten())?;
        check_schema(&self.meta).await?;
        let (map, spread) = self.found_layout(&Meta::new(self.meta.clone())).await?;
        let cluster = self.recognise_meta(layout(&map, spread)).await?;
        // From here on each new connection checks the identity of its database.
        let guarded = |database: &MysqlDatabase, role| {
            let expected = DatabaseIdentity {
                cluster: cluster.clone(),
                role,
                layout: layout(&map, spread),
            };
            database.with(|options| options.expected = ExpectedIdentity::identity(expected))
        };
        let meta = Meta::new(guarded(&self.meta, DatabaseRole::Meta));
        let shards = (0..)
            .zip(&self.shards)
            .map(|(number, shard)| guarded(shard, DatabaseRole::Shard(number)));
        let shards: Vec<MysqlDatabase> = shards.collect();
        let server = |(number, options): (u8, &RedisOptions)| {
            let server = ServerId(number);
            let new = RedisServer::new(server, spread, options, &cluster);
            new.map_err(|error| ClusterError::Redis { server, error })
        };
        let known = meta.runs().claimed().await.map_err(ClusterError::Meta)?;
        let run_check = |_: &MysqlDatabase| {
            Arc::new(RunCheck::new(Arc::new(meta.clone()), known, map.tables()))
        };
        let notifications = Notifications::new(&self.redis).map_err(ClusterError::Notifications)?;
        let servers = (1..=ServerId::MAX)
            .zip(&self.redis)
            .map(server)
            .collect::<Result<Vec<_>, _>>()?;
        let (stock, closers) = ClusterStock::new(servers);
        let parts = Parts {
            ledger: Arc::new(SqlMetaLedger::new(meta.clone(), spread)),
            ledgers: shards.iter().cloned().map(SqlShardLedger::new).collect(),
            run_checks: shards.iter().map(run_check).collect(),
            meta,
            shards,
            stock,
            notifications: Arc::new(notifications),
            redis: self.redis.clone(),
            map,
        };
        parts.learn_servers().await.map_err(ClusterError::Meta)?;
        Ok(Cluster {
            parts: Arc::new(parts),
            _closers: closers,
        })
    }
}

/// Refuses a meta database with another schema.
async fn check_schema(meta: &MysqlDatabase) -> Result<(), ClusterError> {
    let failed = |error| ClusterError::Migrate {
        name: "meta database".to_owned(),
        error,
    };
    check_meta(meta).await.map_err(failed)
}
