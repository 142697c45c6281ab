//! Reclaim: closes grants that dead lanes left open, and deletes the receipts that they left.
//!
//! A grant is closed wherever it may be open before its receipt goes. If the row went while the
//! grant is open, the sweeper would consider the batch dead and return units that were issued. This
//! holds for grants of past epochs too: during a rebuild, shards that have not got the new epoch
//! can still issue a server's old units.
use std::collections::BTreeMap;
use std::time::Duration;

use super::cluster_stock::ClusterStock;
use super::ledger::{ShardLedger, SomeReceipts};
use super::node::StockNode;
use super::rebuild::ReconcileError;
use super::server::{Closing, Session, StockServer};
use crate::grant::GrantId;
use crate::stock::StockUnavailable;
use crate::stock::ids::{Epoch, ServerId};

/// What a round did with the old receipts of a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reclaimed {
    /// Receipts that were deleted.
    pub(crate) deleted: usize,
    /// Receipts that stay, because their grants may be open.
    pub(crate) left: usize,
}

/// Reclaims one shard's receipts of at least this age, page by page. Fails at the end if a server
/// did not answer.
pub(crate) async fn reclaim<S: StockServer>(
    stock: &ClusterStock<S>,
    shard: &impl ShardLedger,
    age: Duration,
) -> Result<Reclaimed, ReconcileError> {
    let (mut after, mut unavailable) = (GrantId(0), None);
    let mut reclaimed = Reclaimed::default();
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
        reclaimed.left += receipts.len() - grants.len();
        reclaimed.deleted += shard.delete_receipts(&grants).await?;
        let Some(next) = next else { break };
        after = next;
    }
    match unavailable {
        Some(error) => Err(error.into()),
        None => Ok(reclaimed),
    }
}

/// Closes grants on the trusted process of a server. Only it knows all open grants of its epoch and
/// the epochs before. It may be a process of a past epoch that is still alive.
async fn close<S: StockServer>(
    node: &StockNode<S>,
    closings: &[Closing],
) -> Result<Epoch, StockUnavailable> {
    let closed = node.trusted_session().await?.close(closings).await?;
    closed.map_err(|_lost| node.lost())
}
