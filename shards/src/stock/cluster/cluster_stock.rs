//! The stock of a cluster: its servers, and the items that are sold out.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use market::batch::{StockItem, Units};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::closer::close_grants;
use super::closing::{CloseRequest, GrantBeingClosed};
use super::node::StockNode;
use super::server::{Closing, StockServer};
use crate::grant::GrantId;
use crate::stock::grants::{Granted, Part};
use crate::stock::ids::ServerId;

/// Lanes do not ask again for a sold out item in this time. Units that come back to a server are
/// found after it at the latest.
const SOLD_OUT_REMEMBERED: Duration = Duration::from_millis(900);

/// Grants that wait to be closed on one server. The sweeper finds those that do not fit.
const CLOSINGS_MAX: usize = 10_000;

/// The stock of a cluster.
pub(crate) struct ClusterStock<S> {
    nodes: Vec<Arc<StockNode<S>>>,
    /// Prizes that were found sold out, and until when that is remembered.
    sold_out: Mutex<HashMap<StockItem, Instant>>,
}

impl<S: StockServer> ClusterStock<S> {
    /// The stock on these servers, in the order of their numbers, and the tasks that close
    /// grants in the background. The tasks end when the stock is dropped.
    pub(crate) fn new(servers: Vec<S>) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let mut nodes = Vec::new();
        let mut tasks = Vec::new();
        for (id, server) in (1..=ServerId::MAX).zip(servers) {
            let (closings, queue) = mpsc::channel(CLOSINGS_MAX);
            let node = Arc::new(StockNode::new(ServerId(id), server, closings));
            tasks.push(tokio::spawn(close_grants(Arc::downgrade(&node), queue)));
            nodes.push(node);
        }
        let sold_out = Mutex::default();
        (Arc::new(Self { nodes, sold_out }), tasks)
    }

    /// The servers.
    pub(crate) fn nodes(&self) -> &[Arc<StockNode<S>>] {
        &self.nodes
    }

    /// Forgets which items were sold out: units may have come.
    pub(crate) fn forget_sold_out(&self) {
        self.sold_out().clear();
    }

    /// Remembers that nothing is left of these items.
    pub(super) fn remember_sold_out(&self, rest: &[Units]) {
        let until = Instant::now() + SOLD_OUT_REMEMBERED;
        let items = rest.iter().map(|want| (want.item, until));
        self.sold_out().extend(items);
    }

    /// Whether nothing was left of an item a moment ago.
    pub(super) fn is_sold_out(&self, item: StockItem) -> bool {
        self.sold_out()
            .get(&item)
            .is_some_and(|&until| Instant::now() < until)
    }

    /// The servers in the order in which a lane asks them.
    pub(super) fn nodes_from(&self, lane: u16) -> impl Iterator<Item = &Arc<StockNode<S>>> {
        let home = usize::from(lane) % self.nodes.len();
        self.nodes[home..].iter().chain(&self.nodes[..home])
    }

    /// The server of this number.
    pub(super) fn node(&self, id: ServerId) -> &StockNode<S> {
        &self.nodes[usize::from(id.0) - 1]
    }

    /// Closes a grant on all its servers. `notified` learns of each server that has closed it.
    pub(super) fn close_all(
        &self,
        grant: GrantId,
        granted: &Granted,
        used: &[Part],
        notified: Option<&Arc<GrantBeingClosed>>,
    ) {
        for &server in granted.epochs.keys() {
            let used = used
                .iter()
                .filter(|part| part.server == server)
                .copied()
                .collect();
            self.node(server).close(CloseRequest {
                closing: Closing { grant, used },
                notified: notified.cloned(),
            });
        }
        if used.len() < granted.parts.len() || used != granted.parts {
            self.forget_sold_out();
        }
    }

    fn sold_out(&self) -> MutexGuard<'_, HashMap<StockItem, Instant>> {
        self.sold_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
