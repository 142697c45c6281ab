//! Lanes over a store in memory that fails as told: what happens when each step fails.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;
use market::batch::{Known, Prize, Units};
use market::campaign::{Campaign, Published};
use market::chances::Account;
use market::random::Seeded;
use market::{ActivityId, AwardId, DrawCount, Order, Orders, Refusal, RequestId, UserId};
use router::Run;
use tokio::time::sleep;

use super::queue::{Entrance, Timeouts};
use super::*;
use crate::metrics::Metrics;
use crate::stock::{Epoch, MemoryStock, Part, ServerId, Snapshot, StockUnavailable};

const PATIENCE: Timeouts = Timeouts {
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

/// One prize of 3 units, then the fallback; 5 chances per user.
const CAMPAIGN: &str = r#"
format = 1
[activity]
id = 1
name = "test"
begins_at = 2020-01-01T00:00:00+00:00
ends_at = 2040-01-01T00:00:00+00:00
state = "open"
time_zone = "UTC"
[chances]
welcome = 5
day_limit = 5
month_limit = 5
[strategy]
id = 1
[[award]]
id = 1
title = "prize"
sort = 1
rate = 1
count = 3
tree = "tree"
[[award]]
id = 101
title = "luck"
sort = 2
rate = 0
[[tree]]
id = "tree"
root = "rule_stock"
nodes = [{ key = "rule_stock", allow = "rule_luck_award" }, { key = "rule_luck_award", award = 101, config = "1,100" }]
"#;

/// How the next use of the store goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    PrefetchUnavailable,
    PersistUnavailable,
    PersistConflict,
    PersistFenced,
    /// The commit is not confirmed and has landed.
    CommitLost,
    /// The commit is not confirmed and has not landed.
    CommitFailed,
    VerdictUnavailable,
    Panic,
}

#[derive(Debug, Default)]
struct Tables {
    accounts: HashMap<(UserId, ActivityId), Account>,
    orders: BTreeMap<(UserId, RequestId, u8), Order>,
    grants: HashMap<GrantId, Verdict>,
    faults: Vec<Fault>,
    /// Orders of this user are refused as data.
    poisoned: Option<UserId>,
    /// Orders of this user meet a conflict, always.
    contested: Option<UserId>,
    /// How many commands each prefetch was asked for.
    batches: Vec<usize>,
    /// Users whose rows somebody else has locked.
    locked: HashSet<UserId>,
    /// Whether nobody can say who these are.
    locks_are_hidden: bool,
    /// Whether they are met only by what is written.
    locked_late: bool,
    /// Whether a rebuild has the stock servers' epochs.
    epochs_held: bool,
    /// How far the database's clock is ahead; `None` where it has none of its own.
    clock_ahead: Option<SignedDuration>,
}

#[derive(Debug, Clone, Default)]
struct Store(Arc<Mutex<Tables>>);

impl Store {
    fn lock(&self) -> std::sync::MutexGuard<'_, Tables> {
        // A planted panic poisons the lock; the tables are whole all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where somebody else has a row of the batch's users, after a second or at once.
    async fn meet_locks(&self, batch: &Batch, on_lock: OnLock) -> Result<(), StoreError> {
        let is_locked = |tables: &Tables| {
            batch
                .draws()
                .iter()
                .any(|draw| tables.locked.contains(&draw.user))
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
        on_lock: OnLock,
        _: bool,
    ) -> Result<Fetched, StoreError> {
        if self.fails(&[Fault::PrefetchUnavailable]).is_some() {
            return Err(unavailable());
        }
        self.meet_locks(batch, on_lock).await?;
        let mut tables = self.lock();
        tables.batches.push(batch.draws().len());
        let orders = |draw: &Draw| {
            let [first, last] =
                [0, u8::MAX].map(|seq| (draw.user.clone(), draw.request.clone(), seq));
            tables
                .orders
                .range(first..=last)
                .map(|(_, order)| order.clone())
                .collect()
        };
        let known = Known {
            accounts: batch
                .accounts()
                .iter()
                .map(|key| tables.accounts.get(key).copied())
                .collect(),
            orders: batch.draws().iter().map(orders).collect(),
        };
        Ok(Fetched {
            known,
            database_time: tables.clock_ahead.map(|ahead| now() + ahead),
        })
    }

    async fn held(&mut self, batch: &Batch) -> Result<Vec<bool>, StoreError> {
        let tables = self.lock();
        let hidden = tables.locks_are_hidden;
        Ok(batch
            .draws()
            .iter()
            .map(|draw| !hidden && tables.locked.contains(&draw.user))
            .collect())
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), PersistError> {
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
                .orders()
                .any(|order| self.lock().locked.contains(&order.user))
        {
            sleep(LOCK_WAIT).await;
            return Err(held().into());
        }
        let mut tables = self.lock();
        if settlement
            .orders()
            .any(|order| Some(&order.user) == tables.poisoned.as_ref())
        {
            return Err(StoreError::Data("planted".to_owned()).into());
        }
        if settlement
            .orders()
            .any(|order| Some(&order.user) == tables.contested.as_ref())
        {
            return Err(StoreError::Conflict("planted".to_owned()).into());
        }
        for change in settlement
            .new_accounts
            .iter()
            .chain(&settlement.changed_accounts)
        {
            tables
                .accounts
                .insert((change.user.clone(), change.activity), change.account);
        }
        for order in settlement.orders() {
            let key = (order.user.clone(), order.request.clone(), order.seq);
            let earlier = tables.orders.insert(key, order.clone());
            assert_eq!(earlier, None, "a request id has two orders");
        }
        assert_eq!(
            tables.grants.insert(grant, Verdict::Committed),
            None,
            "a grant id was used twice"
        );
        match fault {
            Some(_) => Err(PersistError::Unknown(unavailable())),
            None => Ok(()),
        }
    }

    async fn undo(&mut self) {}

    async fn verdict(&mut self, batch: &InDoubt) -> Result<Verdict, StoreError> {
        if self.fails(&[Fault::VerdictUnavailable]).is_some() {
            return Err(unavailable());
        }
        Ok(*self
            .lock()
            .grants
            .entry(batch.grant)
            .or_insert(Verdict::Void))
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
    let campaign = Campaign::parse(CAMPAIGN).expect("a valid campaign");
    let stock = Arc::new(MemoryStock::default());
    stock.set_total(prize(), 3);
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
    let left = prometheus::IntGauge::new("left", "left").expect("a name");
    let around = Surroundings {
        catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new([Published {
            version: 1,
            campaign,
        }]))),
        stock,
        random: Tape::new(Seeded::new(1)),
        clock: now,
        ids: Ids::new(
            Arc::new(Counter::default()),
            Cut::WHOLE,
            left,
            Arc::default(),
        ),
        metrics,
    };
    let stop = watch::Sender::new(false);
    let (entrance, task) = start(store, around, LIMITS, stop.subscribe());
    (entrance, task, stop)
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

fn prize() -> Prize {
    Prize {
        activity: ActivityId::new(1).expect("id"),
        award: AwardId::new(1).expect("id"),
    }
}

fn draw(user: &str, key: &str) -> Draw {
    Draw {
        user: UserId::new(user).expect("a user"),
        activity: ActivityId::new(1).expect("id"),
        request: RequestId::new(key).expect("a key"),
        count: DrawCount::ONE,
    }
}

fn call(user: &str, key: &str, count: u8) -> Draw {
    Draw {
        count: DrawCount::new(count).expect("a count"),
        ..draw(user, key)
    }
}

/// The awards of a call, in the order in which they were drawn.
fn awards(answer: &Result<Orders, CommandError>) -> Vec<u64> {
    answer
        .as_ref()
        .expect("orders")
        .iter()
        .map(|order| order.award.get())
        .collect()
}

/// The one order of a call for one draw.
fn one(answer: &Result<Orders, CommandError>) -> &Order {
    let Ok([order]) = answer.as_deref() else {
        panic!("{answer:?}")
    };
    order
}

impl Rig {
    async fn draw(&self, user: &str, key: &str) -> Result<Orders, CommandError> {
        self.call(draw(user, key)).await
    }

    async fn call(&self, draw: Draw) -> Result<Orders, CommandError> {
        self.entrance.submit(draw)?.answer(PATIENCE).await
    }

    /// Sends all at once, so that they make one batch, and waits for all.
    async fn draw_together(&self, draws: &[(&str, &str)]) -> Vec<Result<Orders, CommandError>> {
        self.call_together(draws.iter().map(|(user, key)| draw(user, key)))
            .await
    }

    async fn call_together(
        &self,
        draws: impl IntoIterator<Item = Draw>,
    ) -> Vec<Result<Orders, CommandError>> {
        let pending: Vec<_> = draws
            .into_iter()
            .map(|draw| self.entrance.submit(draw).expect("room"))
            .collect();
        let mut answers = Vec::new();
        for mut pending in pending {
            answers.push(pending.answer(PATIENCE).await);
        }
        answers
    }

    fn snapshot(&self) -> Snapshot {
        self.stock.snapshots()[0]
    }

    /// Ends the lane and checks that stock and orders agree and nothing is in the air.
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
            .orders
            .values()
            .filter(|order| order.stocked)
            .count() as u64;
        assert_eq!(snapshot.open, 0, "a grant is still open");
        assert_eq!(snapshot.issued, stocked);
        assert_eq!(snapshot.left, 3 - stocked);
        let counted = self.metrics.counted();
        assert_eq!(
            [counted.taken, counted.ended],
            [counted.admitted; 2],
            "whoever was admitted has ended, once"
        );
        assert_eq!(counted.orders, self.store.lock().orders.len() as u64);
    }
}

#[tokio::test]
async fn what_waits_makes_one_batch() {
    let rig = rig(&[]);
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")])
        .await;
    let awards: Vec<u64> = answers
        .iter()
        .map(|answer| one(answer).award.get())
        .collect();
    assert_eq!(
        awards,
        [1, 1, 1, 101],
        "three units, given out in order of arrival"
    );
    assert_eq!(rig.store.lock().batches, [4]);
    rig.finish().await;
}

#[tokio::test]
async fn a_repeat_gets_its_first_answer_within_a_batch_and_later() {
    let rig = rig(&[]);
    let answers = rig
        .draw_together(&[("a", "1"), ("a", "1"), ("a", "2")])
        .await;
    let id = |answer| one(answer).id;
    assert_eq!(id(&answers[0]), id(&answers[1]));
    assert_ne!(id(&answers[0]), id(&answers[2]));
    assert_eq!(id(&rig.draw("a", "1").await), id(&answers[0]));
    assert_eq!(
        rig.store
            .lock()
            .accounts
            .values()
            .map(|account| account.used)
            .collect::<Vec<_>>(),
        [2]
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_call_for_several_draws_takes_them_in_order() {
    let rig = rig(&[]);
    let answers = rig
        .call_together([call("a", "1", 2), call("b", "1", 3), draw("c", "1")])
        .await;
    assert_eq!(
        answers.iter().map(awards).collect::<Vec<_>>(),
        [vec![1, 1], vec![1, 101, 101], vec![101]]
    );
    let made = answers[1].as_ref().expect("orders");
    let places: Vec<_> = made
        .iter()
        .map(|order| (order.seq, order.ordinal, order.asked.get()))
        .collect();
    assert_eq!(places, [(0, 1, 3), (1, 2, 3), (2, 3, 3)]);
    assert_eq!(
        rig.call(call("b", "1", 3)).await,
        answers[1],
        "the same call has the same answer"
    );
    assert_eq!(
        rig.call(call("b", "1", 2)).await,
        Err(CommandError::Refused(Refusal::RequestCountDiffers))
    );
    assert_eq!(rig.store.lock().orders.len(), 6);
    rig.finish().await;
}

#[tokio::test]
async fn a_call_for_five_draws_is_one_command_and_five_draws() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    let counted = rig.metrics.counted();
    assert_eq!([counted.admitted, counted.taken, counted.ended], [1; 3]);
    assert_eq!(
        (counted.draws.to_string(), counted.orders),
        ("5".to_owned(), 5)
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_call_beyond_the_chances_makes_no_draw() {
    let rig = rig(&[]);
    assert_eq!(
        rig.call(call("a", "1", 6)).await,
        Err(CommandError::Refused(Refusal::NoChancesLeft))
    );
    assert!(rig.store.lock().orders.is_empty() && rig.store.lock().accounts.is_empty());
    rig.call(call("a", "1", 5))
        .await
        .expect("the key is free and all chances are there");
    rig.finish().await;
}

#[tokio::test]
async fn a_batch_is_full_by_its_draws() {
    let rig = rig(&[]);
    let calls = (0..20)
        .map(|number| call(&format!("u{number}"), "1", 5))
        .chain([draw("late", "1")]);
    let pending: Vec<_> = calls.map(|draw| rig.entrance.submit(draw)).collect();
    assert!(
        matches!(pending[20], Err(CommandError::QueueFull)),
        "100 draws wait and no more may"
    );
    for pending in pending.into_iter().take(20) {
        pending
            .expect("room")
            .answer(PATIENCE)
            .await
            .expect("orders");
    }
    assert_eq!(rig.store.lock().batches, [20]);
    assert_eq!(rig.entrance.waiting(), 0);
    rig.finish().await;
}

#[tokio::test]
async fn refusals_change_nothing_and_leave_the_key_free() {
    let rig = rig(&[]);
    for key in ["1", "2", "3", "4", "5"] {
        rig.draw("a", key).await.expect("a chance");
    }
    assert_eq!(
        rig.draw("a", "6").await,
        Err(CommandError::Refused(Refusal::NoChancesLeft))
    );
    assert_eq!(rig.store.lock().orders.len(), 5);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_unavailable_answers_everyone_and_keeps_no_units() {
    let rig = rig(&[Fault::PrefetchUnavailable, Fault::PersistUnavailable]);
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    assert_eq!(
        rig.store.lock().faults.len(),
        1,
        "the second draw was answered without asking the shard"
    );
    sleep(UNAVAILABLE_MIN).await;
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    assert_eq!(rig.snapshot().left, 3);
    sleep(UNAVAILABLE_MIN * 2).await;
    rig.draw("a", "1").await.expect("the shard is back");
    rig.finish().await;
}

#[tokio::test]
async fn a_conflict_is_planned_anew_under_another_grant() {
    let rig = rig(&[Fault::PersistConflict, Fault::PersistConflict]);
    rig.draw("a", "1").await.expect("the third try");
    rig.finish().await;
}

#[tokio::test]
async fn conflicts_without_end_give_up() {
    let rig = rig(&[Fault::PersistConflict; TRIES_MAX]);
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_lost_confirmation_of_a_commit_that_landed_is_found_out() {
    let rig = rig(&[Fault::CommitLost]);
    let orders = rig.draw("a", "1").await.expect("the commit has landed");
    assert_eq!(rig.draw("a", "1").await, Ok(orders));
    rig.finish().await;
}

#[tokio::test]
async fn a_commit_that_failed_is_made_void_and_tried_again() {
    let rig = rig(&[Fault::CommitFailed]);
    rig.draw("a", "1").await.expect("the second try");
    assert_eq!(rig.store.lock().grants.len(), 2);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_verdict_is_out_the_outcome_is_unknown() {
    for commit in [Fault::CommitLost, Fault::CommitFailed] {
        let rig = rig(&[commit, Fault::VerdictUnavailable]);
        assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
        assert_eq!(
            rig.snapshot().open,
            1,
            "the unit is neither issued nor free"
        );
        sleep(UNAVAILABLE_MIN).await;
        rig.draw("a", "1").await.expect("the same key asks again");
        assert_eq!(rig.store.lock().orders.len(), 1);
        rig.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_resolved_although_nobody_draws_again() {
    for commit in [Fault::CommitLost, Fault::CommitFailed] {
        let rig = rig(&[
            commit,
            Fault::VerdictUnavailable,
            Fault::VerdictUnavailable,
            Fault::VerdictUnavailable,
        ]);
        assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
        assert_eq!(rig.snapshot().open, 1);
        sleep(UNAVAILABLE_MAX * 3).await;
        let snapshot = rig.snapshot();
        assert_eq!(
            (snapshot.open, snapshot.issued),
            (0, u64::from(commit == Fault::CommitLost))
        );
        rig.finish().await;
    }
}

#[tokio::test]
async fn a_lane_that_stops_in_doubt_finds_out_first() {
    let rig = rig(&[Fault::CommitLost, Fault::VerdictUnavailable]);
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
    rig.finish().await;
}

#[tokio::test]
async fn one_bad_command_never_fails_its_neighbours() {
    let rig = rig(&[]);
    rig.store.lock().poisoned = Some(UserId::new("bad").expect("a user"));
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("bad", "1"), ("c", "1"), ("d", "1")])
        .await;
    let refused: Vec<bool> = answers
        .iter()
        .map(|answer| *answer == Err(CommandError::DataRefused))
        .collect();
    assert_eq!(refused, [false, false, true, false, false]);
    assert_eq!(rig.store.lock().orders.len(), 4);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_batch_its_answer_and_nothing_else() {
    let rig = rig(&[Fault::Panic]);
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
    sleep(UNAVAILABLE_MIN).await;
    rig.draw("a", "1").await.expect("the lane lives on");
    assert_eq!(rig.store.lock().orders.len(), 1);
    rig.finish().await;
}

#[tokio::test]
async fn a_stop_commits_what_is_queued() {
    let rig = rig(&[]);
    let mut pending = rig.entrance.submit(draw("a", "1")).expect("room");
    rig.stop.send_replace(true);
    pending
        .answer(PATIENCE)
        .await
        .expect("it was queued before the stop");
    while rig.entrance.submit(draw("b", "1")).is_ok() {
        tokio::task::yield_now().await;
    }
    rig.finish().await;
}

/// A stock that nobody reaches.
struct Unreachable;

impl Stock for Unreachable {
    async fn take(&self, _: GrantId, _: &[Units]) -> Result<Granted, StockUnavailable> {
        Err(StockUnavailable::Unavailable("planted".to_owned()))
    }

    fn settle(&self, _: GrantId, granted: &Granted, _: &[Part]) {
        assert_eq!(*granted, Granted::default(), "nothing was taken");
    }

    fn give_back(&self, _: GrantId, _: &Granted) {}
}

#[tokio::test]
async fn a_stock_that_is_unavailable_refuses_and_changes_nothing() {
    let store = Store::default();
    let campaign = Campaign::parse(CAMPAIGN).expect("a valid campaign");
    let (entrance, task, stop) = lane(store.clone(), Unreachable, campaign, metrics());
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(PATIENCE)
        .await;
    assert_eq!(
        answer,
        Err(CommandError::Refused(Refusal::StockUnavailable))
    );
    assert!(store.lock().orders.is_empty() && store.lock().accounts.is_empty());
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

#[tokio::test]
async fn a_campaign_may_fall_back_while_the_stock_is_unavailable() {
    let store = Store::default();
    let text = CAMPAIGN.replace(
        "time_zone =",
        "when_stock_unavailable = \"fallback\"\ntime_zone =",
    );
    let campaign = Campaign::parse(&text).expect("a valid campaign");
    let (entrance, task, stop) = lane(store.clone(), Unreachable, campaign, metrics());
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(PATIENCE)
        .await;
    let order = one(&answer);
    assert_eq!(
        (order.award.get(), order.stocked, order.ordinal),
        (101, false, 1)
    );
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

/// A stock whose first askings go wrong.
struct Shaky {
    stock: Arc<MemoryStock>,
    failures: Mutex<Vec<StockUnavailable>>,
    /// Under what it was asked.
    grants: Arc<Mutex<Vec<GrantId>>>,
}

impl Stock for Shaky {
    async fn take(&self, grant: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        self.grants.lock().expect("nothing panics here").push(grant);
        let failure = self.failures.lock().expect("nothing panics here").pop();
        match failure {
            Some(failure) => Err(failure),
            None => self.stock.take(grant, wants).await,
        }
    }

    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]) {
        self.stock.settle(grant, granted, used);
    }

    fn give_back(&self, grant: GrantId, granted: &Granted) {
        self.stock.give_back(grant, granted);
    }
}

/// One draw from a stock whose first askings go wrong like this: the answer, and how often it was
/// asked.
async fn draw_shaky(
    campaign: &str,
    failures: &[StockUnavailable],
) -> (Result<Orders, CommandError>, usize) {
    let (store, stock, grants) = (
        Store::default(),
        Arc::new(MemoryStock::default()),
        Arc::default(),
    );
    stock.set_total(prize(), 3);
    let failures = Mutex::new(failures.iter().rev().cloned().collect());
    let shaky = Shaky {
        stock: stock.clone(),
        failures,
        grants: Arc::clone(&grants),
    };
    let campaign = Campaign::parse(campaign).expect("a valid campaign");
    let (entrance, task, stop) = lane(store.clone(), shaky, campaign, metrics());
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(PATIENCE)
        .await;
    stop.send_replace(true);
    task.await.expect("the lane ends");
    let grants = grants.lock().expect("nothing panics here").clone();
    let different: std::collections::BTreeSet<_> = grants.iter().collect();
    assert_eq!(different.len(), grants.len(), "a grant id was used twice");
    let stocked = store
        .lock()
        .orders
        .values()
        .filter(|order| order.stocked)
        .count() as u64;
    let Snapshot { left, open, .. } = stock.snapshots()[0];
    assert_eq!((left, open), (3 - stocked, 0));
    (answer, grants.len())
}

#[tokio::test]
async fn an_asking_that_ended_at_once_is_repeated_once_under_another_grant() {
    let ended = || StockUnavailable::EndedAtOnce("planted".to_owned());
    let (answer, asked) = draw_shaky(CAMPAIGN, &[ended()]).await;
    assert!(one(&answer).stocked, "{answer:?}");
    assert_eq!(asked, 2);
    let refused = Err(CommandError::Refused(Refusal::StockUnavailable));
    assert_eq!(
        draw_shaky(CAMPAIGN, &[ended(), ended()]).await,
        (refused.clone(), 2)
    );
    assert_eq!(
        draw_shaky(
            CAMPAIGN,
            &[StockUnavailable::Unavailable("planted".to_owned())]
        )
        .await,
        (refused, 1)
    );
}

#[tokio::test]
async fn a_prize_whose_units_are_on_their_way_is_no_consolation() {
    let undelivered = [StockUnavailable::Undelivered(vec![prize()])];
    let (answer, asked) = draw_shaky(CAMPAIGN, &undelivered).await;
    assert_eq!(
        (answer, asked),
        (Err(CommandError::Refused(Refusal::StockUnavailable)), 1)
    );
    let falls_back = CAMPAIGN.replace(
        "time_zone =",
        "when_stock_unavailable = \"fallback\"\ntime_zone =",
    );
    let (answer, _) = draw_shaky(&falls_back, &undelivered).await;
    assert_eq!(
        (one(&answer).award.get(), one(&answer).stocked),
        (101, false)
    );
}

#[tokio::test]
async fn no_draw_notices_that_connections_to_redis_end_at_rest() {
    use crate::stock::cluster::tests::{breakers, connect, stock_up};
    use crate::stock::cluster::{ClusterStock, Spread};
    use crate::testing::{Redis, order};
    let (redis, breakers) = (Redis::start().await, breakers());
    let (stock, _closers) = ClusterStock::new(vec![connect(
        1,
        Spread {
            segments: 1,
            servers: 1,
        },
        &redis,
    )]);
    stock_up(&stock.nodes()[0], 1, &[(prize(), 0, 1_000)]).await;
    let campaign = Campaign::parse(CAMPAIGN).expect("a valid campaign");
    let (entrance, _task, _stop) = lane(
        Store::default(),
        stock.for_lane(0, 0, &breakers),
        campaign,
        metrics(),
    );
    for round in 0..40 {
        let answer = entrance
            .submit(draw(&format!("u{round}"), "1"))
            .expect("room")
            .answer(PATIENCE)
            .await;
        assert!(one(&answer).stocked, "round {round}: {answer:?}");
        let words: &[&str] = if round % 2 == 0 {
            &["CLIENT", "KILL", "TYPE", "normal"]
        } else {
            &["SCRIPT", "FLUSH"]
        };
        order(&redis.options(), words).await;
    }
}

#[tokio::test]
async fn units_of_a_past_epoch_are_not_issued() {
    let rig = rig(&[Fault::PersistFenced]);
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::Refused(Refusal::StockUnavailable))
    );
    assert_eq!(rig.snapshot().left, 3);
    rig.draw("a", "1").await.expect("the stock is rebuilt");
    rig.finish().await;
}

fn lock(rig: &Rig, users: &[&str]) {
    rig.store.lock().locked = users
        .iter()
        .map(|user| UserId::new(user).expect("a user"))
        .collect();
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_wait_for_users_whose_rows_are_held() {
    let rig = rig(&[]);
    lock(&rig, &["a", "b"]);
    let began = Instant::now();
    let mut held = ["a", "b"].map(|user| rig.entrance.submit(draw(user, "1")).expect("room"));
    for answer in rig.draw_together(&[("c", "1"), ("d", "1")]).await {
        answer.expect("nobody has these");
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody was waited for");
    for pending in &mut held {
        assert_eq!(pending.answer(PATIENCE).await, Err(CommandError::Held));
        assert!(
            pending.held_up() >= Duration::from_secs(1),
            "that was no slowness of the shard"
        );
    }
    assert!(began.elapsed() < Duration::from_millis(1_200));
    rig.draw("c", "2").await.expect("still nobody has it");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_held_for_long_is_told_so_at_once_for_a_second() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::Held));
    let asked = rig.store.lock().batches.len();
    let began = Instant::now();
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::Held));
    assert_eq!(
        (began.elapsed(), rig.store.lock().batches.len()),
        (Duration::ZERO, asked)
    );
    lock(&rig, &[]);
    sleep(Duration::from_secs(1)).await;
    rig.draw("a", "1").await.expect("nobody has it any more");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_free_soon_are_waited_for_with_all_later_calls_of_their_user() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    let mut first = rig.entrance.submit(draw("a", "1")).expect("room");
    let (waiting, ()) = tokio::join!(first.answer(PATIENCE), async {
        rig.draw("b", "1").await.expect("nobody has it");
        let mut second = rig.entrance.submit(draw("a", "2")).expect("room");
        sleep(Duration::from_millis(300)).await;
        lock(&rig, &[]);
        second.answer(PATIENCE).await.expect("it is free");
    });
    waiting.expect("it is free");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_found_held_when_they_are_written_are_parted_with_too() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    rig.store.lock().locked_late = true;
    let began = Instant::now();
    let mut held = rig.entrance.submit(draw("a", "1")).expect("room");
    let mut free = rig.entrance.submit(draw("b", "1")).expect("room");
    free.answer(PATIENCE).await.expect("nobody has it");
    assert_eq!(
        began.elapsed(),
        LOCK_WAIT,
        "one wait, then it is known who is held"
    );
    assert_eq!(
        free.held_up(),
        LOCK_WAIT,
        "that was no slowness of the shard"
    );
    assert_eq!(held.answer(PATIENCE).await, Err(CommandError::Held));
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_nobody_is_known_to_be_behind_costs_the_halves_of_a_batch_that_meet_it() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    (
        rig.store.lock().locked_late,
        rig.store.lock().locks_are_hidden,
    ) = (true, true);
    let began = Instant::now();
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")])
        .await;
    assert_eq!(answers[0], Err(CommandError::Held));
    assert!(answers[2].is_ok() && answers[3].is_ok(), "{answers:?}");
    assert!(
        began.elapsed() <= 2 * LOCK_WAIT,
        "who waits behind must not get too old"
    );
    rig.finish().await;
}

#[tokio::test]
async fn one_command_that_others_keep_changing_never_fails_its_neighbours() {
    let rig = rig(&[]);
    rig.store.lock().contested = Some(UserId::new("bad").expect("a user"));
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("bad", "1"), ("c", "1"), ("d", "1")])
        .await;
    let failed: Vec<bool> = answers
        .iter()
        .map(|answer| *answer == Err(CommandError::ShardUnavailable))
        .collect();
    assert_eq!(failed, [false, false, true, false, false]);
    rig.finish().await;
}

#[tokio::test]
async fn a_stop_tells_those_who_are_set_aside() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    let mut held = rig.entrance.submit(draw("a", "1")).expect("room");
    rig.draw("b", "1").await.expect("nobody has it");
    rig.finish().await;
    assert_eq!(held.answer(PATIENCE).await, Err(CommandError::Held));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_planned_by_a_clock_that_the_shards_own_contradicts() {
    let rig = rig(&[]);
    rig.store.lock().clock_ahead = Some(SignedDuration::from_hours(-40 * 24));
    let ahead_seconds = 40 * 24 * 3600;
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ClocksDiffer { ahead_seconds })
    );
    assert!(rig.store.lock().orders.is_empty() && rig.store.lock().accounts.is_empty());
    rig.store.lock().clock_ahead = Some(SignedDuration::from_secs(59));
    rig.draw("a", "1").await.expect("a little is borne");
    rig.finish().await;
}

/// A stock on a server that has whatever is asked for.
struct Plenty;

impl Stock for Plenty {
    async fn take(&self, _: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        let server = ServerId(1);
        let part = |units: &Units| Part {
            server,
            prize: units.prize,
            segment: 0,
            count: units.count,
        };
        Ok(Granted {
            parts: wants.iter().map(part).collect(),
            epochs: [(server, Epoch(1))].into(),
        })
    }

    fn settle(&self, _: GrantId, _: &Granted, _: &[Part]) {}

    fn give_back(&self, _: GrantId, _: &Granted) {}
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_that_holds_the_epochs_makes_the_stock_away_and_no_shard() {
    let store = Store::default();
    store.lock().epochs_held = true;
    let campaign = Campaign::parse(CAMPAIGN).expect("a valid campaign");
    let (entrance, task, stop) = lane(store.clone(), Plenty, campaign, metrics());
    let began = Instant::now();
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(PATIENCE)
        .await;
    assert_eq!(
        answer,
        Err(CommandError::Refused(Refusal::StockUnavailable))
    );
    assert_eq!(began.elapsed(), LOCK_WAIT);
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

#[tokio::test(start_paused = true)]
async fn room_for_those_who_are_held_is_bounded() {
    let rig = rig(&[]);
    let users: Vec<String> = (0..400).map(|number| format!("u{number}")).collect();
    lock(&rig, &users.iter().map(String::as_str).collect::<Vec<_>>());
    let began = Instant::now();
    let mut at_once = 0;
    for users in users.chunks(100) {
        let pending: Vec<_> = users
            .iter()
            .map(|user| rig.entrance.submit(draw(user, "1")).expect("room"))
            .collect();
        sleep(Duration::from_millis(5)).await;
        for mut pending in pending {
            if let Some(answer) = pending.answer(PATIENCE).now_or_never() {
                assert_eq!(answer, Err(CommandError::Held));
                at_once += 1;
            } else {
                tokio::spawn(async move { pending.answer(PATIENCE).await });
            }
        }
    }
    assert_eq!(
        at_once,
        400 - 256,
        "they are told at once where there is no room"
    );
    rig.draw("stranger", "1").await.expect("nobody has it");
    assert!(began.elapsed() < Duration::from_secs(1));
    rig.finish().await;
}
