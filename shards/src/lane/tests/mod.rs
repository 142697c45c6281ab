//! Lanes over a store in memory that fails as it is set to.
mod batches;
mod faults;
mod grants;
mod held;
mod lookups;
mod numbers;
mod stock;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use jiff::Timestamp;
use market::batch::{Batch, Known, Settlement, StockItem};
use market::campaign::{Campaign, Catalogue, Published};
use market::chances::Account;
use market::draw::DrawAsk;
use market::exchange::ExchangeAsk;
use market::grant::{ChanceCount, GrantAsk};
use market::{
    ActivityId, Ask, AwardId, Call, Command, DrawCount, Made, MadeCall, Order, Orders, Refusal,
    RequestId, SkuId, UserId,
};
use router::Run;
use testkit::campaign::CampaignFile;
use testkit::random::seeded;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::answering::{TRIES_MAX, UNAVAILABLE_MAX, UNAVAILABLE_MIN};
use super::*;
use crate::error::CommandError;
use crate::grant::GrantId;
use crate::metrics::{LaneMetrics, Metrics};
use crate::stock::{MemoryStock, Receipt, Snapshot, Stock};
use crate::store::{
    CallKeys, CommitVerdict, FetchedBatch, InDoubtBatch, OnLock, PersistError, ShardStore,
    StoreError,
};

const TIMEOUTS: Timeouts = Timeouts {
    queue: Duration::from_secs(30),
    answer: Duration::from_mins(1),
};

const LIMITS: LaneLimits = LaneLimits {
    queue_max: 100,
    queue_target: Duration::from_secs(1),
    batch_max: 100,
    linger: Duration::from_millis(4),
};

/// How long a lock is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// One item of 3 units, then the fallback; 5 chances per user.
fn file() -> CampaignFile {
    CampaignFile::one_prize(1, 3).chances(5, 5, 5)
}

fn parsed(file: &CampaignFile) -> Campaign {
    Campaign::parse(&file.text()).expect("a valid campaign")
}

/// How the next use of the store goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    PrefetchUnavailable,
    PersistUnavailable,
    PersistConflict,
    PersistFenced,
    /// The commit is not confirmed, and the batch has committed.
    CommitLost,
    /// The commit is not confirmed, and the batch has not committed.
    CommitFailed,
    VerdictUnavailable,
    Panic,
}

#[derive(Debug, Default)]
struct Tables {
    accounts: HashMap<(UserId, ActivityId), Account>,
    calls: BTreeMap<(UserId, RequestId), MadeCall>,
    grants: HashMap<GrantId, CommitVerdict>,
    faults: Vec<Fault>,
    /// What each batch made that was to be written, whether or not it was.
    tried: Vec<Vec<Made>>,
    /// Calls of this user are refused as data.
    poisoned: Option<UserId>,
    /// Calls of this user meet a conflict, always.
    contested: Option<UserId>,
    /// How many commands each prefetch was asked for.
    batches: Vec<usize>,
    /// How many batches claimed their keys.
    claims: usize,
    /// The calls that the batch under way has claimed.
    claimed: Vec<Call>,
    /// Users whose rows another process has locked.
    locked: HashSet<UserId>,
    /// Whether `held` does not name them.
    locks_are_hidden: bool,
    /// Whether batches meet these locks only when they write.
    locked_late: bool,
    /// Whether a rebuild has the stock servers' epochs.
    epochs_held: bool,
    /// How far the database's clock is ahead; `None` where it has none of its own.
    clock_ahead: Option<SignedDuration>,
}

impl Tables {
    /// What is stored of a batch's accounts and calls.
    fn known(&self, batch: &Batch) -> Known {
        let needs = batch.needs();
        let account = |key| self.accounts.get(key).copied();
        let call = |key| self.calls.get(key).cloned();
        Known {
            accounts: needs.accounts.iter().map(account).collect(),
            calls: needs.calls.iter().map(call).collect(),
            ..Known::nothing(needs)
        }
    }

    /// The orders of all calls.
    fn orders(&self) -> impl Iterator<Item = &Order> {
        self.calls.values().flat_map(|call| call.made.orders())
    }
}

#[derive(Debug, Clone, Default)]
struct Store(Arc<Mutex<Tables>>);

impl Store {
    fn lock(&self) -> std::sync::MutexGuard<'_, Tables> {
        // A planted panic poisons the lock; the tables are still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where another process has a row of the batch's users, after a second or at once.
    async fn meet_locks(&self, batch: &Batch, on_lock: OnLock) -> Result<(), StoreError> {
        let is_locked = |tables: &Tables| {
            batch
                .commands()
                .iter()
                .any(|command| tables.locked.contains(&command.user))
        };
        if self.lock().locked_late || !is_locked(&self.lock()) {
            return Ok(());
        }
        if on_lock == OnLock::Wait {
            sleep(LOCK_WAIT).await;
        }
        if is_locked(&self.lock()) {
            Err(held())
        } else {
            Ok(())
        }
    }

    fn fails(&self, with: &[Fault]) -> Option<Fault> {
        let mut tables = self.lock();
        let next = *tables.faults.first()?;
        with.contains(&next).then(|| tables.faults.remove(0))
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("planted".to_owned())
}

fn held() -> StoreError {
    StoreError::Held("planted".to_owned())
}

impl ShardStore for Store {
    async fn prefetch(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
        on_lock: OnLock,
        _: bool,
    ) -> Result<FetchedBatch, StoreError> {
        if self.fails(&[Fault::PrefetchUnavailable]).is_some() {
            return Err(unavailable());
        }
        self.meet_locks(batch, on_lock).await?;
        let mut tables = self.lock();
        tables.batches.push(batch.commands().len());
        let known = tables.known(batch);
        tables.claimed.clear();
        if let CallKeys::Claim(claimed) = keys {
            tables.claims += 1;
            tables.claimed = claimed;
            if known.calls.iter().any(Option::is_some) {
                return Err(StoreError::Conflict("a request id has a call".to_owned()));
            }
        }
        Ok(FetchedBatch {
            known,
            database_time: tables.clock_ahead.map(|ahead| now() + ahead),
        })
    }

    async fn held(&mut self, batch: &Batch) -> Result<Vec<bool>, StoreError> {
        let tables = self.lock();
        let hidden = tables.locks_are_hidden;
        Ok(batch
            .commands()
            .iter()
            .map(|command| !hidden && tables.locked.contains(&command.user))
            .collect())
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), PersistError> {
        let made: Vec<Made> = settlement.answers.iter().flatten().cloned().collect();
        self.lock().tried.push(made);
        let fault = self.fails(&[
            Fault::PersistUnavailable,
            Fault::PersistConflict,
            Fault::PersistFenced,
            Fault::CommitLost,
            Fault::CommitFailed,
            Fault::Panic,
        ]);
        match fault {
            Some(Fault::PersistUnavailable) => return Err(unavailable().into()),
            Some(Fault::PersistFenced) => {
                return Err(StoreError::Fenced("planted".to_owned()).into());
            }
            Some(Fault::PersistConflict) => {
                return Err(StoreError::Conflict("planted".to_owned()).into());
            }
            Some(Fault::CommitFailed) => return Err(PersistError::Unknown(unavailable())),
            Some(Fault::Panic) => panic!("planted"),
            _ => {}
        }
        let epochs_held = self.lock().epochs_held && !receipt.epochs.is_empty();
        if epochs_held
            || settlement
                .rows
                .calls()
                .any(|call| self.lock().locked.contains(&call.user))
        {
            sleep(LOCK_WAIT).await;
            return Err(held().into());
        }
        let mut tables = self.lock();
        if settlement
            .rows
            .calls()
            .any(|call| Some(&call.user) == tables.poisoned.as_ref())
        {
            return Err(StoreError::Data("planted".to_owned()).into());
        }
        if settlement
            .rows
            .calls()
            .any(|call| Some(&call.user) == tables.contested.as_ref())
        {
            return Err(StoreError::Conflict("planted".to_owned()).into());
        }
        for ((user, activity), account) in settlement.rows.accounts.written_rows() {
            tables.accounts.insert((user.clone(), *activity), *account);
        }
        for call in settlement
            .rows
            .calls()
            .filter(|_| !tables.claimed.is_empty())
        {
            let key = (&call.user, &call.request);
            let mut claimed = tables.claimed.iter();
            let claim = claimed.find(|claim| (&claim.user, &claim.request) == key);
            let made = call.made;
            assert!(claim.is_some_and(|claim| made <= claim.made), "{call:?}");
            let as_made = claim.map(|claim| Call {
                made,
                ..claim.clone()
            });
            assert_eq!(as_made.as_ref(), Some(call), "it is made as it was claimed");
        }
        for made in &settlement.rows.made {
            let key = (made.call.user.clone(), made.call.request.clone());
            let earlier = tables.calls.insert(key, made.clone());
            assert_eq!(earlier, None, "a request id has two calls");
        }
        assert_eq!(
            tables.grants.insert(grant, CommitVerdict::Committed),
            None,
            "a grant id was used twice"
        );
        match fault {
            Some(_) => Err(PersistError::Unknown(unavailable())),
            None => Ok(()),
        }
    }

    async fn undo(&mut self) {}

    async fn verdict(&mut self, batch: &InDoubtBatch) -> Result<CommitVerdict, StoreError> {
        if self.fails(&[Fault::VerdictUnavailable]).is_some() {
            return Err(unavailable());
        }
        Ok(*self
            .lock()
            .grants
            .entry(batch.grant)
            .or_insert(CommitVerdict::Void))
    }
}

/// Run numbers in memory.
#[derive(Debug, Default)]
struct Counter(Mutex<u32>);

impl Runs for Counter {
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>> {
        Box::pin(async {
            let mut claimed = self.0.lock().expect("nothing panics here");
            *claimed += 1;
            Ok(Run::new(*claimed))
        })
    }
}

struct Rig {
    store: Store,
    stock: Arc<MemoryStock>,
    entrance: Entrance,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
    metrics: LaneMetrics,
}

fn rig(faults: &[Fault]) -> Rig {
    let store = Store::default();
    store.lock().faults = faults.to_vec();
    let campaign = parsed(&file());
    let stock = Arc::new(MemoryStock::default());
    stock.set_total(item(), 3);
    let metrics = metrics();
    let (entrance, task, stop) = lane(store.clone(), stock.clone(), campaign, metrics.clone());
    Rig {
        store,
        stock,
        entrance,
        stop,
        task: Some(task),
        metrics,
    }
}

fn metrics() -> LaneMetrics {
    Metrics::new(&prometheus::Registry::new())
        .expect("fresh names")
        .lane("0")
}

fn lane(
    store: Store,
    stock: impl Stock,
    campaign: Campaign,
    metrics: LaneMetrics,
) -> (Entrance, JoinHandle<()>, watch::Sender<bool>) {
    lane_of(store, stock, campaign, metrics, Cut::WHOLE)
}

fn lane_of(
    store: Store,
    stock: impl Stock,
    campaign: Campaign,
    metrics: LaneMetrics,
    cut: Cut,
) -> (Entrance, JoinHandle<()>, watch::Sender<bool>) {
    let left = prometheus::IntGauge::new("left", "left").expect("a name");
    let around = Surroundings {
        catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new([Published {
            version: 1,
            campaign,
        }]))),
        stock,
        random: seeded(1),
        clock: now,
        ids: Ids::new(Arc::new(Counter::default()), cut, left, Arc::default()),
        callers: Arc::default(),
        metrics,
    };
    let stop = watch::Sender::new(false);
    let (entrance, task) = start(store, around, LIMITS, stop.subscribe());
    (entrance, task, stop)
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

fn item() -> StockItem {
    StockItem::award(
        ActivityId::new(1).expect("id"),
        AwardId::new(1).expect("id"),
    )
}

fn draw(user: &str, key: &str) -> Command {
    call(user, key, 1)
}

fn call(user: &str, key: &str, count: u8) -> Command {
    let count = DrawCount::new(count).expect("a count");
    let activity = ActivityId::new(1).expect("id");
    command(user, key, Ask::Draw(DrawAsk { activity, count }))
}

fn grant(user: &str, key: &str, chances: u32) -> Command {
    let chances = ChanceCount::new(chances).expect("a count");
    let activity = ActivityId::new(1).expect("id");
    command(user, key, Ask::Grant(GrantAsk { activity, chances }))
}

fn command(user: &str, key: &str, ask: Ask) -> Command {
    Command {
        user: UserId::new(user).expect("a user"),
        request: RequestId::new(key).expect("a key"),
        ask,
    }
}

/// The orders of an answer.
fn orders(answer: &Result<Made, CommandError>) -> &Orders {
    match answer {
        Ok(Made::Draws(orders)) => orders,
        other => panic!("{other:?}"),
    }
}

/// The awards of a call, in the order in which they were drawn.
fn awards(answer: &Result<Made, CommandError>) -> Vec<u64> {
    orders(answer)
        .iter()
        .map(|order| order.award.get())
        .collect()
}

/// The one order of a call for one draw.
fn one(answer: &Result<Made, CommandError>) -> &Order {
    let [order] = &orders(answer)[..] else {
        panic!("{answer:?}")
    };
    order
}

/// Sends all at once, so that they make one batch, and waits for all.
async fn call_together(
    entrance: &Entrance,
    commands: impl IntoIterator<Item = Command>,
) -> Vec<Result<Made, CommandError>> {
    let pending: Vec<_> = commands
        .into_iter()
        .map(|command| entrance.submit(command).expect("room"))
        .collect();
    let mut answers = Vec::new();
    for mut pending in pending {
        answers.push(pending.answer(TIMEOUTS).await);
    }
    answers
}

impl Rig {
    async fn draw(&self, user: &str, key: &str) -> Result<Made, CommandError> {
        self.call(draw(user, key)).await
    }

    async fn call(&self, command: Command) -> Result<Made, CommandError> {
        self.entrance.submit(command)?.answer(TIMEOUTS).await
    }

    /// Sends all at once, so that they make one batch, and waits for all.
    async fn draw_together(&self, draws: &[(&str, &str)]) -> Vec<Result<Made, CommandError>> {
        self.call_together(draws.iter().map(|(user, key)| draw(user, key)))
            .await
    }

    async fn call_together(
        &self,
        commands: impl IntoIterator<Item = Command>,
    ) -> Vec<Result<Made, CommandError>> {
        call_together(&self.entrance, commands).await
    }

    fn snapshot(&self) -> Snapshot {
        self.stock.snapshots()[0]
    }

    /// Ends the lane. Checks that stock and orders agree and no grant is open.
    async fn finish(mut self) {
        self.stop.send_replace(true);
        self.task
            .take()
            .expect("finished once")
            .await
            .expect("the lane ends by itself");
        let snapshot = self.snapshot();
        let stocked = self
            .store
            .lock()
            .orders()
            .filter(|order| order.stocked)
            .count() as u64;
        assert_eq!(snapshot.open, 0, "a grant is still open");
        assert_eq!(snapshot.issued, stocked);
        assert_eq!(snapshot.left, 3 - stocked);
        let counted = self.metrics.counted();
        assert_eq!(
            [counted.taken, counted.ended],
            [counted.admitted; 2],
            "each admitted command has ended, once"
        );
        assert_eq!(counted.orders, self.store.lock().orders().count() as u64);
    }
}
