//! Reconciliation of one server with the databases: the job that finds what is wrong and repairs
//! it.
use std::collections::BTreeMap;

use market::batch::StockItem;

use super::cluster_stock::ClusterStock;
use super::deliver::deliver;
use super::ledger::{MetaLedger, ShardLedger};
use super::node::StockNode;
use super::rebuild::{ReconcileError, rebuild};
use super::server::{ServerStock, Session, StockServer};
use super::sweep::sweep;
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::spread::Spread;

/// What a round found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// The server is as the meta database says.
    Sound {
        /// Grants that stayed open and were decided.
        swept: usize,
        /// Operations that were delivered to it.
        delivered: usize,
    },
    /// It was rebuilt under this epoch.
    Rebuilt(Epoch),
}

/// Reconciles a server once. Rebuilds it when it has lost something. Otherwise decides grants that
/// stayed open and delivers operations. `seen` keeps the greatest epoch that was seen anywhere,
/// from round to round.
pub(crate) async fn reconcile<S: StockServer, L: ShardLedger>(
    stock: &ClusterStock<S>,
    node: &StockNode<S>,
    shards: &[L],
    meta: &impl MetaLedger,
    spread: Spread,
    seen: &mut Epoch,
) -> Result<Reconciled, ReconcileError> {
    let mut registered = meta.registered(node.id).await?;
    node.set_registered(registered.clone());
    let mut session = node.server.session().await?;
    node.recognise(&mut session, &registered).await??;
    let found = session.look().await?;
    if found
        .as_ref()
        .is_ok_and(|found| found.epoch > registered.epoch)
    {
        // It was rebuilt a moment ago, or the meta database was restored from an older copy.
        registered = meta.registered(node.id).await?;
        node.set_registered(registered.clone());
    }
    let known = registered.run_id.as_deref() == Some(session.run_id());
    match found {
        Ok(found)
            if known && found.epoch == registered.epoch && is_whole(&found, node.id, spread) =>
        {
            let swept = sweep(node, &mut session, &found, shards).await?;
            let delivered = deliver(node, &mut session, meta, spread).await?;
            if swept + delivered > 0 {
                stock.forget_sold_out();
            }
            Ok(Reconciled::Sound { swept, delivered })
        }
        found => {
            if let Ok(ServerStock { epoch, .. }) = found {
                *seen = epoch.max(*seen);
            }
            let rebuilt = rebuild(node, shards, meta, *seen).await;
            if let Err(ReconcileError::Behind(epoch)) = rebuilt {
                *seen = epoch.max(*seen);
            }
            stock.forget_sold_out();
            rebuilt.map(Reconciled::Rebuilt)
        }
    }
}

/// Whether each item that a server knows has all its segments there. An earlier version did not
/// write segments without units.
fn is_whole(found: &ServerStock, server: ServerId, spread: Spread) -> bool {
    let here = spread.segments_on(server).count();
    let mut counts: BTreeMap<StockItem, usize> = BTreeMap::new();
    found
        .left
        .keys()
        .for_each(|(item, _)| *counts.entry(*item).or_default() += 1);
    counts.values().all(|&count| count == here)
}
