//! A shard's database: rows, row locks and transactions, as InnoDB has them at READ COMMITTED.
//! Others see a transaction's writes when it commits. Rows that are not there are not locked. A
//! transaction waits for a row that another one has inserted, or will delete.
//!
//! The rows that commands make are kept as columns, whatever their tables (`rows.rs`). Accounts,
//! calls and the rows about units have rules of their own, so they are kept as values.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use market::batch::{AccountKey, StockItem, UserAwardKey};
use market::chances::Account;
use market::points::{PointsAccount, PointsEntry};
use market::sign_in::SignIn;
use market::{Call, MadeCall, OrderId, RequestId, UserId};
use tokio::time::Instant;

use super::locks::{CounterKey, LockAttempt, LockMode, LockedRow, RowLocks};
use super::rows::{FakeRow, RowKey, RowsByTable};
use super::world::WorldState;
use crate::grant::GrantId;
use crate::stock::cluster::Spread;
use crate::stock::cluster::ledger::{NotedReceipt, SomeReceipts};
use crate::stock::{Epoch, Part, Receipt, ServerId};
use crate::store::StoreError;

/// Void rows are kept for longer than any request travels (in SQL: days).
const VOID_KEPT: Duration = Duration::from_mins(1);

/// Rows that a statement returns which works page by page (in SQL: a thousand).
const PAGE: usize = 3;

/// Units in one segment of an item.
pub(super) type Counts = BTreeMap<(StockItem, u16), u64>;

/// A row of `stock_receipt`.
#[derive(Debug, Clone)]
pub(super) struct ReceiptRow {
    pub(super) void: bool,
    pub(super) epochs: BTreeMap<ServerId, Epoch>,
    pub(super) used: Vec<Part>,
    /// When it was inserted, which is before it was committed.
    since: Instant,
}

impl ReceiptRow {
    pub(super) fn new(receipt: &Receipt) -> Self {
        let Receipt { epochs, used, .. } = receipt.clone();
        Self {
            void: false,
            epochs,
            used,
            since: Instant::now(),
        }
    }

    pub(super) fn void() -> Self {
        Self {
            void: true,
            ..Self::new(&Receipt::default())
        }
    }
}

/// A row of `stock_issued`.
#[derive(Debug, Clone, Copy)]
struct Counter {
    issued: u64,
    touched: Instant,
}

/// A change of the database.
#[derive(Debug, Clone)]
pub(super) enum TableWrite {
    Account(AccountKey, Account),
    Points(UserId, PointsAccount),
    SignIn(AccountKey, SignIn),
    UserAward(UserAwardKey, u32),
    Entry(PointsEntry),
    Call(Call),
    /// A row that a call made.
    Row(RowKey, FakeRow),
    Receipt(GrantId, ReceiptRow),
    /// Adds to a counter.
    Count(CounterKey, u64),
    /// Deletes the receipts of committed grants.
    Delete(Vec<GrantId>),
    /// Adds these counts to those of run 0 and deletes their counters.
    Fold(Vec<(CounterKey, u64)>),
    Epoch(ServerId, Epoch),
}

#[derive(Default)]
struct Transaction {
    writes: Vec<TableWrite>,
    locked: Vec<LockedRow>,
}

/// One shard.
pub(super) struct ShardTables {
    spread: Spread,
    pub(super) accounts: BTreeMap<AccountKey, Account>,
    pub(super) points: BTreeMap<UserId, PointsAccount>,
    pub(super) sign_ins: BTreeMap<AccountKey, SignIn>,
    pub(super) user_awards: BTreeMap<UserAwardKey, u32>,
    pub(super) entries: BTreeMap<(UserId, u64), PointsEntry>,
    pub(super) calls: BTreeMap<(UserId, RequestId), Call>,
    pub(super) rows: RowsByTable,
    pub(super) receipts: BTreeMap<GrantId, ReceiptRow>,
    epochs: BTreeMap<ServerId, Epoch>,
    counters: BTreeMap<CounterKey, Counter>,
    /// Only for `Fault::EarlySum`: what was issued when a gateway came to raise the epoch.
    early: BTreeMap<ServerId, Counts>,
    transactions: BTreeMap<u64, Transaction>,
    locks: RowLocks,
    begun: u64,
}

impl ShardTables {
    pub(super) fn new(spread: Spread) -> Self {
        Self {
            spread,
            accounts: BTreeMap::new(),
            points: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            user_awards: BTreeMap::new(),
            entries: BTreeMap::new(),
            calls: BTreeMap::new(),
            rows: RowsByTable::default(),
            receipts: BTreeMap::new(),
            epochs: BTreeMap::new(),
            counters: BTreeMap::new(),
            early: BTreeMap::new(),
            transactions: BTreeMap::new(),
            locks: RowLocks::default(),
            begun: 0,
        }
    }

    pub(super) fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.transactions.insert(self.begun, Transaction::default());
        self.begun
    }

    /// Whether a transaction has neither committed nor been undone.
    pub(super) fn is_open(&self, transaction: u64) -> bool {
        self.transactions.contains_key(&transaction)
    }

    pub(super) fn lock(
        &mut self,
        transaction: u64,
        row: &LockedRow,
        mode: LockMode,
    ) -> LockAttempt {
        let Some(begun) = self.transactions.get_mut(&transaction) else {
            return LockAttempt::Gone;
        };
        if !self.locks.lock(transaction, row, mode) {
            return LockAttempt::Taken;
        }
        begun.locked.push(row.clone());
        LockAttempt::Locked
    }

    /// Whether a call is there, or may be once another transaction has ended.
    pub(super) fn has_call(&self, user: &UserId, request: &RequestId) -> bool {
        self.calls.contains_key(&(user.clone(), request.clone()))
            || self.is_held(&LockedRow::Call(user.clone(), request.clone()))
    }

    /// Whether any transaction has a row locked.
    pub(super) fn is_held(&self, row: &LockedRow) -> bool {
        self.locks.is_held(row)
    }

    /// The users whose rows a transaction has locked.
    pub(super) fn users_of(&self, transaction: u64) -> BTreeSet<UserId> {
        let begun = self.transactions.get(&transaction).into_iter();
        let locked = begun.flat_map(|transaction| &transaction.locked);
        locked.filter_map(LockedRow::user).cloned().collect()
    }

    /// The call under a key, and what it made.
    pub(super) fn earlier(
        &self,
        key: &(UserId, RequestId),
    ) -> Result<Option<MadeCall>, StoreError> {
        let call = self.calls.get(key);
        call.map(|call| self.rows.made_by(call)).transpose()
    }

    /// The id of the first row that a call made, if the call is there.
    pub(super) fn first_id(&self, key: &(UserId, RequestId)) -> Option<OrderId> {
        self.calls.get(key).map(|call| call.first_id)
    }

    pub(super) fn epoch(&self, server: ServerId) -> Epoch {
        self.epochs.get(&server).copied().unwrap_or(Epoch(0))
    }

    /// Notes a change that is made when the transaction commits; false when it has ended.
    pub(super) fn write(&mut self, transaction: u64, write: TableWrite) -> bool {
        let begun = self.transactions.get_mut(&transaction);
        begun.map(|begun| begun.writes.push(write)).is_some()
    }

    /// Ends a transaction and its locks. Returns its changes.
    fn end(&mut self, transaction: u64) -> Option<Vec<TableWrite>> {
        let ended = self.transactions.remove(&transaction)?;
        for row in &ended.locked {
            self.locks.release(transaction, row);
        }
        Some(ended.writes)
    }

    /// Undoes a transaction, if it has not ended yet.
    pub(super) fn undo(&mut self, transaction: u64) {
        self.end(transaction);
    }

    /// Undoes all: the database has crashed.
    pub(super) fn crash(&mut self) {
        self.transactions.clear();
        self.locks.clear();
    }

    fn apply(&mut self, write: TableWrite) {
        match write {
            TableWrite::Account(key, account) => {
                self.accounts.insert(key, account);
            }
            TableWrite::Points(user, account) => {
                self.points.insert(user, account);
            }
            TableWrite::SignIn(key, sign_in) => {
                self.sign_ins.insert(key, sign_in);
            }
            TableWrite::UserAward(key, given) => {
                self.user_awards.insert(key, given);
            }
            TableWrite::Entry(entry) => {
                self.entries
                    .insert((entry.user.clone(), entry.number), entry);
            }
            TableWrite::Call(call) => {
                self.calls
                    .insert((call.user.clone(), call.request.clone()), call);
            }
            TableWrite::Row(key, row) => self.rows.insert(key, row),
            TableWrite::Receipt(grant, row) => {
                self.receipts.insert(grant, row);
            }
            TableWrite::Count(key, units) => self.count(key, units),
            TableWrite::Delete(grants) => {
                self.receipts
                    .retain(|grant, row| row.void || !grants.contains(grant));
            }
            TableWrite::Fold(counts) => {
                for ((item, segment, run, lane), units) in counts {
                    self.counters.remove(&(item, segment, run, lane));
                    self.count((item, segment, 0, 0), units);
                }
            }
            TableWrite::Epoch(server, epoch) => {
                self.epochs.insert(server, epoch);
            }
        }
    }

    fn count(&mut self, key: CounterKey, units: u64) {
        let touched = Instant::now();
        let counter = self
            .counters
            .entry(key)
            .or_insert(Counter { issued: 0, touched });
        *counter = Counter {
            issued: counter.issued + units,
            touched,
        };
    }

    /// The value of a counter, if it is there.
    pub(super) fn counted(&self, key: &CounterKey) -> Option<u64> {
        self.counters.get(key).map(|counter| counter.issued)
    }

    /// What was issued out of a server's segments.
    pub(super) fn issued_of(&self, server: ServerId) -> Counts {
        let mut issued = Counts::new();
        for (&(item, segment, ..), counter) in &self.counters {
            if self.spread.server_of(segment) == server {
                *issued.entry((item, segment)).or_default() += counter.issued;
            }
        }
        issued
    }

    /// Receipts of committed grants that are at least this old, of grants after this one; a few at
    /// a time.
    pub(super) fn old_receipts(&self, age: Duration, after: GrantId) -> SomeReceipts {
        let old = |(_, row): &(&GrantId, &ReceiptRow)| !row.void && row.since.elapsed() >= age;
        let noted = |(&grant, row): (&GrantId, &ReceiptRow)| NotedReceipt {
            grant,
            epochs: row.epochs.clone(),
            used: row.used.clone(),
        };
        let later = self
            .receipts
            .range((Bound::Excluded(after), Bound::Unbounded));
        let receipts: Vec<_> = later.filter(old).map(noted).take(PAGE).collect();
        SomeReceipts {
            next: receipts
                .last()
                .filter(|_| receipts.len() == PAGE)
                .map(|last| last.grant),
            receipts,
        }
    }

    /// How many receipts of committed grants are at least this old.
    pub(super) fn count_old(&self, age: Duration) -> u64 {
        self.receipts
            .values()
            .filter(|row| !row.void && row.since.elapsed() >= age)
            .count() as u64
    }

    /// Counters of lanes that were not changed for this long, and their values; a few at a time.
    pub(super) fn idle_counters(&self, idle: Duration) -> Vec<(CounterKey, u64)> {
        let is_idle = |(key, counter): &(&CounterKey, &Counter)| {
            key.2 > 0 && counter.touched.elapsed() >= idle
        };
        self.counters
            .iter()
            .filter(is_idle)
            .map(|(&key, counter)| (key, counter.issued))
            .take(PAGE)
            .collect()
    }

    /// Deletes void receipts that no request can ask for any more.
    pub(super) fn forget_void(&mut self) {
        self.receipts
            .retain(|_, row| !row.void || row.since.elapsed() < VOID_KEPT);
    }

    /// Remembers, for `Fault::EarlySum`, what is issued just now.
    pub(super) fn sum_early(&mut self, server: ServerId) {
        let issued = self.issued_of(server);
        self.early.insert(server, issued);
    }

    pub(super) fn early_sum(&self, server: ServerId) -> Counts {
        self.early.get(&server).cloned().unwrap_or_default()
    }
}

/// Rows that batches lock and read by their keys, and write.
pub(super) trait FakeTable: Copy + Send + 'static {
    type Key: Clone + Ord + Send;
    type State: Copy + Send;

    /// The row of a key, as it is locked.
    fn locked(key: &Self::Key) -> LockedRow;
    /// The rows of a shard.
    fn rows(tables: &ShardTables) -> &BTreeMap<Self::Key, Self::State>;
    /// A change of a row.
    fn write(key: Self::Key, state: Self::State) -> TableWrite;
}

/// Accounts of chances.
#[derive(Clone, Copy)]
pub(super) struct FakeAccounts;

/// Accounts of points.
#[derive(Clone, Copy)]
pub(super) struct FakePoints;

/// Sign-ins.
#[derive(Clone, Copy)]
pub(super) struct FakeSignIns;

/// What users were given of awards.
#[derive(Clone, Copy)]
pub(super) struct FakeUserAwards;

impl FakeTable for FakeAccounts {
    type Key = AccountKey;
    type State = Account;

    fn locked((user, activity): &AccountKey) -> LockedRow {
        LockedRow::Account(user.clone(), *activity)
    }

    fn rows(tables: &ShardTables) -> &BTreeMap<AccountKey, Account> {
        &tables.accounts
    }

    fn write(key: AccountKey, account: Account) -> TableWrite {
        TableWrite::Account(key, account)
    }
}

impl FakeTable for FakePoints {
    type Key = UserId;
    type State = PointsAccount;

    fn locked(user: &UserId) -> LockedRow {
        LockedRow::Points(user.clone())
    }

    fn rows(tables: &ShardTables) -> &BTreeMap<UserId, PointsAccount> {
        &tables.points
    }

    fn write(user: UserId, account: PointsAccount) -> TableWrite {
        TableWrite::Points(user, account)
    }
}

impl FakeTable for FakeSignIns {
    type Key = AccountKey;
    type State = SignIn;

    fn locked((user, activity): &AccountKey) -> LockedRow {
        LockedRow::SignIn(user.clone(), *activity)
    }

    fn rows(tables: &ShardTables) -> &BTreeMap<AccountKey, SignIn> {
        &tables.sign_ins
    }

    fn write(key: AccountKey, sign_in: SignIn) -> TableWrite {
        TableWrite::SignIn(key, sign_in)
    }
}

impl FakeTable for FakeUserAwards {
    type Key = UserAwardKey;
    type State = u32;

    fn locked((user, activity, award): &UserAwardKey) -> LockedRow {
        LockedRow::UserAward(user.clone(), *activity, *award)
    }

    fn rows(tables: &ShardTables) -> &BTreeMap<UserAwardKey, u32> {
        &tables.user_awards
    }

    fn write(key: UserAwardKey, given: u32) -> TableWrite {
        TableWrite::UserAward(key, given)
    }
}

impl WorldState {
    /// Makes a transaction's changes; false when it has ended before.
    pub(super) fn commit(&mut self, shard: usize, transaction: u64) -> bool {
        let Some(writes) = self.shards[shard].end(transaction) else {
            return false;
        };
        for write in &writes {
            self.shards[shard].apply(write.clone());
        }
        self.check_commit(shard, &writes);
        true
    }
}
