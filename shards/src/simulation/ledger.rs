//! A shard as jobs have it: each call is one request, and one transaction when it has landed.
use std::sync::Arc;
use std::time::Duration;

use market::batch::StockItem;

use super::fault::Fault;
use super::locks::{LockMode, LockedRow};
use super::tables::{ReceiptRow, TableWrite};
use super::transaction::Transaction;
use super::wire::{Link, send};
use super::world::World;
use crate::grant::GrantId;
use crate::stock::cluster::ShardLedger;
use crate::stock::cluster::ledger::{GrantOutcome, SomeReceipts};
use crate::stock::{Epoch, ServerId};
use crate::store::StoreError;

/// A shard, as jobs have it.
#[derive(Clone)]
pub(super) struct FakeLedger {
    world: Arc<World>,
    shard: usize,
}

impl FakeLedger {
    pub(super) fn new(world: Arc<World>, shard: usize) -> Self {
        Self { world, shard }
    }

    fn begin(&self) -> Transaction {
        Transaction::begin(&self.world, self.shard)
    }

    /// Sends a request that reads or changes the tables at one moment.
    async fn at_once<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut super::tables::ShardTables) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (world, shard) = (self.world.clone(), self.shard);
        Ok(send(&self.world, Link::Shard(self.shard), async move {
            act(&mut world.state().shards[shard])
        })
        .await?)
    }
}

impl ShardLedger for FakeLedger {
    async fn decide(&self, server: ServerId, grant: GrantId) -> Result<GrantOutcome, StoreError> {
        let here = self.clone();
        let outcome = send(&self.world, Link::Shard(self.shard), async move {
            here.decide_here(server, grant).await
        })
        .await??;
        let event = if outcome == GrantOutcome::Void {
            "decided: void"
        } else {
            "decided: committed"
        };
        self.world
            .state()
            .note(event, || format!("{grant:?} on {server}"));
        Ok(outcome)
    }

    async fn raise_epoch(&self, server: ServerId, epoch: Epoch) -> Result<Epoch, StoreError> {
        let here = self.clone();
        send(&self.world, Link::Shard(self.shard), async move {
            here.raise_here(server, epoch).await
        })
        .await?
    }

    async fn issued_of(&self, server: ServerId) -> Result<Vec<(StockItem, u16, u64)>, StoreError> {
        let early = self.world.breaks(Fault::EarlySum);
        let sum = self.at_once(move |tables| {
            if early {
                tables.early_sum(server)
            } else {
                tables.issued_of(server)
            }
        });
        Ok(sum
            .await?
            .into_iter()
            .map(|((item, segment), units)| (item, segment, units))
            .collect())
    }

    async fn old_receipts(
        &self,
        age: Duration,
        after: GrantId,
    ) -> Result<SomeReceipts, StoreError> {
        let open = self.world.breaks(Fault::ReclaimOpen);
        let age = if open { Duration::ZERO } else { age };
        let old = self
            .at_once(move |tables| tables.old_receipts(age, after))
            .await?;
        if open {
            let grants: Vec<GrantId> = old.receipts.iter().map(|receipt| receipt.grant).collect();
            self.delete_receipts(&grants).await?;
            return Ok(SomeReceipts {
                receipts: Vec::new(),
                next: None,
            });
        }
        Ok(old)
    }

    async fn count_old(&self, age: Duration) -> Result<u64, StoreError> {
        self.at_once(move |tables| tables.count_old(age)).await
    }

    async fn delete_receipts(&self, grants: &[GrantId]) -> Result<usize, StoreError> {
        let (here, mut grants) = (self.clone(), grants.to_vec());
        grants.sort_unstable();
        send(&self.world, Link::Shard(self.shard), async move {
            here.delete_here(grants).await
        })
        .await?
    }

    async fn forget_void(&self) -> Result<(), StoreError> {
        self.at_once(super::tables::ShardTables::forget_void).await
    }

    async fn fold(&self, idle: Duration) -> Result<usize, StoreError> {
        let here = self.clone();
        send(&self.world, Link::Shard(self.shard), async move {
            here.fold_here(idle).await
        })
        .await?
    }
}

impl FakeLedger {
    /// Inserts a void row, or reads the one that is there.
    async fn decide_here(
        &self,
        server: ServerId,
        grant: GrantId,
    ) -> Result<GrantOutcome, StoreError> {
        let transaction = self.begin();
        transaction
            .lock(&LockedRow::Receipt(grant), LockMode::Exclusive)
            .await?;
        if !transaction.with(|tables| tables.receipts.contains_key(&grant)) {
            transaction.write(TableWrite::Receipt(grant, ReceiptRow::void()))?;
            transaction.breathe().await;
            return transaction.commit().map(|()| GrantOutcome::Void);
        }
        transaction.undo();
        transaction.breathe().await;
        match transaction.with(|tables| tables.receipts.get(&grant).cloned()) {
            Some(row) if row.void => Ok(GrantOutcome::Void),
            Some(row) => Ok(GrantOutcome::Committed(
                row.used
                    .into_iter()
                    .filter(|part| part.server == server)
                    .collect(),
            )),
            None => Err(StoreError::Conflict(
                "the grant was there a moment ago".to_owned(),
            )),
        }
    }

    async fn raise_here(&self, server: ServerId, epoch: Epoch) -> Result<Epoch, StoreError> {
        let transaction = self.begin();
        transaction.with(|tables| tables.sum_early(server));
        transaction
            .lock(&LockedRow::Epoch(server), LockMode::Exclusive)
            .await?;
        if transaction.with(|tables| tables.epoch(server)) < epoch {
            transaction.write(TableWrite::Epoch(server, epoch))?;
        }
        transaction.commit()?;
        transaction.breathe().await;
        Ok(transaction.with(|tables| tables.epoch(server)))
    }

    async fn delete_here(&self, grants: Vec<GrantId>) -> Result<usize, StoreError> {
        let transaction = self.begin();
        let mut there = Vec::new();
        for grant in grants {
            transaction
                .lock(&LockedRow::Receipt(grant), LockMode::Exclusive)
                .await?;
            if transaction.with(|tables| tables.receipts.get(&grant).is_some_and(|row| !row.void)) {
                there.push(grant);
            }
        }
        transaction.write(TableWrite::Delete(there.clone()))?;
        transaction.commit()?;
        self.world
            .state()
            .note("reclaimed", || format!("{there:?}"));
        Ok(there.len())
    }

    /// Adds only the counters that it has locked.
    async fn fold_here(&self, idle: Duration) -> Result<usize, StoreError> {
        let transaction = self.begin();
        let idle = transaction.with(|tables| tables.idle_counters(idle));
        transaction.breathe().await;
        let mut locked = Vec::new();
        for (key, earlier) in idle {
            transaction
                .lock(&LockedRow::Counter(key), LockMode::Exclusive)
                .await?;
            let now = transaction.with(|tables| tables.counted(&key));
            locked.extend(now.map(|now| {
                (
                    key,
                    if self.world.breaks(Fault::FoldUnlocked) {
                        earlier
                    } else {
                        now
                    },
                )
            }));
        }
        transaction.breathe().await;
        transaction.write(TableWrite::Fold(locked.clone()))?;
        transaction.commit()?;
        self.world.state().note("folded", || format!("{locked:?}"));
        Ok(locked.len())
    }
}
