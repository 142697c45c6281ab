//! Delivery: applies recorded stock operations on the servers, each once.
//!
//! An addition is recorded with the server's epoch at that moment. The server applies it only in
//! that epoch: a later epoch counted it when it began.
//!
//! A withdrawal takes units from the servers first and from the totals after that. If a server is
//! rebuilt in between, the units are back on it and the withdrawal is done again. A withdrawal is
//! also done in one epoch only: the epoch that was known when its units were found to be missing. A
//! late round, with an old list or a slow request, must not take units in a later epoch that the
//! totals have lost already, because they would never be put back.
use super::cluster_stock::ClusterStock;
use super::ledger::{Delivery, MetaLedger, PendingWithdrawal};
use super::node::StockNode;
use super::rebuild::ReconcileError;
use super::server::{Addition, Session, StockServer};
use crate::stock::ids::Epoch;
use crate::stock::spread::Spread;

/// Delivers to a server the additions that it does not have yet. Returns how many.
pub(crate) async fn deliver<S: StockServer>(
    node: &StockNode<S>,
    session: &mut S::Session,
    meta: &impl MetaLedger,
    spread: Spread,
) -> Result<usize, ReconcileError> {
    let deliveries = meta.deliveries(node.id).await?;
    for delivery in &deliveries {
        // A segment that gets no units is in the addition too. Otherwise it would still count as
        // undelivered.
        let here = |&(segment, _): &(u16, u64)| spread.server_of(segment) == node.id;
        let addition = Addition {
            operation: delivery.operation,
            epoch: delivery.epoch,
            item: delivery.item,
            segments: spread.share(delivery.units).filter(here).collect(),
        };
        match session.add(&addition).await? {
            Ok(epoch) if epoch >= delivery.epoch => meta.delivered(delivery).await?,
            // The server is behind the meta database, or empty: a rebuild will count the addition.
            Ok(_) | Err(_) => return Ok(0),
        }
    }
    Ok(deliveries.len())
}

/// What a round did with the withdrawals that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    /// Withdrawals that were done.
    pub(crate) done: usize,
    /// Withdrawals that still wait.
    pub(crate) waiting: usize,
}

/// Does the withdrawals that wait, as far as the servers answer.
pub(crate) async fn withdraw<S: StockServer>(
    stock: &ClusterStock<S>,
    meta: &impl MetaLedger,
) -> Result<Withdrawn, ReconcileError> {
    let mut withdrawn = Withdrawn::default();
    // Read before the list: what the list does not show as given was given in these epochs or
    // later.
    let epochs: Vec<Epoch> = stock
        .nodes()
        .iter()
        .map(|node| node.known_epoch())
        .collect();
    for mut withdrawal in meta.withdrawals().await? {
        let all = withdraw_one(stock, meta, &epochs, &mut withdrawal).await?;
        if all {
            meta.end_withdrawal(withdrawal.operation).await?;
            withdrawn.done += 1;
        } else {
            withdrawn.waiting += 1;
        }
    }
    Ok(withdrawn)
}

/// Asks the servers in turn, until they have given enough or all were asked. Returns whether the
/// withdrawal is done.
async fn withdraw_one<S: StockServer>(
    stock: &ClusterStock<S>,
    meta: &impl MetaLedger,
    epochs: &[Epoch],
    withdrawal: &mut PendingWithdrawal,
) -> Result<bool, ReconcileError> {
    for (node, &known) in stock.nodes().iter().zip(epochs) {
        let given: u64 = withdrawal.given.iter().map(|(_, units)| units).sum();
        let missing = withdrawal.units.saturating_sub(given);
        if missing == 0
            || withdrawal
                .given
                .iter()
                .any(|(server, _)| *server == node.id)
        {
            continue;
        }
        // Units that were not delivered to the server yet are withdrawn after their delivery.
        // (Units recorded under an earlier epoch came with this one.)
        let waits =
            |delivery: &Delivery| delivery.item == withdrawal.item && delivery.epoch >= known;
        if meta.deliveries(node.id).await?.iter().any(waits) {
            return Ok(false);
        }
        let mut session = node.trusted_session().await?;
        let Ok((epoch, taken)) = session
            .withdraw(withdrawal.operation, known, withdrawal.item, missing)
            .await?
        else {
            return Ok(false);
        };
        if epoch != known
            || !meta
                .note_withdrawn(withdrawal, node.id, epoch, &taken)
                .await?
        {
            return Ok(false);
        }
        withdrawal
            .given
            .push((node.id, taken.iter().map(|(_, units)| units).sum()));
    }
    Ok(true)
}
