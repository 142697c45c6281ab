//! What the databases know of the stock: shards know the outcome of grants, the meta database the
//! totals. These are traits, so that the protocol also runs in the simulation. `sql_shard.rs` and
//! `sql_meta.rs` have the SQL.
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use market::batch::StockItem;

use super::server::Closing;
use crate::grant::GrantId;
use crate::stock::grants::Part;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::StoreError;

/// Units of items, by segment.
pub(crate) type Shares = Vec<(StockItem, u16, u64)>;

/// The outcome of a grant.
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
    /// The servers whose units it used, and the epochs under which they granted.
    pub(crate) epochs: BTreeMap<ServerId, Epoch>,
    pub(crate) used: Vec<Part>,
}

impl NotedReceipt {
    /// What closes the grant on one server.
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
    /// Receipts that are old enough, by grant.
    pub(crate) receipts: Vec<NotedReceipt>,
    /// Where the next page begins; `None` after the last.
    pub(crate) next: Option<GrantId>,
}

/// The part of one shard.
pub(crate) trait ShardLedger: Send + Sync + 'static {
    /// Decides the outcome of a grant: its batch has committed, or never will. Returns which units
    /// of one server it used.
    fn decide(
        &self,
        server: ServerId,
        grant: GrantId,
    ) -> impl Future<Output = Result<GrantOutcome, StoreError>> + Send;

    /// Raises the epoch under which batches may issue this server's units. Waits for batches that
    /// are under way, but not for long. Returns the epoch that holds now: a higher one stays.
    fn raise_epoch(
        &self,
        server: ServerId,
        epoch: Epoch,
    ) -> impl Future<Output = Result<Epoch, StoreError>> + Send;

    /// The units of a server's segments that this shard has issued, at one moment.
    fn issued_of(
        &self,
        server: ServerId,
    ) -> impl Future<Output = Result<Vec<(StockItem, u16, u64)>, StoreError>> + Send;

    /// A page of receipts of committed batches of at least this age, of grants after this one.
    fn old_receipts(
        &self,
        age: Duration,
        after: GrantId,
    ) -> impl Future<Output = Result<SomeReceipts, StoreError>> + Send;

    /// How many receipts of committed batches have at least this age.
    fn count_old(&self, age: Duration) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Deletes receipts of committed batches whose grants are not open anywhere any more. Returns
    /// how many there were.
    fn delete_receipts(
        &self,
        grants: &[GrantId],
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Deletes void receipts of batches that cannot be under way any more.
    fn forget_void(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds counters that have not changed for this long to those of run 0, and deletes them. If
    /// their lane still lives, it begins new ones. Returns how many there were.
    fn fold(&self, idle: Duration) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// The current epoch of a server, and the process that got its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) epoch: Epoch,
    /// `None` until the first rebuild is done.
    pub(crate) run_id: Option<String>,
}

/// An operation whose units must still be delivered to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) operation: u64,
    pub(crate) server: ServerId,
    /// The epoch under which it was recorded.
    pub(crate) epoch: Epoch,
    pub(crate) item: StockItem,
    pub(crate) units: u64,
}

/// A withdrawal that is not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingWithdrawal {
    pub(crate) operation: u64,
    pub(crate) item: StockItem,
    pub(crate) units: u64,
    /// The units that servers have given so far.
    pub(crate) given: Vec<(ServerId, u64)>,
}

/// The part of the meta database.
pub(crate) trait MetaLedger: Send + Sync + 'static {
    /// The registered process and epoch of a server.
    fn registered(
        &self,
        server: ServerId,
    ) -> impl Future<Output = Result<Registered, StoreError>> + Send;

    /// Raises a server's epoch above its last one and above `seen`. Returns it with the totals of
    /// the server's segments at that moment.
    fn raise_epoch(
        &self,
        server: ServerId,
        seen: Epoch,
    ) -> impl Future<Output = Result<(Epoch, Shares), StoreError>> + Send;

    /// Notes that this process has the server's units of this epoch, unless there is a later epoch.
    fn register(
        &self,
        server: ServerId,
        epoch: Epoch,
        run_id: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Additions that must still be delivered to a server, oldest first.
    fn deliveries(
        &self,
        server: ServerId,
    ) -> impl Future<Output = Result<Vec<Delivery>, StoreError>> + Send;

    /// Notes that an addition was delivered.
    fn delivered(&self, delivery: &Delivery)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Withdrawals that are not done.
    fn withdrawals(
        &self,
    ) -> impl Future<Output = Result<Vec<PendingWithdrawal>, StoreError>> + Send;

    /// Lowers the totals by what a server's segments gave, if the server's epoch is still this one
    /// and it was not noted before. Returns whether it did.
    fn note_withdrawn(
        &self,
        withdrawal: &PendingWithdrawal,
        server: ServerId,
        epoch: Epoch,
        taken: &[(u16, u64)],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends a withdrawal: the item's total falls by what was given.
    fn end_withdrawal(&self, operation: u64)
    -> impl Future<Output = Result<(), StoreError>> + Send;
}
