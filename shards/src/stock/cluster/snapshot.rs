//! The stock of a cluster now: the units left, issued and under open grants of each item.
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::try_join_all;
use market::batch::StockItem;

use super::cluster_stock::ClusterStock;
use super::node::StockNode;
use super::rebuild::ReconcileError;
use super::redis::RedisServer;
use super::server::{ServerStock, Session};
use super::sql_shard::SqlShardLedger;
use crate::meta::Meta;
use crate::stock::Snapshot;
use crate::stock::live::{LeftUnits, ReadLeft};
use crate::store::{MysqlDatabase, StoreError};

/// Reads all servers and all shards, one after the other. While draws go on, the numbers are not of
/// one moment.
pub(crate) async fn snapshots(
    meta: &Meta<MysqlDatabase>,
    stock: &ClusterStock<RedisServer>,
    shards: &[SqlShardLedger],
) -> Result<Vec<Snapshot>, ReconcileError> {
    let mut snapshots: BTreeMap<StockItem, Snapshot> = BTreeMap::new();
    for (item, total) in meta.stock_operations().totals().await? {
        snapshots.insert(
            item,
            Snapshot {
                item,
                total,
                left: 0,
                open: 0,
                issued: 0,
            },
        );
    }
    let empty = |item| Snapshot {
        item,
        total: 0,
        left: 0,
        open: 0,
        issued: 0,
    };
    for node in stock.nodes() {
        let Some(found) = read(node).await? else {
            // Units of another cluster need no rebuild, and the server would refuse it.
            node.recognise_now().await??;
            return Err(node.lost().into());
        };
        for ((item, _), left) in found.left {
            snapshots.entry(item).or_insert_with(|| empty(item)).left += left;
        }
        for part in found.open.iter().flat_map(|open| &open.parts) {
            snapshots
                .entry(part.item)
                .or_insert_with(|| empty(part.item))
                .open += u64::from(part.count);
        }
    }
    for (item, issued) in issued(shards).await? {
        snapshots.entry(item).or_insert_with(|| empty(item)).issued += issued;
    }
    Ok(snapshots.into_values().collect())
}

/// Reads how many units of each item the servers can give out, for the answers of this gateway.
/// Shards are not asked.
pub(crate) struct LeftOnServers(pub(crate) Arc<ClusterStock<RedisServer>>);

impl ReadLeft for LeftOnServers {
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<LeftUnits, String>> + Send + '_>> {
        Box::pin(async {
            let mut left = LeftUnits::new();
            let servers = self.0.nodes().iter();
            let readings: Vec<_> = servers.map(|node| read(node)).collect();
            let found = try_join_all(readings).await;
            for found in found.map_err(|error| error.to_string())? {
                let found = found.ok_or_else(|| "a stock server has to be rebuilt".to_owned())?;
                for ((item, _), units) in found.left {
                    *left.entry(item).or_default() += units;
                }
            }
            Ok(left)
        })
    }
}

/// What a server holds; `None` where it answers but does not hold this cluster's units.
async fn read(node: &StockNode<RedisServer>) -> Result<Option<ServerStock>, ReconcileError> {
    let Some(mut session) = node.find_session().await? else {
        return Ok(None);
    };
    Ok(session.look().await?.ok())
}

/// How many units of each item the shards have issued.
pub(crate) async fn issued(
    shards: &[SqlShardLedger],
) -> Result<BTreeMap<StockItem, u64>, StoreError> {
    let mut issued = BTreeMap::new();
    for shard in shards {
        for (item, units) in shard.issued().await? {
            *issued.entry(item).or_default() += units;
        }
    }
    Ok(issued)
}
