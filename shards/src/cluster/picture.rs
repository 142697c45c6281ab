//! The stock picture: what is left, issued and under open grants, copied into the meta database
//! for people and reports. Draws never wait for it.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::batch::Prize;

use super::Parts;
use crate::metrics::{ClusterMetrics, Metrics};
use crate::stock::Picture;
use crate::stock::cluster::{Look, RedisServer, Session, Shelf, SqlShardLedger, TendError};
use crate::store::StoreError;

/// Looks at all servers and all shards, one after the other: while draws go on, the numbers are
/// not of one moment.
pub(crate) async fn pictures(parts: &Parts) -> Result<Vec<Picture>, TendError> {
    let mut pictures: BTreeMap<Prize, Picture> = BTreeMap::new();
    for (prize, total) in parts.meta.totals().await? {
        pictures.insert(
            prize,
            Picture {
                prize,
                total,
                left: 0,
                open: 0,
                issued: 0,
            },
        );
    }
    let empty = |prize| Picture {
        prize,
        total: 0,
        left: 0,
        open: 0,
        issued: 0,
    };
    for shelf in parts.stock.shelves() {
        let Some(look) = look_at(shelf).await? else {
            // Another cluster's units are no reason for a rebuild, and it would be refused.
            shelf.recognise_now().await??;
            return Err(shelf.lost().into());
        };
        for ((prize, _), left) in look.left {
            pictures.entry(prize).or_insert_with(|| empty(prize)).left += left;
        }
        for part in look.open.iter().flat_map(|open| &open.parts) {
            pictures
                .entry(part.prize)
                .or_insert_with(|| empty(part.prize))
                .open += u64::from(part.count);
        }
    }
    for (prize, issued) in issued(&parts.ledgers).await? {
        pictures.entry(prize).or_insert_with(|| empty(prize)).issued += issued;
    }
    Ok(pictures.into_values().collect())
}

/// What a server holds; `None` where it answers but does not hold this cluster's units.
async fn look_at(shelf: &Shelf<RedisServer>) -> Result<Option<Look>, TendError> {
    let Some(mut session) = shelf.find_session().await? else {
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

/// Copies the picture into the meta database.
pub(super) async fn sync(
    parts: &Parts,
    metrics: &Metrics,
    jobs: &ClusterMetrics,
) -> Result<(), TendError> {
    let pictures = pictures(parts).await?;
    let now = Timestamp::now();
    parts.meta.write_pictures(&pictures, now).await?;
    metrics.show_stock(&pictures);
    jobs.picture_written_seconds.set(now.as_second());
    Ok(())
}
