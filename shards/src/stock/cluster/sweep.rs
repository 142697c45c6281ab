//! Sweep: decides the fate of grants that stay open. A grant that is open for long belongs to a
//! batch that died, or whose closing was lost. Its shard decides, for all servers by one row:
//! either the batch has committed, then the grant is settled; or it is made void there, and only
//! then its units go back.
use std::collections::BTreeSet;
use std::time::Duration;

use super::Shelf;
use super::ledger::{Fate, ShardLedger};
use super::rebuild::TendError;
use super::server::{Closing, Look, Session, StockServer};

/// A batch that takes longer than this is decided over its head: it is planned anew.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(5);

/// Decides over the grants of `look` that are too old, and closes them in the same session: the
/// process that was looked at is the one that gets the units back. Answers how many there were.
pub(crate) async fn sweep<S: StockServer, L: ShardLedger>(
    shelf: &Shelf<S>,
    session: &mut S::Session,
    look: &Look,
    shards: &[L],
) -> Result<usize, TendError> {
    let mut closings = Vec::new();
    let mut away = BTreeSet::new();
    for open in look.open.iter().filter(|open| open.age >= OPEN_MAX) {
        let Some(shard) = shards.get(usize::from(open.shard)) else {
            tracing::error!(grant = ?open.grant, shard = open.shard, "an open grant names a shard that is not there");
            continue;
        };
        // A shard that is away keeps its grants open, and costs one time-out; the others' are
        // decided.
        if away.contains(&open.shard) {
            continue;
        }
        match shard.decide(shelf.id, open.grant).await {
            Ok(Fate::Committed(used)) => closings.push(Closing {
                grant: open.grant,
                used,
            }),
            Ok(Fate::Void) => closings.push(Closing {
                grant: open.grant,
                used: Vec::new(),
            }),
            Err(error) => {
                tracing::warn!(%error, shard = open.shard, "grants stay open");
                away.insert(open.shard);
            }
        }
    }
    if !closings.is_empty() {
        tracing::info!(server = %shelf.id, grants = closings.len(), "grants that stayed open were decided");
        let _lost_is_rebuilt_elsewhere = session.close(&closings).await?;
    }
    Ok(closings.len())
}
