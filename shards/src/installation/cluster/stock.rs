//! Operations on the stock servers of a cluster.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::batch::StockItem;

use super::opened::{Cluster, Parts};
use crate::meta::AuditEntry;
use crate::stock::cluster::{
    ReconcileError, Reconciled, RedisServer, StockNode, issued, rebuild, reconcile, snapshots,
    withdraw,
};
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::snapshot::Snapshot;
use crate::store::StoreError;

/// How often a requested rebuild begins again when another one was ahead.
const REBUILD_TRIES_MAX: usize = 5;

impl Cluster {
    /// Brings recorded operations to the stock servers now, before a gateway does. An empty server
    /// gets all units, so that gateways which start after the first publication have stock from
    /// their first draw on.
    pub(crate) async fn deliver(&self) -> Result<(), String> {
        if self.parts.deliver().await.is_err() {
            return self.repair_stock().await.map(drop);
        }
        withdraw(&self.parts.stock, &*self.parts.ledger)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Rebuilds every stock server from the shards. The audit log gets who asked for it and why.
    pub(crate) async fn rebuild(
        &self,
        who: &str,
        why: &str,
    ) -> Result<Vec<(ServerId, Epoch)>, String> {
        let note = async |detail: String| {
            let (who, what, why) = (who.to_owned(), "stock rebuild".to_owned(), why.to_owned());
            let entry = AuditEntry {
                at: Timestamp::now(),
                who,
                what,
                detail,
                why,
            };
            self.parts
                .meta
                .audit_log()
                .add(&entry)
                .await
                .map_err(|error| error.to_string())
        };
        // Written before it begins, so that a rebuild which never ends is in the log too.
        note("begun on all servers".to_owned()).await?;
        let rebuilt = self.rebuild_all().await;
        note(match &rebuilt {
            Ok(_) => "done on all servers".to_owned(),
            Err(why) => format!("failed: {why}"),
        })
        .await?;
        rebuilt
    }

    async fn rebuild_all(&self) -> Result<Vec<(ServerId, Epoch)>, String> {
        let mut epochs = Vec::new();
        for node in self.parts.stock.nodes() {
            let rebuilt = self.rebuild_one(node).await;
            epochs.push((
                node.id,
                rebuilt.map_err(|error| format!("stock server {}: {error}", node.id))?,
            ));
        }
        Ok(epochs)
    }

    /// A gateway that finds the server behind the meta database rebuilds it too, and may be faster.
    async fn rebuild_one(&self, node: &StockNode<RedisServer>) -> Result<Epoch, ReconcileError> {
        let mut seen = Epoch(0);
        for _ in 1..REBUILD_TRIES_MAX {
            match rebuild(node, &self.parts.ledgers, &*self.parts.ledger, seen).await {
                Err(ReconcileError::Behind(epoch)) => seen = epoch,
                rebuilt => return rebuilt,
            }
        }
        rebuild(node, &self.parts.ledgers, &*self.parts.ledger, seen).await
    }

    /// Does now what the gateways' jobs do all the time: rebuilds servers that have lost units,
    /// decides open grants, brings recorded operations to the servers. Safe at any time, also while
    /// gateways do the same. Returns what was done, one line for each.
    pub(crate) async fn repair_stock(&self) -> Result<Vec<String>, String> {
        let Parts {
            stock,
            ledgers,
            ledger,
            ..
        } = &*self.parts;
        let mut done = Vec::new();
        for node in stock.nodes() {
            let failed = |error| format!("stock server {}: {error}", node.id);
            let reconciled = reconcile(
                stock,
                node,
                ledgers,
                &**ledger,
                ledger.spread(),
                &mut Epoch(0),
            )
            .await;
            match reconciled.map_err(failed)? {
                Reconciled::Rebuilt(epoch) => done.push(format!("stock server {}: rebuilt under epoch {epoch}", node.id)),
                Reconciled::Sound { swept: 0, delivered: 0 } => {}
                Reconciled::Sound { swept, delivered } => done.push(format!(
                    "stock server {}: {swept} open grants decided, {delivered} operations delivered",
                    node.id
                )),
            }
        }
        let withdrawals = withdraw(stock, &**ledger)
            .await
            .map_err(|error| error.to_string())?
            .done;
        if withdrawals > 0 {
            done.push(format!("{withdrawals} withdrawals done"));
        }
        Ok(done)
    }

    /// The present stock on servers and shards.
    pub(crate) async fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        // A server may have been rebuilt since the cluster was opened.
        self.parts
            .learn_servers()
            .await
            .map_err(|error| error.to_string())?;
        let Parts {
            meta,
            stock,
            ledgers,
            ..
        } = &*self.parts;
        snapshots(meta, stock, ledgers)
            .await
            .map_err(|error| error.to_string())
    }

    /// How many units of each item the shards have issued.
    pub(crate) async fn issued(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        issued(&self.parts.ledgers).await
    }
}
