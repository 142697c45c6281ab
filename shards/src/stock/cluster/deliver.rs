//! Delivery: brings recorded stock operations to the servers, each once.
//!
//! An addition is recorded with the server's epoch of that moment; the server applies it only in
//! that epoch, because a later one has counted it when it began. A withdrawal leaves the nodes
//! first and the totals after that: if the server is rebuilt in between, its units are back on the
//! node and the withdrawal is done again. It too is done in one epoch only, that in which it was
//! seen to be missing: whoever comes late, with an old list or a slow request, would take again in
//! a later epoch what the totals have lost already, and nobody would put it back.
use super::ledger::{Delivery, MetaLedger, PendingWithdrawal};
use super::rebuild::ReconcileError;
use super::server::{Addition, Session, StockServer};
use super::{ClusterStock, StockNode};
use crate::stock::ids::Epoch;
use crate::stock::spread::Spread;

/// Brings a server the additions that it has not got yet. Answers how many.
pub(crate) async fn deliver<S: StockServer>(
    node: &StockNode<S>,
    session: &mut S::Session,
    meta: &impl MetaLedger,
    spread: Spread,
) -> Result<usize, ReconcileError> {
    let deliveries = meta.deliveries(node.id).await?;
    for delivery in &deliveries {
        // A segment that gets none is told so: without a word it would still be waiting for its
        // units.
        let here = |&(segment, _): &(u16, u64)| spread.server_of(segment) == node.id;
        let addition = Addition {
            operation: delivery.operation,
            epoch: delivery.epoch,
            prize: delivery.prize,
            segments: spread.share(delivery.units).filter(here).collect(),
        };
        match session.add(&addition).await? {
            Ok(epoch) if epoch >= delivery.epoch => meta.delivered(delivery).await?,
            // Behind the meta database, or empty: a rebuild will count it.
            Ok(_) | Err(_) => return Ok(0),
        }
    }
    Ok(deliveries.len())
}

/// What became of the withdrawals that waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    /// Those that are done.
    pub(crate) done: usize,
    /// Those that still wait.
    pub(crate) waiting: usize,
}

/// Does the withdrawals that wait, as far as servers answer.
pub(crate) async fn withdraw<S: StockServer>(
    stock: &ClusterStock<S>,
    meta: &impl MetaLedger,
) -> Result<Withdrawn, ReconcileError> {
    let mut withdrawn = Withdrawn::default();
    // Before the list: what it does not show as given was not given in an earlier epoch than these.
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

/// Asks the servers in turn, until enough is given or all were asked.
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
        // What is on its way there is not gone: it is withdrawn when it has come. (What was
        // recorded under an earlier epoch has come with this one.)
        let waits =
            |delivery: &Delivery| delivery.prize == withdrawal.prize && delivery.epoch >= known;
        if meta.deliveries(node.id).await?.iter().any(waits) {
            return Ok(false);
        }
        let mut session = node.trusted_session().await?;
        let Ok((epoch, taken)) = session
            .withdraw(withdrawal.operation, known, withdrawal.prize, missing)
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
