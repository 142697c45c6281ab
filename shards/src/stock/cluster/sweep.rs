//! Sweep: decides the outcome of grants that stay open. A grant that is open for long belongs to a
//! batch that died, or its closing was lost. The shard decides for all servers, by one row. If the
//! batch has committed, the grant is settled. Otherwise the shard makes it void, and only then its
//! units go back.
use std::collections::BTreeSet;
use std::time::Duration;

use super::ledger::{GrantOutcome, ShardLedger};
use super::node::StockNode;
use super::rebuild::ReconcileError;
use super::server::{Closing, ServerStock, Session, StockServer};

/// The sweep decides a batch that takes longer than this: it can no longer commit and is planned
/// again.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(5);

/// Decides the grants in `stock` that are too old, and closes them in the same session. So the
/// process that was read gets the units back. Returns how many there were.
pub(crate) async fn sweep<S: StockServer, L: ShardLedger>(
    node: &StockNode<S>,
    session: &mut S::Session,
    stock: &ServerStock,
    shards: &[L],
) -> Result<usize, ReconcileError> {
    let mut closings = Vec::new();
    let mut unavailable = BTreeSet::new();
    for open in stock.open.iter().filter(|open| open.age >= OPEN_MAX) {
        let Some(shard) = shards.get(usize::from(open.shard)) else {
            tracing::error!(grant = ?open.grant, shard = open.shard, "an open grant names a shard that does not exist");
            continue;
        };
        // Grants of a shard that is unavailable stay open, at the cost of one timeout. Those of
        // other shards are decided.
        if unavailable.contains(&open.shard) {
            continue;
        }
        match shard.decide(node.id, open.grant).await {
            Ok(GrantOutcome::Committed(used)) => closings.push(Closing {
                grant: open.grant,
                used,
            }),
            Ok(GrantOutcome::Void) => closings.push(Closing {
                grant: open.grant,
                used: Vec::new(),
            }),
            Err(error) => {
                tracing::warn!(%error, shard = open.shard, "grants stay open");
                unavailable.insert(open.shard);
            }
        }
    }
    if !closings.is_empty() {
        tracing::info!(server = %node.id, grants = closings.len(), "grants that stayed open were decided");
        let _lost_is_rebuilt_elsewhere = session.close(&closings).await?;
    }
    Ok(closings.len())
}
