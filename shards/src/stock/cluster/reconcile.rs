//! Looking after one server: the job that notices what is wrong with it and mends it.
use std::collections::BTreeMap;

use market::batch::Prize;

use super::deliver::deliver;
use super::ledger::{MetaLedger, ShardLedger};
use super::rebuild::{ReconcileError, rebuild};
use super::server::{Look, Session, StockServer};
use super::sweep::sweep;
use super::{ClusterStock, StockNode};
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::spread::Spread;

/// What a round found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// The server is what the meta database says.
    Sound {
        /// Grants that stayed open and were decided.
        swept: usize,
        /// Operations that it got.
        delivered: usize,
    },
    /// It was rebuilt under this epoch.
    Rebuilt(Epoch),
}

/// Looks after a server once: rebuilds it when it has lost something, else decides over grants
/// that stayed open and brings it the operations that it has not got yet. `seen` remembers between
/// rounds the greatest epoch that anybody was seen to have.
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
        .is_ok_and(|look| look.epoch > registered.epoch)
    {
        // It was rebuilt a moment ago; or the meta database knows less than it once did.
        registered = meta.registered(node.id).await?;
        node.set_registered(registered.clone());
    }
    let known = registered.run_id.as_deref() == Some(session.run_id());
    match found {
        Ok(look) if known && look.epoch == registered.epoch && is_whole(&look, node.id, spread) => {
            let swept = sweep(node, &mut session, &look, shards).await?;
            let delivered = deliver(node, &mut session, meta, spread).await?;
            if swept + delivered > 0 {
                stock.look_again();
            }
            Ok(Reconciled::Sound { swept, delivered })
        }
        found => {
            if let Ok(Look { epoch, .. }) = found {
                *seen = epoch.max(*seen);
            }
            let rebuilt = rebuild(node, shards, meta, *seen).await;
            if let Err(ReconcileError::Behind(epoch)) = rebuilt {
                *seen = epoch.max(*seen);
            }
            stock.look_again();
            rebuilt.map(Reconciled::Rebuilt)
        }
    }
}

/// Whether each prize that a server knows has all its segments there. A program of before did not
/// write down those that had got no unit.
fn is_whole(look: &Look, server: ServerId, spread: Spread) -> bool {
    let here = spread.segments_on(server).count();
    let mut counts: BTreeMap<Prize, usize> = BTreeMap::new();
    look.left
        .keys()
        .for_each(|(prize, _)| *counts.entry(*prize).or_default() += 1);
    counts.values().all(|&count| count == here)
}
