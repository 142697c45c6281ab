//! A shard's database: rows, row locks and transactions, as InnoDB does them at READ COMMITTED.
//! A transaction's writes are seen by others when it commits; rows that are not there are not
//! locked; a row that another transaction has inserted, or will delete, is waited for.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use market::batch::Prize;
use market::call::{EarlierCall, Kind};
use market::chances::Account;
use market::{ActivityId, Call, Made, Order, OrderId, RechargeOrder, RequestId, UserId};
use tokio::time::Instant;

use super::world::State;
use crate::grant::GrantId;
use crate::stock::cluster::Spread;
use crate::stock::cluster::ledger::{NotedReceipt, SomeReceipts};
use crate::stock::{Epoch, Part, Receipt, ServerId};
use crate::store::StoreError;
use crate::store::tables::calls::ids_of;

/// Void rows are kept for longer than any request is under way (in SQL: days).
const VOID_KEPT: Duration = Duration::from_mins(1);

/// Rows that a statement answers which works page by page (in SQL: a thousand).
const PAGE: usize = 3;

/// Units in one segment of a prize.
pub(super) type Counts = BTreeMap<(Prize, u16), u64>;

/// What can be locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Account(UserId, ActivityId),
    Call(UserId, RequestId),
    Receipt(GrantId),
    Counter(CounterKey),
    Epoch(ServerId),
}

/// Prize, segment, run and lane.
pub(super) type CounterKey = (Prize, u16, u64, u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

/// What became of an attempt to lock a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Locked,
    /// Somebody else has it.
    Taken,
    /// The transaction that asks has ended.
    Gone,
}

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
pub(super) enum Write {
    Account(UserId, ActivityId, Account),
    Call(Call),
    Order(Order),
    RechargeOrder(RechargeOrder),
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
    writes: Vec<Write>,
    locked: Vec<Key>,
}

/// Who has a row locked.
#[derive(Default)]
struct Holders {
    exclusive: Option<u64>,
    shared: Vec<u64>,
}

impl Holders {
    fn admit(&mut self, transaction: u64, mode: Mode) -> bool {
        let others_share = self.shared.iter().any(|&holder| holder != transaction);
        let free = self.exclusive.is_none_or(|holder| holder == transaction);
        match mode {
            Mode::Exclusive if free && !others_share => self.exclusive = Some(transaction),
            Mode::Shared if free => self.shared.push(transaction),
            Mode::Exclusive | Mode::Shared => return false,
        }
        true
    }

    fn dismiss(&mut self, transaction: u64) {
        self.exclusive = self.exclusive.filter(|&holder| holder != transaction);
        self.shared.retain(|&holder| holder != transaction);
    }

    fn is_empty(&self) -> bool {
        self.exclusive.is_none() && self.shared.is_empty()
    }
}

/// One shard.
pub(super) struct Tables {
    spread: Spread,
    pub(super) accounts: BTreeMap<(UserId, ActivityId), Account>,
    pub(super) calls: BTreeMap<(UserId, RequestId), Call>,
    pub(super) orders: BTreeMap<UserId, BTreeMap<OrderId, Order>>,
    pub(super) recharge_orders: BTreeMap<UserId, BTreeMap<OrderId, RechargeOrder>>,
    pub(super) receipts: BTreeMap<GrantId, ReceiptRow>,
    epochs: BTreeMap<ServerId, Epoch>,
    counters: BTreeMap<CounterKey, Counter>,
    /// Only for `Fault::EarlySum`: what was issued when somebody came to raise the epoch.
    early: BTreeMap<ServerId, Counts>,
    transactions: BTreeMap<u64, Transaction>,
    locks: BTreeMap<Key, Holders>,
    begun: u64,
}

impl Tables {
    pub(super) fn new(spread: Spread) -> Self {
        Self {
            spread,
            accounts: BTreeMap::new(),
            calls: BTreeMap::new(),
            orders: BTreeMap::new(),
            recharge_orders: BTreeMap::new(),
            receipts: BTreeMap::new(),
            epochs: BTreeMap::new(),
            counters: BTreeMap::new(),
            early: BTreeMap::new(),
            transactions: BTreeMap::new(),
            locks: BTreeMap::new(),
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

    pub(super) fn lock(&mut self, transaction: u64, key: &Key, mode: Mode) -> Attempt {
        let Some(begun) = self.transactions.get_mut(&transaction) else {
            return Attempt::Gone;
        };
        if !self
            .locks
            .entry(key.clone())
            .or_default()
            .admit(transaction, mode)
        {
            return Attempt::Taken;
        }
        begun.locked.push(key.clone());
        Attempt::Locked
    }

    /// Whether a row is there, or may be once another transaction has ended.
    pub(super) fn has_account(&self, user: &UserId, activity: ActivityId) -> bool {
        self.accounts.contains_key(&(user.clone(), activity))
            || self
                .locks
                .contains_key(&Key::Account(user.clone(), activity))
    }

    /// The same for a call.
    pub(super) fn has_call(&self, user: &UserId, request: &RequestId) -> bool {
        self.calls.contains_key(&(user.clone(), request.clone()))
            || self
                .locks
                .contains_key(&Key::Call(user.clone(), request.clone()))
    }

    /// Whether somebody has a row.
    pub(super) fn is_held(&self, key: &Key) -> bool {
        self.locks.contains_key(key)
    }

    /// Whose rows a transaction has.
    pub(super) fn users_of(&self, transaction: u64) -> BTreeSet<UserId> {
        let locked = self
            .transactions
            .get(&transaction)
            .into_iter()
            .flat_map(|transaction| &transaction.locked);
        let user = |key: &Key| match key {
            Key::Account(user, _) | Key::Call(user, _) => Some(user.clone()),
            Key::Receipt(_) | Key::Counter(_) | Key::Epoch(_) => None,
        };
        locked.filter_map(user).collect()
    }

    /// The call under a key, and what it made, which is found by the ids that follow from the call.
    pub(super) fn earlier(
        &self,
        key: &(UserId, RequestId),
    ) -> Result<Option<EarlierCall>, StoreError> {
        let Some(call) = self.calls.get(key) else {
            return Ok(None);
        };
        let made = self.made_by(call).ok_or_else(|| {
            StoreError::Data("a call is there, and what it made is not".to_owned())
        })?;
        let call = call.clone();
        Ok(Some(EarlierCall { call, made }))
    }

    fn made_by(&self, call: &Call) -> Option<Made> {
        match call.kind {
            Kind::Draw => {
                let orders = self.orders.get(&call.user)?;
                let orders: Option<Vec<Order>> =
                    ids_of(call).map(|id| orders.get(&id).cloned()).collect();
                orders.map(|orders| Made::Draws(orders.into()))
            }
            Kind::Grant => {
                let orders = self.recharge_orders.get(&call.user)?;
                orders.get(&call.first_id).cloned().map(Made::Grant)
            }
        }
    }

    /// The id of the first row that a call made, if the call is there.
    pub(super) fn first_id(&self, key: &(UserId, RequestId)) -> Option<OrderId> {
        self.calls.get(key).map(|call| call.first_id)
    }

    /// The chances that a user was given in an activity.
    pub(super) fn recharged(&self, user: &UserId, activity: ActivityId) -> u32 {
        let orders = self.recharge_orders.get(user).into_iter();
        orders
            .flat_map(BTreeMap::values)
            .filter(|order| order.activity == activity)
            .map(|order| order.chances)
            .sum()
    }

    pub(super) fn epoch(&self, server: ServerId) -> Epoch {
        self.epochs.get(&server).copied().unwrap_or(Epoch(0))
    }

    /// Notes a change that is made when the transaction commits; false when it has ended.
    pub(super) fn write(&mut self, transaction: u64, write: Write) -> bool {
        let begun = self.transactions.get_mut(&transaction);
        begun.map(|begun| begun.writes.push(write)).is_some()
    }

    /// Ends a transaction and its locks; answers its changes.
    fn end(&mut self, transaction: u64) -> Option<Vec<Write>> {
        let ended = self.transactions.remove(&transaction)?;
        for key in ended.locked {
            if let Some(holders) = self.locks.get_mut(&key) {
                holders.dismiss(transaction);
                if holders.is_empty() {
                    self.locks.remove(&key);
                }
            }
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

    fn apply(&mut self, write: Write) {
        match write {
            Write::Account(user, activity, account) => {
                self.accounts.insert((user, activity), account);
            }
            Write::Call(call) => {
                self.calls
                    .insert((call.user.clone(), call.request.clone()), call);
            }
            Write::Order(order) => {
                self.orders
                    .entry(order.user.clone())
                    .or_default()
                    .insert(order.id, order);
            }
            Write::RechargeOrder(order) => {
                self.recharge_orders
                    .entry(order.user.clone())
                    .or_default()
                    .insert(order.id, order);
            }
            Write::Receipt(grant, row) => {
                self.receipts.insert(grant, row);
            }
            Write::Count(key, units) => self.count(key, units),
            Write::Delete(grants) => {
                self.receipts
                    .retain(|grant, row| row.void || !grants.contains(grant));
            }
            Write::Fold(counts) => {
                for ((prize, segment, run, lane), units) in counts {
                    self.counters.remove(&(prize, segment, run, lane));
                    self.count((prize, segment, 0, 0), units);
                }
            }
            Write::Epoch(server, epoch) => {
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

    /// What a counter says, if it is there.
    pub(super) fn counted(&self, key: &CounterKey) -> Option<u64> {
        self.counters.get(key).map(|counter| counter.issued)
    }

    /// What was issued out of a server's segments.
    pub(super) fn issued_of(&self, server: ServerId) -> Counts {
        let mut issued = Counts::new();
        for (&(prize, segment, ..), counter) in &self.counters {
            if self.spread.server_of(segment) == server {
                *issued.entry((prize, segment)).or_default() += counter.issued;
            }
        }
        issued
    }

    /// Receipts of committed grants that are at least so old, of grants after this one; a few at a
    /// time.
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

    /// How many receipts of committed grants are at least so old.
    pub(super) fn count_old(&self, age: Duration) -> u64 {
        self.receipts
            .values()
            .filter(|row| !row.void && row.since.elapsed() >= age)
            .count() as u64
    }

    /// Counters of lanes that were not touched for so long, and what they say; a few at a time.
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

    /// Forgets void receipts that nobody can ask for any more.
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

impl State {
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
