//! Reclaim: closes what lanes that died have left open, and deletes the receipts that they left.
//!
//! First a grant is closed wherever it may be open, then its receipt may go: were the row to vanish
//! while the grant is open, the sweeper would take the batch for dead and return units that are
//! issued. That goes for grants of past epochs too: while a rebuild is under way, a server's old
//! units can still be issued on shards that have not heard of it.
use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::{ShardLedger, SomeReceipts};
use super::rebuild::ReconcileError;
use super::server::{Closing, Session, StockServer};
use super::{ClusterStock, StockNode};
use crate::grant::GrantId;
use crate::stock::{Epoch, ServerId, StockUnavailable};

/// Reclaims what one shard's receipts of at least this age say, page after page. Answers how many
/// receipts it has deleted; fails at the end where a server could not be asked.
pub(crate) async fn reclaim<S: StockServer>(
    stock: &ClusterStock<S>,
    shard: &impl ShardLedger,
    age: Duration,
) -> Result<usize, ReconcileError> {
    let (mut after, mut deleted, mut unavailable) = (GrantId(0), 0, None);
    loop {
        let SomeReceipts { receipts, next } = shard.old_receipts(age, after).await?;
        let mut asked = BTreeMap::new();
        for node in stock.nodes() {
            let of_server = |parts: &Closing| !parts.used.is_empty();
            let closings: Vec<Closing> = receipts
                .iter()
                .map(|receipt| receipt.closing(node.id))
                .filter(of_server)
                .collect();
            if closings.is_empty() {
                continue;
            }
            match close(node, &closings).await {
                Ok(epoch) => drop(asked.insert(node.id, epoch)),
                Err(error) => unavailable = Some(error),
            }
        }
        let is_closed =
            |server: &ServerId, epoch: &Epoch| asked.get(server).is_some_and(|now| now >= epoch);
        let closed = receipts.iter().filter(|receipt| {
            receipt
                .epochs
                .iter()
                .all(|(server, epoch)| is_closed(server, epoch))
        });
        let grants: Vec<GrantId> = closed.map(|receipt| receipt.grant).collect();
        deleted += shard.delete_receipts(&grants).await?;
        let Some(next) = next else { break };
        after = next;
    }
    match unavailable {
        Some(error) => Err(error.into()),
        None => Ok(deleted),
    }
}

/// Closes grants on the process that has the server's units. It alone knows all open grants of its
/// epoch and those before; it may be one of a past epoch that lives on.
async fn close<S: StockServer>(
    node: &StockNode<S>,
    closings: &[Closing],
) -> Result<Epoch, StockUnavailable> {
    let closed = node.trusted_session().await?.close(closings).await?;
    closed.map_err(|_lost| node.lost())
}
