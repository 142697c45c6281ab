//! What jobs see of a shard: each call one request, and one transaction when it has landed.
use std::sync::Arc;
use std::time::Duration;

use market::batch::Prize;

use super::fault::Fault;
use super::tables::{GrantRow, Key, Mode, Write};
use super::transaction::Transaction;
use super::wire::{Link, send};
use super::world::World;
use crate::stock::cluster::ShardLedger;
use crate::stock::cluster::ledger::{Fate, NotedGrant};
use crate::stock::{Epoch, ServerId};
use crate::store::{GrantId, StoreError};

/// A shard, as jobs see it.
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
        act: impl FnOnce(&mut super::tables::Tables) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (world, shard) = (self.world.clone(), self.shard);
        Ok(send(&self.world, Link::Shard(self.shard), async move { act(&mut world.state().shards[shard]) }).await?)
    }
}

impl ShardLedger for FakeLedger {
    async fn decide(&self, server: ServerId, grant: GrantId) -> Result<Fate, StoreError> {
        let here = self.clone();
        let fate =
            send(&self.world, Link::Shard(self.shard), async move { here.decide_here(server, grant).await }).await??;
        let event = if fate == Fate::Void { "decided: void" } else { "decided: committed" };
        self.world.state().note(event, || format!("{grant:?} on {server}"));
        Ok(fate)
    }

    async fn raise_epoch(&self, server: ServerId, epoch: Epoch) -> Result<Epoch, StoreError> {
        let here = self.clone();
        send(&self.world, Link::Shard(self.shard), async move { here.raise_here(server, epoch).await }).await?
    }

    async fn issued_of(&self, server: ServerId) -> Result<Vec<(Prize, u16, u64)>, StoreError> {
        let early = self.world.breaks(Fault::EarlySum);
        let sum = self.at_once(move |tables| if early { tables.early_sum(server) } else { tables.issued_of(server) });
        Ok(sum.await?.into_iter().map(|((prize, segment), units)| (prize, segment, units)).collect())
    }

    async fn old_grants(&self, server: ServerId, age: Duration) -> Result<Vec<NotedGrant>, StoreError> {
        let age = if self.world.breaks(Fault::RollUnsettled) { Duration::ZERO } else { age };
        let old = self.at_once(move |tables| tables.old_grants(server, age)).await?;
        if self.world.breaks(Fault::RollUnsettled) {
            let grants: Vec<GrantId> = old.iter().map(|noted| noted.grant).collect();
            self.roll_up(server, &grants).await?;
            return Ok(Vec::new());
        }
        Ok(old)
    }

    async fn roll_up(&self, server: ServerId, grants: &[GrantId]) -> Result<usize, StoreError> {
        let (here, mut grants) = (self.clone(), grants.to_vec());
        grants.sort_unstable();
        send(&self.world, Link::Shard(self.shard), async move { here.roll_up_here(server, grants).await }).await?
    }

    async fn forget_old(&self) -> Result<(), StoreError> {
        let fault = self.world.fault;
        self.at_once(move |tables| tables.forget_old(fault)).await
    }
}

impl FakeLedger {
    /// Inserts a void row, or reads the one that is there.
    async fn decide_here(&self, server: ServerId, grant: GrantId) -> Result<Fate, StoreError> {
        let transaction = self.begin();
        transaction.lock(&Key::Grant(server, grant), Mode::Exclusive).await?;
        if !transaction.with(|tables| tables.grants.contains_key(&(server, grant))) {
            transaction.write(Write::Grant(server, grant, GrantRow::void()))?;
            transaction.breathe().await;
            return transaction.commit().map(|()| Fate::Void);
        }
        transaction.undo();
        transaction.breathe().await;
        match transaction.with(|tables| tables.grants.get(&(server, grant)).cloned()) {
            Some(row) if row.void => Ok(Fate::Void),
            Some(row) => Ok(Fate::Committed(row.used)),
            None => Err(StoreError::Conflict("the grant was there a moment ago".to_owned())),
        }
    }

    async fn raise_here(&self, server: ServerId, epoch: Epoch) -> Result<Epoch, StoreError> {
        let transaction = self.begin();
        transaction.with(|tables| tables.sum_early(server));
        transaction.lock(&Key::Epoch(server), Mode::Exclusive).await?;
        if transaction.with(|tables| tables.epoch(server)) < epoch {
            transaction.write(Write::Epoch(server, epoch))?;
        }
        transaction.commit()?;
        transaction.breathe().await;
        Ok(transaction.with(|tables| tables.epoch(server)))
    }

    /// Adds exactly the rows that it has locked.
    async fn roll_up_here(&self, server: ServerId, grants: Vec<GrantId>) -> Result<usize, StoreError> {
        let transaction = self.begin();
        let mut locked = Vec::new();
        for grant in grants {
            transaction.lock(&Key::Grant(server, grant), Mode::Exclusive).await?;
            if transaction.with(|tables| tables.grants.get(&(server, grant)).is_some_and(|row| !row.void)) {
                locked.push(grant);
            }
        }
        transaction.breathe().await;
        transaction.write(Write::RollUp(server, locked.clone()))?;
        transaction.commit()?;
        self.world.state().note("rolled up", || format!("{locked:?} of {server}"));
        Ok(locked.len())
    }
}
