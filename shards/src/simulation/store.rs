//! A shard as a lane has it: the statements of `SqlShard`, each a request that travels.
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use market::batch::{Batch, Known, NeededRows, Needs, Settlement, Slots};
use market::calendar::Day;
use market::chances::Account;
use market::points::PointsEntry;
use market::{Call, Made, MadeCall, RequestId, UserId};
use tokio::runtime::Handle;

use super::clocks::{CLOCK_OF, right_time};
use super::fault::Fault;
use super::locks::{LockMode, LockedRow};
use super::rows::{FakeRow, RowKey, new_rows};
use super::tables::{
    FakeAccounts, FakePoints, FakeSignIns, FakeTable, FakeUserAwards, ReceiptRow, TableWrite,
};
use super::transaction::Transaction;
use super::wire::{Link, pause, send};
use super::world::World;
use crate::grant::GrantId;
use crate::lane::run_of_grant;
use crate::stock::{Epoch, Part, Receipt, ServerId};
use crate::store::{
    CallKeys, CommitVerdict, FetchedBatch, InDoubtBatch, OnLock, PersistError, ShardStore,
    StoreError,
};

/// The database refuses calls under this key.
pub(super) const POISONED: &str = "poisoned";

/// A lane's connection to its shard.
pub(super) struct FakeStore {
    world: Arc<World>,
    shard: usize,
    /// The lane's number among those of its shard.
    lane: u16,
    /// The gateway, and which of its lanes.
    origin: (usize, usize),
    open: Option<Arc<Transaction>>,
    /// Only for [`Fault::DeleteOpen`]: grants of batches that have committed.
    settled: Vec<GrantId>,
}

impl FakeStore {
    /// The lane `lane` of its shard; of a gateway and one of its lanes.
    pub(super) fn new(world: Arc<World>, shard: usize, lane: u16, origin: (usize, usize)) -> Self {
        Self {
            world,
            shard,
            lane,
            origin,
            open: None,
            settled: Vec::new(),
        }
    }

    fn link(&self) -> Link {
        Link::Shard(self.shard)
    }

    fn open(&self) -> Result<Arc<Transaction>, StoreError> {
        self.open
            .clone()
            .ok_or_else(|| StoreError::Unavailable("the connection was lost".to_owned()))
    }

    /// Drops the connection. Its database notices at once, or only after a while. A commit that is
    /// still on its way may be faster.
    fn hang_up(&mut self) {
        let Some(transaction) = self.open.take() else {
            return;
        };
        // At the end of a run no database is left to notice.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut state = self.world.state();
        let notices_late =
            !state.weather.is_calm() && state.dice.per_mille(self.world.scenario.missed_late);
        let length = if notices_late {
            state.dice.millis(100, 6_000)
        } else {
            state.dice.millis(0, 20)
        };
        drop(state);
        runtime.spawn(async move {
            pause(length).await;
            transaction.undo();
        });
    }

    /// Now and then a process stands still for a while.
    async fn stand_still(&self) {
        let length = {
            let mut state = self.world.state();
            let still =
                !state.weather.is_calm() && state.dice.per_mille(self.world.scenario.standstills);
            if still {
                state.dice.millis(500, 9_000)
            } else {
                Duration::ZERO
            }
        };
        if !length.is_zero() {
            let users = self
                .open
                .as_ref()
                .map(|transaction| transaction.users())
                .unwrap_or_default();
            self.world.state().note_still(self.origin, users, length);
        }
        pause(length).await;
    }

    async fn write_rows(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let transaction = self.open()?;
        let rows = &settlement.rows;
        let accounts = Changed::of(&rows.accounts);
        let points = Changed::of(&rows.points);
        let sign_ins = Changed::of(&rows.sign_ins);
        let user_awards = Changed::of(&rows.user_awards);
        let calls: Vec<Call> = rows.calls().cloned().collect();
        let made = new_rows(&rows.made);
        let entries = rows.entries.clone();
        let upsert = self.world.breaks(Fault::Upsert);
        let by_kind = self.world.breaks(Fault::KeyByKind);
        let twice = self.world.breaks(Fault::SignInTwice);
        let uncounted = self.world.breaks(Fault::GivenUncounted);
        let unlooked = self.world.breaks(Fault::GivenUnseen);
        let unpaid = self.world.breaks(Fault::EntryWithoutDebit);
        let unnoted = self.world.breaks(Fault::DebitWithoutEntry);
        send(&self.world, self.link(), async move {
            write_changed::<FakeAccounts>(&transaction, accounts, upsert).await?;
            if !unpaid {
                write_changed::<FakePoints>(&transaction, points, false).await?;
            }
            write_changed::<FakeSignIns>(&transaction, sign_ins, twice).await?;
            if !uncounted {
                write_changed::<FakeUserAwards>(&transaction, user_awards, unlooked).await?;
            }
            insert_calls(&transaction, calls, by_kind).await?;
            insert_rows(&transaction, made)?;
            if !unnoted {
                insert_entries(&transaction, entries)?;
            }
            Ok(())
        })
        .await?
    }

    async fn note_grant(&mut self, grant: GrantId, receipt: Receipt) -> Result<(), StoreError> {
        let transaction = self.open()?;
        let (mut receipt, fault, lane) = (receipt, self.world.fault, self.lane);
        if fault == Some(Fault::DeleteOpen) {
            receipt.closed.append(&mut self.settled);
        }
        send(&self.world, self.link(), async move {
            if !receipt.used.is_empty() {
                for (&server, &epoch) in &receipt.epochs {
                    if !hold_epoch(&transaction, server, epoch, fault).await? {
                        return Err(StoreError::Fenced(format!("server {server}")));
                    }
                }
                insert_receipt(&transaction, grant, &receipt, fault).await?;
                count_issued(&transaction, (run_of_grant(grant), lane), &receipt).await?;
            }
            delete_receipts(&transaction, receipt.closed).await
        })
        .await?
    }

    async fn commit(&self, grant: GrantId) -> Result<(), StoreError> {
        let transaction = self.open()?;
        let world = self.world.clone();
        send(&self.world, self.link(), async move {
            let committed = transaction.commit();
            let event = if committed.is_ok() {
                "commit"
            } else {
                "commit: too late"
            };
            world.state().note(event, || format!("{grant:?}"));
            committed
        })
        .await?
    }

    /// Whether the call of a batch is there, once the transaction that inserts it has ended.
    async fn find_call(&self, batch: &InDoubtBatch) -> Result<bool, StoreError> {
        let transaction = Transaction::begin(&self.world, self.shard);
        let (call, waits) = (batch.call.clone(), !self.world.breaks(Fault::SelectOnly));
        let any = self.world.breaks(Fault::VerdictByKey);
        send(&self.world, self.link(), async move {
            let Call {
                user,
                request,
                first_id,
                ..
            } = call;
            if waits {
                let key = LockedRow::Call(user.clone(), request.clone());
                transaction.lock(&key, LockMode::Shared).await?;
            }
            let found = transaction.with(|tables| tables.first_id(&(user, request)));
            Ok(found.is_some_and(|found| any || found == first_id))
        })
        .await?
    }

    /// Inserts a void receipt, or finds one. An error where its batch has not ended yet.
    async fn void(&mut self, grant: GrantId) -> Result<(), StoreError> {
        let transaction = Arc::new(Transaction::begin(&self.world, self.shard));
        self.open = Some(transaction.clone());
        send(&self.world, self.link(), async move {
            transaction
                .lock(&LockedRow::Receipt(grant), LockMode::Exclusive)
                .await?;
            match transaction.with(|tables| tables.receipts.get(&grant).map(|row| row.void)) {
                None => transaction.write(TableWrite::Receipt(grant, ReceiptRow::void())),
                Some(true) => Ok(()),
                Some(false) => Err(StoreError::Unavailable("a receipt and no calls".to_owned())),
            }
        })
        .await??;
        self.commit(grant).await
    }
}

impl Drop for FakeStore {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl ShardStore for FakeStore {
    async fn prefetch(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
        on_lock: OnLock,
        with_clock: bool,
    ) -> Result<FetchedBatch, StoreError> {
        self.hang_up();
        let transaction = Arc::new(Transaction::begin(&self.world, self.shard));
        self.open = Some(transaction.clone());
        let Needs {
            accounts,
            points,
            sign_ins,
            user_awards,
            calls,
        } = batch.needs();
        let (accounts, points) = (accounts.clone(), points.clone());
        let (sign_ins, calls) = (sign_ins.clone(), calls.clone());
        let user_awards = user_awards.clone();
        let unlooked = self.world.breaks(Fault::GivenUnseen);
        let twice = self.world.breaks(Fault::SignInTwice);
        let unseen = self.world.breaks(Fault::ClaimUnseen);
        let on_lock = if self.world.breaks(Fault::HeldTogether) {
            OnLock::Wait
        } else {
            on_lock
        };
        let (mut known, time) = send(&self.world, self.link(), async move {
            let time = right_time();
            let accounts = lock::<FakeAccounts>(&transaction, &accounts, on_lock).await?;
            let points = lock::<FakePoints>(&transaction, &points, on_lock).await?;
            let sign_ins = if twice {
                vec![None; sign_ins.len()]
            } else {
                lock::<FakeSignIns>(&transaction, &sign_ins, on_lock).await?
            };
            let user_awards = if unlooked {
                vec![None; user_awards.len()]
            } else {
                lock::<FakeUserAwards>(&transaction, &user_awards, on_lock).await?
            };
            transaction.breathe().await;
            let calls = match keys {
                CallKeys::LookUp => find_calls(&transaction, &calls, on_lock).await?,
                CallKeys::Claim(_) if unseen => vec![None; calls.len()],
                CallKeys::Claim(claimed) => {
                    claim_calls(&transaction, claimed, on_lock).await?;
                    vec![None; calls.len()]
                }
            };
            let known = Known {
                accounts,
                points,
                sign_ins,
                user_awards,
                calls,
            };
            Ok::<_, StoreError>((known, time))
        })
        .await??;
        if self.world.breaks(Fault::FirstOnly) {
            known.calls.iter_mut().flatten().for_each(first_only);
        }
        if self.world.breaks(Fault::ClockLabel) {
            let today = Day::of(CLOCK_OF[self.origin.0](), &TimeZone::UTC);
            known
                .accounts
                .iter_mut()
                .flatten()
                .for_each(|account| *account = set_back(*account, today));
        }
        let database_time =
            (with_clock && !self.world.breaks(Fault::ClockUnchecked)).then_some(time);
        Ok(FetchedBatch {
            known,
            database_time,
        })
    }

    async fn held(&mut self, batch: &Batch) -> Result<Vec<bool>, StoreError> {
        self.hang_up();
        let (world, shard) = (self.world.clone(), self.shard);
        let together = self.world.breaks(Fault::HeldTogether);
        let needs = batch.needs();
        let accounts: Vec<_> = needs.accounts.iter().map(FakeAccounts::locked).collect();
        let points: Vec<_> = needs.points.iter().map(FakePoints::locked).collect();
        let sign_ins: Vec<_> = needs.sign_ins.iter().map(FakeSignIns::locked).collect();
        let user_awards = needs.user_awards.iter().map(FakeUserAwards::locked);
        let user_awards: Vec<_> = user_awards.collect();
        let call =
            |(user, request): &(UserId, RequestId)| LockedRow::Call(user.clone(), request.clone());
        let calls: Vec<_> = needs.calls.iter().map(call).collect();
        let look = async move {
            let state = world.state();
            let held = |rows: Vec<LockedRow>| {
                let is_held = |row: &LockedRow| !together && state.shards[shard].is_held(row);
                rows.iter().map(is_held).collect()
            };
            NeededRows {
                accounts: held(accounts),
                points: held(points),
                sign_ins: held(sign_ins),
                user_awards: held(user_awards),
                calls: held(calls),
            }
        };
        let held = batch.with_rows(&send(&self.world, self.link(), look).await?);
        if held.contains(&true) {
            self.world.state().note("held", || format!("{held:?}"));
        }
        Ok(held)
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), PersistError> {
        if self.world.breaks(Fault::SettleFirst) {
            self.world.state().close_everywhere(grant, receipt);
        }
        let receipt = (self.world.state()).written_receipt(grant, settlement, receipt);
        self.stand_still().await;
        let written = match self.write_rows(settlement).await {
            Ok(()) => self.note_grant(grant, receipt).await,
            failed => failed,
        };
        if let Err(error) = written {
            self.world
                .state()
                .note(kind_of(&error), || format!("{grant:?}: {error}"));
            return Err(PersistError::Undone(error));
        }
        self.stand_still().await;
        let committed = self.commit(grant).await;
        match committed {
            Ok(()) => self.settled = vec![grant],
            Err(_) => self
                .world
                .state()
                .note("commit: not confirmed", || format!("{grant:?}")),
        }
        committed.map_err(PersistError::Unknown)
    }

    async fn undo(&mut self) {
        let Some(transaction) = self.open.clone() else {
            return;
        };
        if send(&self.world, self.link(), async move { transaction.undo() })
            .await
            .is_ok()
        {
            self.open = None;
        }
        self.hang_up();
    }

    async fn verdict(&mut self, batch: &InDoubtBatch) -> Result<CommitVerdict, StoreError> {
        self.hang_up();
        let verdict = if self.find_call(batch).await? {
            CommitVerdict::Committed
        } else {
            CommitVerdict::Void
        };
        if verdict == CommitVerdict::Void && batch.issues && !self.world.breaks(Fault::SelectOnly) {
            self.void(batch.grant).await?;
        }
        let event = if verdict == CommitVerdict::Void {
            "verdict: void"
        } else {
            "verdict: committed"
        };
        self.world
            .state()
            .note(event, || format!("{:?}", batch.grant));
        Ok(verdict)
    }
}

fn kind_of(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict(_) => "batch: conflict",
        StoreError::Held(_) => "batch: held",
        StoreError::Fenced(_) => "batch: fenced",
        StoreError::Data(_) => "batch: data",
        StoreError::Unavailable(_) => "batch: shard unavailable",
    }
}

/// Locks the rows that are there in the order of their keys, and reads them.
async fn lock<T: FakeTable>(
    transaction: &Transaction,
    keys: &[T::Key],
    on_lock: OnLock,
) -> Result<Vec<Option<T::State>>, StoreError> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by_key(|&index| &keys[index]);
    let mut states = vec![None; keys.len()];
    for index in order {
        let (key, row) = (&keys[index], T::locked(&keys[index]));
        let may_be_there =
            transaction.with(|tables| T::rows(tables).contains_key(key) || tables.is_held(&row));
        if may_be_there {
            transaction.lock_to_read(&row, on_lock).await?;
            states[index] = transaction.with(|tables| T::rows(tables).get(key).copied());
        }
    }
    Ok(states)
}

/// The rows of a table that a batch writes.
struct Changed<K, V> {
    new: Vec<(K, V)>,
    changed: Vec<(K, V)>,
}

impl<K: Clone, V: Copy + PartialEq> Changed<K, V> {
    fn of(slots: &Slots<K, V>) -> Self {
        let owned = |(key, state): (&K, &V)| (key.clone(), *state);
        Self {
            new: slots.new_rows().map(owned).collect(),
            changed: slots.changed_rows().map(owned).collect(),
        }
    }
}

async fn find_calls(
    transaction: &Transaction,
    keys: &[(UserId, RequestId)],
    on_lock: OnLock,
) -> Result<Vec<Option<MadeCall>>, StoreError> {
    let mut sorted: Vec<_> = keys.iter().collect();
    sorted.sort_unstable();
    for (user, request) in sorted {
        if transaction.with(|tables| tables.has_call(user, request)) {
            transaction
                .lock_to_read(&LockedRow::Call(user.clone(), request.clone()), on_lock)
                .await?;
        }
    }
    keys.iter()
        .map(|key| transaction.with(|tables| tables.earlier(key)))
        .collect()
}

/// A call for several draws as if its first order were the only one.
fn first_only(earlier: &mut MadeCall) {
    if let Made::Draws(orders) = &earlier.made {
        earlier.made = Made::Draws([orders[0].clone()].into());
    }
}

/// Writes rows. Prefetch has locked those that change. `upsert` breaks the rule that new ones must
/// not be there.
async fn write_changed<T: FakeTable>(
    transaction: &Transaction,
    Changed { mut new, changed }: Changed<T::Key, T::State>,
    upsert: bool,
) -> Result<(), StoreError> {
    new.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (key, state) in new {
        transaction
            .lock(&T::locked(&key), LockMode::Exclusive)
            .await?;
        if !upsert && transaction.with(|tables| T::rows(tables).contains_key(&key)) {
            return Err(StoreError::Conflict("duplicate row".to_owned()));
        }
        transaction.write(T::write(key, state))?;
    }
    for (key, state) in changed {
        if !transaction.with(|tables| T::rows(tables).contains_key(&key)) {
            return Err(StoreError::Conflict("no row".to_owned()));
        }
        transaction.write(T::write(key, state))?;
    }
    Ok(())
}

/// A transaction that writes an entry has the account of points locked.
fn insert_entries(transaction: &Transaction, entries: Vec<PointsEntry>) -> Result<(), StoreError> {
    for entry in entries {
        let key = (entry.user.clone(), entry.number);
        if transaction.with(|tables| tables.entries.contains_key(&key)) {
            return Err(StoreError::Conflict("duplicate entry".to_owned()));
        }
        transaction.write(TableWrite::Entry(entry))?;
    }
    Ok(())
}

/// Has the keys of these calls for its transaction. An inserted call that is not committed is a lock
/// for the others; it is written with what the batch makes.
async fn claim_calls(
    transaction: &Transaction,
    mut calls: Vec<Call>,
    on_lock: OnLock,
) -> Result<(), StoreError> {
    calls.sort_unstable_by(|a, b| (&a.user, &a.request).cmp(&(&b.user, &b.request)));
    for Call { user, request, .. } in calls {
        if request.as_str() == POISONED {
            return Err(StoreError::Data("poisoned".to_owned()));
        }
        let row = LockedRow::Call(user.clone(), request.clone());
        transaction.lock_to_read(&row, on_lock).await?;
        if transaction.with(|tables| tables.calls.contains_key(&(user, request))) {
            return Err(StoreError::Conflict("duplicate call".to_owned()));
        }
    }
    Ok(())
}

/// Two gateways with one key meet here, whatever kinds of commands they execute. `by_kind` is
/// [`Fault::KeyByKind`].
async fn insert_calls(
    transaction: &Transaction,
    mut calls: Vec<Call>,
    by_kind: bool,
) -> Result<(), StoreError> {
    if calls.iter().any(|call| call.request.as_str() == POISONED) {
        return Err(StoreError::Data("poisoned".to_owned()));
    }
    calls.sort_unstable_by(|a, b| (&a.user, &a.request).cmp(&(&b.user, &b.request)));
    for call in calls {
        let key = (call.user.clone(), call.request.clone());
        transaction
            .lock_to_read(
                &LockedRow::Call(key.0.clone(), key.1.clone()),
                OnLock::Refuse,
            )
            .await?;
        let kind = transaction.with(|tables| tables.calls.get(&key).map(|call| call.kind));
        if kind.is_some_and(|kind| !by_kind || kind == call.kind) {
            return Err(StoreError::Conflict("duplicate call".to_owned()));
        }
        transaction.write(TableWrite::Call(call))?;
    }
    Ok(())
}

/// Only one lane has ids of its block, so no other can have locked their rows.
fn insert_rows(transaction: &Transaction, rows: Vec<(RowKey, FakeRow)>) -> Result<(), StoreError> {
    for (key, row) in rows {
        if transaction.with(|tables| tables.rows.contains(&key)) {
            return Err(StoreError::Conflict(format!("duplicate row {key:?}")));
        }
        transaction.write(TableWrite::Row(key, row))?;
    }
    Ok(())
}

/// Holds a server's epoch until the transaction ends; false when it is another one.
async fn hold_epoch(
    transaction: &Transaction,
    server: ServerId,
    epoch: Epoch,
    fault: Option<Fault>,
) -> Result<bool, StoreError> {
    transaction
        .lock(&LockedRow::Epoch(server), LockMode::Shared)
        .await?;
    Ok(fault == Some(Fault::NoEpoch) || transaction.with(|tables| tables.epoch(server)) == epoch)
}

async fn insert_receipt(
    transaction: &Transaction,
    grant: GrantId,
    receipt: &Receipt,
    fault: Option<Fault>,
) -> Result<(), StoreError> {
    transaction
        .lock(&LockedRow::Receipt(grant), LockMode::Exclusive)
        .await?;
    let row = transaction.with(|tables| tables.receipts.get(&grant).map(|row| row.void));
    if row.is_some_and(|void| !void || fault != Some(Fault::NoVoid)) {
        return Err(StoreError::Conflict("duplicate grant".to_owned()));
    }
    transaction.write(TableWrite::Receipt(grant, ReceiptRow::new(receipt)))
}

/// Adds to the counters of one lane.
async fn count_issued(
    transaction: &Transaction,
    (run, lane): (u64, u16),
    receipt: &Receipt,
) -> Result<(), StoreError> {
    let mut used = receipt.used.clone();
    used.sort_unstable();
    for Part {
        item,
        segment,
        count,
        ..
    } in used
    {
        let key = (item, segment, run, lane);
        transaction
            .lock(&LockedRow::Counter(key), LockMode::Exclusive)
            .await?;
        transaction.write(TableWrite::Count(key, u64::from(count)))?;
    }
    Ok(())
}

async fn delete_receipts(
    transaction: &Transaction,
    mut grants: Vec<GrantId>,
) -> Result<(), StoreError> {
    if grants.is_empty() {
        return Ok(());
    }
    grants.sort_unstable();
    for grant in &grants {
        transaction
            .lock(&LockedRow::Receipt(*grant), LockMode::Exclusive)
            .await?;
    }
    transaction.write(TableWrite::Delete(grants))
}

/// The account as it would be if the day came from the clock alone.
fn set_back(account: Account, today: Day) -> Account {
    if account.day <= today {
        return account;
    }
    let month_used = if account.day.month() == today.month() {
        account.month_used
    } else {
        0
    };
    Account {
        day: today,
        day_used: 0,
        month_used,
        ..account
    }
}
