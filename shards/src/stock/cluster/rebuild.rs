//! Rebuild: gives a server that has lost its units those that are not issued yet.
//!
//! 1. Raise the server's epoch in the meta database and read the totals at that moment.
//! 2. On each shard raise the epoch, which waits for the batches in flight, then count the issued
//!    units. After that no shard issues a unit of an older epoch.
//! 3. Give the server `total - issued` under the new epoch, in the session that was opened
//!    before step 1. If the process has changed since, the session is dead.
//! 4. Register the process, unless the epoch has been raised further.
//!
//! Several processes may rebuild at once: the highest epoch wins, and units of the others can never
//! be issued.
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use market::batch::StockItem;
use tokio::time::sleep;

use super::ledger::{MetaLedger, ShardLedger};
use super::node::StockNode;
use super::server::{Reset, Session, StockServer, Stranger};
use crate::stock::StockUnavailable;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::StoreError;

/// The pause after a batch held the epoch for too long. Lanes queue behind a rebuild that waits to
/// raise the epoch. With the pause, a gateway that hangs in mid-batch costs them only a part of
/// their time.
const HELD_PAUSE: Duration = Duration::from_secs(3);

/// Why a server was not rebuilt or not reconciled.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error(transparent)]
    Stock(#[from] StockUnavailable),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A shard or the server has this epoch already. Another rebuild is ahead, or the meta database
    /// was restored from an older copy.
    #[error("a shard or the server is at epoch {0} already")]
    Behind(Epoch),
    /// The server's units are another cluster's.
    #[error(transparent)]
    Stranger(#[from] Stranger),
}

/// Rebuilds a server. `seen` is an epoch that the server or a shard was seen to have. Returns the
/// new epoch.
pub(crate) async fn rebuild<S: StockServer, L: ShardLedger>(
    node: &StockNode<S>,
    shards: &[L],
    meta: &impl MetaLedger,
    seen: Epoch,
) -> Result<Epoch, ReconcileError> {
    let mut session = node.server.session().await?;
    node.recognise(&mut session, &meta.registered(node.id).await?)
        .await??;
    let (epoch, totals) = meta.raise_epoch(node.id, seen).await?;
    tracing::warn!(server = %node.id, %epoch, "a stock server is being rebuilt");
    let issued = try_join_all(shards.iter().map(|shard| fence(shard, node.id, epoch))).await;
    if let Err(ReconcileError::Store(StoreError::Held(why))) = &issued {
        tracing::warn!(server = %node.id, why, "a batch holds the epoch; the rebuild waits for it");
        sleep(HELD_PAUSE).await;
    }
    let issued = issued?;
    match session.reset(epoch, &left(totals, issued)).await? {
        Reset::Done => {}
        Reset::Ahead(there) => return Err(ReconcileError::Behind(there)),
        Reset::Stranger(stranger) => return Err(stranger.into()),
    }
    meta.register(node.id, epoch, session.run_id()).await?;
    node.set_registered(meta.registered(node.id).await?);
    tracing::info!(server = %node.id, %epoch, "a stock server was rebuilt");
    Ok(epoch)
}

/// Raises the epoch on a shard, then counts its issued units. In the other order a batch could
/// commit in between.
async fn fence(
    shard: &impl ShardLedger,
    server: ServerId,
    epoch: Epoch,
) -> Result<Vec<(StockItem, u16, u64)>, ReconcileError> {
    let holds = shard.raise_epoch(server, epoch).await?;
    if holds > epoch {
        return Err(ReconcileError::Behind(holds));
    }
    Ok(shard.issued_of(server).await?)
}

/// The units left in each segment.
fn left(
    totals: Vec<(StockItem, u16, u64)>,
    issued: Vec<Vec<(StockItem, u16, u64)>>,
) -> Vec<(StockItem, u16, u64)> {
    let mut counts: BTreeMap<(StockItem, u16), u64> = BTreeMap::new();
    for (item, segment, units) in issued.into_iter().flatten() {
        *counts.entry((item, segment)).or_default() += units;
    }
    let rest = |(item, segment, total): (StockItem, u16, u64)| {
        let issued = counts.get(&(item, segment)).copied().unwrap_or(0);
        (item, segment, total.saturating_sub(issued))
    };
    totals.into_iter().map(rest).collect()
}
