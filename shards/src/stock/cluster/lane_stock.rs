//! The stock of a cluster, as one lane takes from it.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use market::batch::Units;
use tokio::time::{Instant, timeout_at};

use super::closing::{CloseRequest, ClosedGrants, GrantBeingClosed};
use super::cluster_stock::ClusterStock;
use super::node::StockNode;
use super::pending_take::PendingTake;
use super::server::{Closing, Session, StockServer, TakeRequest, Taken};
use crate::breaker::Breakers;
use crate::grant::GrantId;
use crate::stock::grants::{Granted, Part};
use crate::stock::ids::ServerId;
use crate::stock::{Stock, StockUnavailable};

/// The time of one take, whatever happens. A batch takes twice at most, within a second.
const TAKE_MAX: Duration = Duration::from_millis(490);

/// A batch deletes receipts only when there are this many: the statement costs more than its rows,
/// and a few rows that stay for some batches cost nothing.
const CLOSED_MIN: usize = 32;

/// The stock, as one lane takes from it.
pub(crate) struct LaneStock<S> {
    stock: Arc<ClusterStock<S>>,
    shard: u16,
    /// Each lane begins at segments of its own.
    lane: u16,
    breakers: Arc<Breakers>,
    /// Grants whose receipts can go.
    closed: Arc<ClosedGrants>,
    closed_min: usize,
}

impl<S: StockServer> ClusterStock<S> {
    /// The stock, as one lane takes from it.
    pub(crate) fn for_lane(
        self: &Arc<Self>,
        shard: u16,
        lane: u16,
        breakers: &Arc<Breakers>,
    ) -> LaneStock<S> {
        LaneStock {
            stock: self.clone(),
            shard,
            lane,
            breakers: breakers.clone(),
            closed: Arc::default(),
            closed_min: CLOSED_MIN,
        }
    }
}

impl<S: StockServer> LaneStock<S> {
    /// Lets receipts go one by one. Otherwise none would go in a short test.
    #[cfg(test)]
    pub(crate) fn one_by_one(self) -> Self {
        Self {
            closed_min: 1,
            ..self
        }
    }

    /// A grant that is about to be closed; `None` where it used no units and so has no receipt.
    fn being_closed(
        &self,
        grant: GrantId,
        granted: &Granted,
        used: &[Part],
    ) -> Option<Arc<GrantBeingClosed>> {
        let gave = |server: &ServerId| used.iter().any(|part| part.server == *server);
        let missing: BTreeMap<_, _> = granted
            .epochs
            .iter()
            .filter(|(server, _)| gave(server))
            .map(|(&server, &epoch)| (server, epoch))
            .collect();
        let closed = &self.closed;
        (!missing.is_empty())
            .then(|| Arc::new(GrantBeingClosed::new(grant, missing, closed.clone())))
    }

    /// Asks one server.
    async fn ask(
        &self,
        node: &StockNode<S>,
        grant: GrantId,
        wants: &[Units],
        deadline: Instant,
    ) -> Result<Taken, StockUnavailable> {
        let request = TakeRequest {
            grant,
            shard: self.shard,
            lane: self.lane,
            wants,
        };
        node.take(&request, self.breakers.stock_server(node.id), deadline)
            .await
    }

    /// Gives back what a failed take was granted, and waits for it. The batch may be about to ask
    /// again, and needs these units then.
    async fn return_now(&self, grant: GrantId, pending: &PendingTake, deadline: Instant) {
        for &id in pending.granted.epochs.keys().chain(&pending.cut_off) {
            let node = self.stock.node(id);
            let closing = Closing {
                grant,
                used: Vec::new(),
            };
            let closings = std::slice::from_ref(&closing);
            let closed = async { node.trusted_session().await?.close(closings).await };
            if !matches!(timeout_at(deadline, closed).await, Ok(Ok(_))) {
                node.close(CloseRequest {
                    closing,
                    notified: None,
                });
            }
        }
        self.stock.forget_sold_out();
    }
}

impl<S: StockServer> Stock for LaneStock<S> {
    async fn take(&self, grant: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        let stock = &self.stock;
        let deadline = Instant::now() + TAKE_MAX;
        let wants = wants
            .iter()
            .filter(|want| !stock.is_sold_out(want.item))
            .copied();
        let mut pending = PendingTake::new(wants.collect());
        for node in stock.nodes_from(self.lane) {
            if pending.wants.is_empty() {
                break;
            }
            let taken = self.ask(node, grant, &pending.wants, deadline).await;
            let Ok(Taken::Undelivered(items)) = &taken else {
                pending.add(node.id, taken);
                continue;
            };
            // The server granted nothing at all, though it may have the other items.
            let is_delivered = |want: &&Units| !items.contains(&want.item);
            let others: Vec<Units> = pending.wants.iter().filter(is_delivered).copied().collect();
            pending.add(node.id, taken);
            if !others.is_empty() {
                let taken = self.ask(node, grant, &others, deadline).await;
                pending.add(node.id, taken);
            }
        }
        if let Some(error) = pending.failure() {
            self.return_now(grant, &pending, deadline).await;
            return Err(error);
        }
        stock.remember_sold_out(&pending.wants);
        Ok(pending.granted)
    }

    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]) {
        let notified = self.being_closed(grant, granted, used);
        self.stock
            .close_all(grant, granted, used, notified.as_ref());
    }

    fn give_back(&self, grant: GrantId, granted: &Granted) {
        self.stock.close_all(grant, granted, &[], None);
    }

    fn closed(&self) -> Vec<GrantId> {
        self.closed.take(self.closed_min)
    }
}
