//! A transaction on a shard, as its statements see it.
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::tables::{Attempt, Key, Mode, Tables, Write};
use super::world::World;
use crate::store::StoreError;

/// How long a statement waits for a row. Shorter than its caller's patience.
const LOCK_WAIT: Duration = Duration::from_millis(700);

/// An open transaction. It is undone when nobody has it any more.
pub(super) struct Transaction {
    world: Arc<World>,
    shard: usize,
    id: u64,
}

impl Transaction {
    pub(super) fn begin(world: &Arc<World>, shard: usize) -> Self {
        let id = world.state().shards[shard].begin();
        Self { world: world.clone(), shard, id }
    }

    /// Locks a row, and waits for it.
    pub(super) async fn lock(&self, key: &Key, mode: Mode) -> Result<(), StoreError> {
        let until = Instant::now() + LOCK_WAIT;
        loop {
            let released = self.world.released[self.shard].notified();
            let attempt = self.with(|tables| tables.lock(self.id, key, mode));
            match attempt {
                Attempt::Locked => return Ok(()),
                Attempt::Gone => return Err(gone()),
                Attempt::Taken => {}
            }
            if timeout_at(until, released).await.is_err() {
                self.world.state().note("lock wait", || format!("{key:?}"));
                return Err(StoreError::Conflict("lock wait time-out".to_owned()));
            }
        }
    }

    /// Reads or changes the tables.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Tables) -> T) -> T {
        act(&mut self.world.state().shards[self.shard])
    }

    pub(super) fn write(&self, write: Write) -> Result<(), StoreError> {
        if self.with(|tables| tables.write(self.id, write)) { Ok(()) } else { Err(gone()) }
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
    StoreError::Away("the transaction was undone".to_owned())
}
