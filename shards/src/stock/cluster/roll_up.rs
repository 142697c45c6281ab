//! Roll-up: adds committed grants to a shard's counters and forgets their rows.
//!
//! First the grants are closed on their server, then their rows may go: were a row to vanish
//! while its grant is open, the sweeper would take the batch for dead and return its units.
use std::time::Duration;

use super::Shelf;
use super::ledger::{NotedGrant, ShardLedger};
use super::rebuild::TendError;
use super::server::{Closing, Session, StockServer};

/// Lanes close their grants themselves, in a moment. No longer than that, because whoever wants to know
/// what was issued (the stock picture does, each second) reads all grants that were not rolled up.
const AGE_MIN: Duration = Duration::from_millis(500);

/// Rolls up what one shard has noted of one server's grants. Answers how many.
pub(crate) async fn roll_up<S: StockServer>(shelf: &Shelf<S>, shard: &impl ShardLedger) -> Result<usize, TendError> {
    let noted = shard.old_grants(shelf.id, AGE_MIN).await?;
    if noted.is_empty() {
        return Ok(0);
    }
    let closings: Vec<Closing> =
        noted.iter().map(|NotedGrant { grant, used, .. }| Closing { grant: *grant, used: used.clone() }).collect();
    // Only the registered process knows all open grants, and whoever has lost its grants cannot say
    // that they are closed. We may have heard last of a process that was replaced and lives on: what
    // was granted after its epoch may still be open elsewhere.
    let Ok(epoch) = shelf.trusted_session().await?.close(&closings).await? else { return Ok(0) };
    let grants: Vec<_> = noted.iter().filter(|noted| noted.epoch <= epoch).map(|noted| noted.grant).collect();
    Ok(shard.roll_up(shelf.id, &grants).await?)
}
