//! A transaction on a shard, as its statements see it.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use market::UserId;
use tokio::time::{Instant, timeout_at};

use super::locks::{LockAttempt, LockMode, LockedRow};
use super::tables::{ShardTables, TableWrite};
use super::world::World;
use crate::store::{OnLock, StoreError};

/// How long a statement waits for a row. Shorter than its caller's timeouts.
const LOCK_WAIT: Duration = Duration::from_millis(700);

/// An open transaction. Dropping it undoes it.
pub(super) struct Transaction {
    world: Arc<World>,
    shard: usize,
    id: u64,
}

impl Transaction {
    pub(super) fn begin(world: &Arc<World>, shard: usize) -> Self {
        let id = world.state().shards[shard].begin();
        Self {
            world: world.clone(),
            shard,
            id,
        }
    }

    /// Locks a row, and waits for it.
    pub(super) async fn lock(&self, row: &LockedRow, mode: LockMode) -> Result<(), StoreError> {
        self.lock_within(LOCK_WAIT, row, mode).await
    }

    /// Locks a row to read it.
    pub(super) async fn lock_to_read(
        &self,
        row: &LockedRow,
        on_lock: OnLock,
    ) -> Result<(), StoreError> {
        let wait = if on_lock == OnLock::Wait {
            LOCK_WAIT
        } else {
            Duration::ZERO
        };
        self.lock_within(wait, row, LockMode::Exclusive).await
    }

    async fn lock_within(
        &self,
        wait: Duration,
        row: &LockedRow,
        mode: LockMode,
    ) -> Result<(), StoreError> {
        let until = Instant::now() + wait;
        loop {
            let released = self.world.released[self.shard].notified();
            let attempt = self.with(|tables| tables.lock(self.id, row, mode));
            match attempt {
                LockAttempt::Locked => return Ok(()),
                LockAttempt::Gone => return Err(gone()),
                LockAttempt::Taken => {}
            }
            if wait.is_zero() || timeout_at(until, released).await.is_err() {
                let event = if wait.is_zero() {
                    "lock refused"
                } else {
                    "lock wait"
                };
                self.world.state().note(event, || format!("{row:?}"));
                return Err(StoreError::Held(format!("{row:?}")));
            }
        }
    }

    /// Reads or changes the tables.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut ShardTables) -> T) -> T {
        act(&mut self.world.state().shards[self.shard])
    }

    /// The users whose rows it has locked.
    pub(super) fn users(&self) -> BTreeSet<UserId> {
        self.with(|tables| tables.users_of(self.id))
    }

    pub(super) fn write(&self, write: TableWrite) -> Result<(), StoreError> {
        if self.with(|tables| tables.write(self.id, write)) {
            Ok(())
        } else {
            Err(gone())
        }
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        let committed = self.world.state().commit(self.shard, self.id);
        self.world.released[self.shard].notify_waiters();
        if committed { Ok(()) } else { Err(gone()) }
    }

    pub(super) fn undo(&self) {
        self.with(|tables| tables.undo(self.id));
        self.world.released[self.shard].notify_waiters();
    }

    /// A moment between two statements.
    pub(super) async fn breathe(&self) {
        let hop = self.world.state().dice.hop();
        super::wire::pause(hop).await;
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let open = self.with(|tables| tables.is_open(self.id));
        if open {
            self.undo();
        }
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the transaction was undone".to_owned())
}
