//! What a lane asks of its shard, whatever the database: fetch a batch's rows, persist its changes,
//! and find out whether a batch in doubt has committed.
use std::future::Future;

use jiff::Timestamp;
use market::Call;
use market::batch::{Batch, Known, Settlement};

use super::StoreError;
use crate::grant::GrantId;
use crate::stock::grants::Receipt;

/// What became of a batch whose commit was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitVerdict {
    /// It has committed.
    Committed,
    /// It has not committed and never will.
    Void,
}

/// A batch whose commit was sent and not confirmed. This is all that its outcome can be found out
/// by, however long after. Calls are never deleted, and their ids are of one try of one batch.
#[derive(Debug, Clone)]
pub struct InDoubtBatch {
    /// The batch's grant.
    pub grant: GrantId,
    /// One of its calls.
    pub call: Call,
    /// Whether it issues units: then its grant has a receipt if it has committed.
    pub issues: bool,
}

/// Why a batch was not persisted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PersistError {
    /// Before the commit: nothing was written.
    #[error(transparent)]
    Undone(#[from] StoreError),
    /// At the commit: ask for the [`CommitVerdict`].
    #[error("the commit was not confirmed: {0}")]
    Unknown(StoreError),
}

/// What to do about a row that another transaction has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLock {
    /// Fail at once.
    Refuse,
    /// Wait for a second, then fail.
    Wait,
}

/// How a batch makes sure that no earlier call has the key of one of its commands.
#[derive(Debug, Clone)]
pub enum CallKeys {
    /// It inserts a call for each command before it is planned. A call that is there already is a
    /// conflict. Each command must have a key of its own.
    Claim(Vec<Call>),
    /// It looks for them.
    LookUp,
}

/// What a batch has read.
#[derive(Debug)]
pub struct FetchedBatch {
    /// Its rows.
    pub known: Known,
    /// The database's clock, before the transaction waited for anything. `None` where the database
    /// has the clock of this process, or was not asked.
    pub database_time: Option<Timestamp>,
}

/// The storage of one lane: one shard, one connection, one transaction at a time.
pub trait ShardStore: Send + 'static {
    /// Starts the batch's transaction and reads what it needs, locking its accounts. Reads the time
    /// too, `with_clock`.
    fn prefetch(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
        on_lock: OnLock,
        with_clock: bool,
    ) -> impl Future<Output = Result<FetchedBatch, StoreError>> + Send;
    /// For each call of a batch that met a locked row, and is undone: whether another transaction
    /// has locked its account, or the call under its request id. Waits for no lock.
    fn held(&mut self, batch: &Batch)
    -> impl Future<Output = Result<Vec<bool>, StoreError>> + Send;
    /// Writes the batch's changes and what its grant issued, and commits. A call that was claimed
    /// and not made so is put right. Sends the commit only
    /// when all writes were answered: verdicts rely on that.
    fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> impl Future<Output = Result<(), PersistError>> + Send;
    /// Undoes the transaction, whatever state it is in.
    fn undo(&mut self) -> impl Future<Output = ()> + Send;
    /// Decides on a new connection whether a batch has committed whose commit was sent. After
    /// `Void` it never will, even if its commit is still on its way.
    fn verdict(
        &mut self,
        batch: &InDoubtBatch,
    ) -> impl Future<Output = Result<CommitVerdict, StoreError>> + Send;
}
