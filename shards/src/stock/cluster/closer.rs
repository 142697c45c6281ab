//! The task that closes grants on one server, in the background.
use std::sync::Weak;

use tokio::sync::mpsc;

use super::closing::CloseRequest;
use super::node::StockNode;
use super::server::{Closing, Lost, Session, StockServer};

/// Grants that are closed in one call.
const CLOSINGS_AT_ONCE: usize = 256;

/// Closes grants, many at a time, until the node is gone.
pub(super) async fn close_grants<S: StockServer>(
    node: Weak<StockNode<S>>,
    mut queue: mpsc::Receiver<CloseRequest>,
) {
    let mut requests = Vec::with_capacity(CLOSINGS_AT_ONCE);
    while queue.recv_many(&mut requests, CLOSINGS_AT_ONCE).await > 0 {
        let Some(node) = node.upgrade() else { return };
        let (closings, notified): (Vec<Closing>, Vec<_>) = requests
            .drain(..)
            .map(|CloseRequest { closing, notified }| (closing, notified))
            .unzip();
        let closed = async { node.trusted_session().await?.close(&closings).await }.await;
        match closed {
            Ok(Ok(epoch)) => notified
                .iter()
                .flatten()
                .for_each(|grant| grant.note_closed(node.id, epoch)),
            Ok(Err(Lost)) => tracing::debug!(
                grants = closings.len(),
                "open grants were lost with their server"
            ),
            Err(error) => {
                tracing::debug!(%error, grants = closings.len(), "open grants are left to the sweeper");
            }
        }
    }
}
