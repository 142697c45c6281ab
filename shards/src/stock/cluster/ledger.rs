//! What the databases know of the stock: the shards what became of grants, the meta database
//! what there is in all. Traits, so that the protocol runs in a simulation too; the SQL behind
//! them is in `sql.rs`.
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use market::batch::Prize;

use super::server::Closing;
use crate::grant::GrantId;
use crate::stock::{Epoch, Part, ServerId};
use crate::store::StoreError;

/// Units of prizes, by segment.
pub(crate) type Shares = Vec<(Prize, u16, u64)>;

/// What became of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GrantOutcome {
    /// Its batch has committed and used these units.
    Committed(Vec<Part>),
    /// Its batch will never commit.
    Void,
}

/// The receipt of a grant whose batch has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotedReceipt {
    pub(crate) grant: GrantId,
    /// The servers whose units it used, and the epochs that these were granted under.
    pub(crate) epochs: BTreeMap<ServerId, Epoch>,
    pub(crate) used: Vec<Part>,
}

impl NotedReceipt {
    /// How the grant is closed on one server.
    pub(crate) fn closing(&self, server: ServerId) -> Closing {
        let used = self
            .used
            .iter()
            .filter(|part| part.server == server)
            .copied()
            .collect();
        Closing {
            grant: self.grant,
            used,
        }
    }
}

/// A page of receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SomeReceipts {
    /// Those that are old enough, by grant.
    pub(crate) receipts: Vec<NotedReceipt>,
    /// Where the next page begins, if there may be more of them.
    pub(crate) next: Option<GrantId>,
}

/// What one shard knows.
pub(crate) trait ShardLedger: Send + Sync + 'static {
    /// Decides the outcome of a grant: it has committed, or never will. Answers what it used of one
    /// server.
    fn decide(
        &self,
        server: ServerId,
        grant: GrantId,
    ) -> impl Future<Output = Result<GrantOutcome, StoreError>> + Send;

    /// Raises the epoch under which batches may issue this server's units; waits for those that
    /// are under way, but not for long. Answers the epoch that holds now: a higher one stays.
    fn raise_epoch(
        &self,
        server: ServerId,
        epoch: Epoch,
    ) -> impl Future<Output = Result<Epoch, StoreError>> + Send;

    /// The units that this shard has issued out of a server's segments, at one moment.
    fn issued_of(
        &self,
        server: ServerId,
    ) -> impl Future<Output = Result<Vec<(Prize, u16, u64)>, StoreError>> + Send;

    /// Receipts of committed batches that are at least so old, of grants after this one.
    fn old_receipts(
        &self,
        age: Duration,
        after: GrantId,
    ) -> impl Future<Output = Result<SomeReceipts, StoreError>> + Send;

    /// How many receipts of committed batches are at least so old.
    fn count_old(&self, age: Duration) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Deletes the receipts of committed batches that are not open anywhere any more. Answers how
    /// many there were.
    fn delete_receipts(
        &self,
        grants: &[GrantId],
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Forgets void receipts of batches of which nothing can be under way any more.
    fn forget_void(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds counters that nobody has touched for so long to those of run 0, and deletes them. Their
    /// lane may live: it begins again. Answers how many there were.
    fn fold(&self, idle: Duration) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// The current epoch of a server, and the process that was given its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) epoch: Epoch,
    /// `None` until the first rebuild is done.
    pub(crate) run_id: Option<String>,
}

/// An operation whose units one server still has to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) operation: u64,
    pub(crate) server: ServerId,
    /// The epoch that it was recorded under.
    pub(crate) epoch: Epoch,
    pub(crate) prize: Prize,
    pub(crate) units: u64,
}

/// A withdrawal that is not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingWithdrawal {
    pub(crate) operation: u64,
    pub(crate) prize: Prize,
    pub(crate) units: u64,
    /// What servers have given so far.
    pub(crate) given: Vec<(ServerId, u64)>,
}

/// What the meta database knows.
pub(crate) trait MetaLedger: Send + Sync + 'static {
    /// The registered process and epoch of each server.
    fn registered(
        &self,
        server: ServerId,
    ) -> impl Future<Output = Result<Registered, StoreError>> + Send;

    /// Raises a server's epoch above what it was and above `seen`; answers it with the totals of
    /// the server's segments at that moment.
    fn raise_epoch(
        &self,
        server: ServerId,
        seen: Epoch,
    ) -> impl Future<Output = Result<(Epoch, Shares), StoreError>> + Send;

    /// Notes that this process has the server's units of this epoch, unless there is a later one.
    fn register(
        &self,
        server: ServerId,
        epoch: Epoch,
        run_id: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Additions that a server still has to get, oldest first.
    fn deliveries(
        &self,
        server: ServerId,
    ) -> impl Future<Output = Result<Vec<Delivery>, StoreError>> + Send;

    /// Notes that a server has got an addition.
    fn delivered(&self, delivery: &Delivery)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Withdrawals that are not done.
    fn withdrawals(
        &self,
    ) -> impl Future<Output = Result<Vec<PendingWithdrawal>, StoreError>> + Send;

    /// Lowers the totals by what a server's segments gave, if the server's epoch is still this
    /// one and nobody has noted it before. Answers whether it did.
    fn note_withdrawn(
        &self,
        withdrawal: &PendingWithdrawal,
        server: ServerId,
        epoch: Epoch,
        taken: &[(u16, u64)],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends a withdrawal: the prize's total has fallen by what was given.
    fn end_withdrawal(&self, operation: u64)
    -> impl Future<Output = Result<(), StoreError>> + Send;
}
