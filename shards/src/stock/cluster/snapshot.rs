//! The stock as it stands: what is left, issued and under open grants of each prize.
use std::collections::BTreeMap;

use market::batch::Prize;

use super::rebuild::ReconcileError;
use super::redis::RedisServer;
use super::server::{Look, Session};
use super::sql_shard::SqlShardLedger;
use super::{ClusterStock, StockNode};
use crate::meta::Meta;
use crate::stock::Snapshot;
use crate::store::{MysqlDatabase, StoreError};

/// Looks at all servers and all shards, one after the other: while draws go on, the numbers are
/// not of one moment.
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
        let Some(look) = look_at(node).await? else {
            // Another cluster's units are no reason for a rebuild, and it would be refused.
            node.recognise_now().await??;
            return Err(node.lost().into());
        };
        for ((prize, _), left) in look.left {
            snapshots.entry(prize).or_insert_with(|| empty(prize)).left += left;
        }
        for part in look.open.iter().flat_map(|open| &open.parts) {
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
async fn look_at(node: &StockNode<RedisServer>) -> Result<Option<Look>, ReconcileError> {
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
