//! The stock of a cluster now: the units left, issued and under open grants of each prize.
use std::collections::BTreeMap;

use market::batch::Prize;

use super::cluster_stock::ClusterStock;
use super::node::StockNode;
use super::rebuild::ReconcileError;
use super::redis::RedisServer;
use super::server::{ServerStock, Session};
use super::sql_shard::SqlShardLedger;
use crate::meta::Meta;
use crate::stock::Snapshot;
use crate::store::{MysqlDatabase, StoreError};

/// Reads all servers and all shards, one after the other. While draws go on, the numbers are not of
/// one moment.
pub(crate) async fn snapshots(
    meta: &Meta<MysqlDatabase>,
    stock: &ClusterStock<RedisServer>,
    shards: &[SqlShardLedger],
) -> Result<Vec<Snapshot>, ReconcileError> {
    let mut snapshots: BTreeMap<Prize, Snapshot> = BTreeMap::new();
    for (prize, total) in meta.stock_operations().totals().await? {
        snapshots.insert(
            prize,
            Snapshot {
                prize,
                total,
                left: 0,
                open: 0,
                issued: 0,
            },
        );
    }
    let empty = |prize| Snapshot {
        prize,
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
        for ((prize, _), left) in found.left {
            snapshots.entry(prize).or_insert_with(|| empty(prize)).left += left;
        }
        for part in found.open.iter().flat_map(|open| &open.parts) {
            snapshots
                .entry(part.prize)
                .or_insert_with(|| empty(part.prize))
                .open += u64::from(part.count);
        }
    }
    for (prize, issued) in issued(shards).await? {
        snapshots
            .entry(prize)
            .or_insert_with(|| empty(prize))
            .issued += issued;
    }
    Ok(snapshots.into_values().collect())
}

/// What a server holds; `None` where it answers but does not hold this cluster's units.
async fn read(node: &StockNode<RedisServer>) -> Result<Option<ServerStock>, ReconcileError> {
    let Some(mut session) = node.find_session().await? else {
        return Ok(None);
    };
    Ok(session.look().await?.ok())
}

/// How many units of each prize the shards have issued.
pub(crate) async fn issued(shards: &[SqlShardLedger]) -> Result<BTreeMap<Prize, u64>, StoreError> {
    let mut issued = BTreeMap::new();
    for shard in shards {
        for (prize, units) in shard.issued().await? {
            *issued.entry(prize).or_default() += units;
        }
    }
    Ok(issued)
}
