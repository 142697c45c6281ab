//! Sweep: decides the outcome of grants that stay open. A grant that is open for long belongs to a
//! batch that died, or whose closing was lost. Its shard decides, for all servers by one row:
//! either the batch has committed, then the grant is settled; or it is made void there, and only
//! then its units go back.
use std::collections::BTreeSet;
use std::time::Duration;

use super::StockNode;
use super::ledger::{GrantOutcome, ShardLedger};
use super::rebuild::ReconcileError;
use super::server::{Closing, Look, Session, StockServer};

/// A batch that takes longer than this is decided over its head: it is planned again.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(5);

/// Decides over the grants of `look` that are too old, and closes them in the same session: the
/// process that was looked at is the one that gets the units back. Answers how many there were.
pub(crate) async fn sweep<S: StockServer, L: ShardLedger>(
    node: &StockNode<S>,
    session: &mut S::Session,
    look: &Look,
    shards: &[L],
) -> Result<usize, ReconcileError> {
    let mut closings = Vec::new();
    let mut unavailable = BTreeSet::new();
    for open in look.open.iter().filter(|open| open.age >= OPEN_MAX) {
        let Some(shard) = shards.get(usize::from(open.shard)) else {
            tracing::error!(grant = ?open.grant, shard = open.shard, "an open grant names a shard that is not there");
            continue;
        };
        // A shard that is unavailable keeps its grants open, and costs one timeout; the others' are
        // decided.
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
