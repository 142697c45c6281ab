//! Lanes over a store in memory that fails as told: what happens when each step fails.
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use market::batch::{Known, Prize, Units};
use market::campaign::{Campaign, Published};
use market::chances::Account;
use market::random::Seeded;
use market::{ActivityId, AwardId, DrawCount, Order, Orders, Refusal, RequestId, UserId};
use router::Run;
use tokio::time::sleep;

use super::queue::{Entrance, Patience};
use super::*;
use crate::metrics::Metrics;
use crate::stock::{MemoryStock, Part, Picture, StockAway};

const PATIENCE: Patience = Patience { queue: Duration::from_secs(30), answer: Duration::from_mins(1) };

const LIMITS: LaneLimits = LaneLimits {
    queue_max: 100,
    queue_target: Duration::from_secs(1),
    batch_max: 100,
    linger: Duration::from_millis(4),
};

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
    PrefetchAway,
    PersistAway,
    PersistConflict,
    PersistFenced,
    /// The commit is not confirmed and has landed.
    CommitLost,
    /// The commit is not confirmed and has not landed.
    CommitFailed,
    VerdictAway,
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
    /// How many commands each prefetch was asked for.
    batches: Vec<usize>,
}

#[derive(Debug, Clone, Default)]
struct Store(Arc<Mutex<Tables>>);

impl Store {
    fn lock(&self) -> std::sync::MutexGuard<'_, Tables> {
        // A planted panic poisons the lock; the tables are whole all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails(&self, with: &[Fault]) -> Option<Fault> {
        let mut tables = self.lock();
        let next = *tables.faults.first()?;
        with.contains(&next).then(|| tables.faults.remove(0))
    }
}

fn away() -> StoreError {
    StoreError::Away("planted".to_owned())
}

impl ShardStore for Store {
    async fn prefetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        if self.fails(&[Fault::PrefetchAway]).is_some() {
            return Err(away());
        }
        let mut tables = self.lock();
        tables.batches.push(batch.draws().len());
        let orders = |draw: &Draw| {
            let [first, last] = [0, u8::MAX].map(|seq| (draw.user.clone(), draw.request.clone(), seq));
            tables.orders.range(first..=last).map(|(_, order)| order.clone()).collect()
        };
        Ok(Known {
            accounts: batch.accounts().iter().map(|key| tables.accounts.get(key).copied()).collect(),
            orders: batch.draws().iter().map(orders).collect(),
        })
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        _receipt: &Receipt,
    ) -> Result<(), PersistError> {
        let fault = self.fails(&[
            Fault::PersistAway,
            Fault::PersistConflict,
            Fault::PersistFenced,
            Fault::CommitLost,
            Fault::CommitFailed,
            Fault::Panic,
        ]);
        match fault {
            Some(Fault::PersistAway) => return Err(away().into()),
            Some(Fault::PersistFenced) => return Err(StoreError::Fenced("planted".to_owned()).into()),
            Some(Fault::PersistConflict) => return Err(StoreError::Conflict("planted".to_owned()).into()),
            Some(Fault::CommitFailed) => return Err(PersistError::Unknown(away())),
            Some(Fault::Panic) => panic!("planted"),
            _ => {}
        }
        let mut tables = self.lock();
        if settlement.orders().any(|order| Some(&order.user) == tables.poisoned.as_ref()) {
            return Err(StoreError::Data("planted".to_owned()).into());
        }
        for change in settlement.new_accounts.iter().chain(&settlement.changed_accounts) {
            tables.accounts.insert((change.user.clone(), change.activity), change.account);
        }
        for order in settlement.orders() {
            let key = (order.user.clone(), order.request.clone(), order.seq);
            let earlier = tables.orders.insert(key, order.clone());
            assert_eq!(earlier, None, "a request id has two orders");
        }
        assert_eq!(tables.grants.insert(grant, Verdict::Committed), None, "a grant id was used twice");
        match fault {
            Some(_) => Err(PersistError::Unknown(away())),
            None => Ok(()),
        }
    }

    async fn undo(&mut self) {}

    async fn verdict(&mut self, grant: GrantId) -> Result<Verdict, StoreError> {
        if self.fails(&[Fault::VerdictAway]).is_some() {
            return Err(away());
        }
        Ok(*self.lock().grants.entry(grant).or_insert(Verdict::Void))
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
    Rig { store, stock, entrance, stop, task: Some(task), metrics }
}

fn metrics() -> LaneMetrics {
    Metrics::new(&prometheus::Registry::new()).expect("fresh names").lane("0")
}

fn lane(
    store: Store,
    stock: impl Stock,
    campaign: Campaign,
    metrics: LaneMetrics,
) -> (Entrance, JoinHandle<()>, watch::Sender<bool>) {
    let left = prometheus::IntGauge::new("left", "left").expect("a name");
    let around = Surroundings {
        catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new([Published { version: 1, campaign }]))),
        stock,
        random: Tape::new(Seeded::new(1)),
        clock: || "2026-06-01T12:00:00Z".parse().expect("a time"),
        ids: Ids::new(Arc::new(Counter::default()), Cut::WHOLE, left, Arc::default()),
        metrics,
    };
    let stop = watch::Sender::new(false);
    let (entrance, task) = start(store, around, LIMITS, stop.subscribe());
    (entrance, task, stop)
}

fn prize() -> Prize {
    Prize { activity: ActivityId::new(1).expect("id"), award: AwardId::new(1).expect("id") }
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
    Draw { count: DrawCount::new(count).expect("a count"), ..draw(user, key) }
}

/// The awards of a call, in the order in which they were drawn.
fn awards(answer: &Result<Orders, DrawError>) -> Vec<u64> {
    answer.as_ref().expect("orders").iter().map(|order| order.award.get()).collect()
}

/// The one order of a call for one draw.
fn one(answer: &Result<Orders, DrawError>) -> &Order {
    let Ok([order]) = answer.as_deref() else { panic!("{answer:?}") };
    order
}

impl Rig {
    async fn draw(&self, user: &str, key: &str) -> Result<Orders, DrawError> {
        self.call(draw(user, key)).await
    }

    async fn call(&self, draw: Draw) -> Result<Orders, DrawError> {
        self.entrance.submit(draw)?.answer(PATIENCE).await
    }

    /// Sends all at once, so that they make one batch, and waits for all.
    async fn draw_together(&self, draws: &[(&str, &str)]) -> Vec<Result<Orders, DrawError>> {
        self.call_together(draws.iter().map(|(user, key)| draw(user, key))).await
    }

    async fn call_together(&self, draws: impl IntoIterator<Item = Draw>) -> Vec<Result<Orders, DrawError>> {
        let pending: Vec<_> = draws.into_iter().map(|draw| self.entrance.submit(draw).expect("room")).collect();
        let mut answers = Vec::new();
        for mut pending in pending {
            answers.push(pending.answer(PATIENCE).await);
        }
        answers
    }

    fn picture(&self) -> Picture {
        self.stock.pictures()[0]
    }

    /// Ends the lane and checks that stock and orders agree and nothing is in the air.
    async fn finish(mut self) {
        self.stop.send_replace(true);
        self.task.take().expect("finished once").await.expect("the lane ends by itself");
        let picture = self.picture();
        let stocked = self.store.lock().orders.values().filter(|order| order.stocked).count() as u64;
        assert_eq!(picture.open, 0, "a grant is still open");
        assert_eq!(picture.issued, stocked);
        assert_eq!(picture.left, 3 - stocked);
        let counted = self.metrics.counted();
        assert_eq!([counted.taken, counted.ended], [counted.admitted; 2], "whoever was admitted has ended, once");
        assert_eq!(counted.orders, self.store.lock().orders.len() as u64);
    }
}

#[tokio::test]
async fn what_waits_makes_one_batch() {
    let rig = rig(&[]);
    let answers = rig.draw_together(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]).await;
    let awards: Vec<u64> = answers.iter().map(|answer| one(answer).award.get()).collect();
    assert_eq!(awards, [1, 1, 1, 101], "three units, given out in order of arrival");
    assert_eq!(rig.store.lock().batches, [4]);
    rig.finish().await;
}

#[tokio::test]
async fn a_repeat_gets_its_first_answer_within_a_batch_and_later() {
    let rig = rig(&[]);
    let answers = rig.draw_together(&[("a", "1"), ("a", "1"), ("a", "2")]).await;
    let id = |answer| one(answer).id;
    assert_eq!(id(&answers[0]), id(&answers[1]));
    assert_ne!(id(&answers[0]), id(&answers[2]));
    assert_eq!(id(&rig.draw("a", "1").await), id(&answers[0]));
    assert_eq!(rig.store.lock().accounts.values().map(|account| account.used).collect::<Vec<_>>(), [2]);
    rig.finish().await;
}

#[tokio::test]
async fn a_call_for_several_draws_takes_them_in_order() {
    let rig = rig(&[]);
    let answers = rig.call_together([call("a", "1", 2), call("b", "1", 3), draw("c", "1")]).await;
    assert_eq!(answers.iter().map(awards).collect::<Vec<_>>(), [vec![1, 1], vec![1, 101, 101], vec![101]]);
    let made = answers[1].as_ref().expect("orders");
    let places: Vec<_> = made.iter().map(|order| (order.seq, order.ordinal, order.asked.get())).collect();
    assert_eq!(places, [(0, 1, 3), (1, 2, 3), (2, 3, 3)]);
    assert_eq!(rig.call(call("b", "1", 3)).await, answers[1], "the same call has the same answer");
    assert_eq!(rig.call(call("b", "1", 2)).await, Err(DrawError::Refused(Refusal::RequestCountDiffers)));
    assert_eq!(rig.store.lock().orders.len(), 6);
    rig.finish().await;
}

#[tokio::test]
async fn a_call_for_five_draws_is_one_command_and_five_draws() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    let counted = rig.metrics.counted();
    assert_eq!([counted.admitted, counted.taken, counted.ended], [1; 3]);
    assert_eq!((counted.draws.to_string(), counted.orders), ("5".to_owned(), 5));
    rig.finish().await;
}

#[tokio::test]
async fn a_call_beyond_the_chances_makes_no_draw() {
    let rig = rig(&[]);
    assert_eq!(rig.call(call("a", "1", 6)).await, Err(DrawError::Refused(Refusal::NoChancesLeft)));
    assert!(rig.store.lock().orders.is_empty() && rig.store.lock().accounts.is_empty());
    rig.call(call("a", "1", 5)).await.expect("the key is free and all chances are there");
    rig.finish().await;
}

#[tokio::test]
async fn a_batch_is_full_by_its_draws() {
    let rig = rig(&[]);
    let calls = (0..20).map(|number| call(&format!("u{number}"), "1", 5)).chain([draw("late", "1")]);
    let pending: Vec<_> = calls.map(|draw| rig.entrance.submit(draw)).collect();
    assert!(matches!(pending[20], Err(DrawError::QueueFull)), "100 draws wait and no more may");
    for pending in pending.into_iter().take(20) {
        pending.expect("room").answer(PATIENCE).await.expect("orders");
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
    assert_eq!(rig.draw("a", "6").await, Err(DrawError::Refused(Refusal::NoChancesLeft)));
    assert_eq!(rig.store.lock().orders.len(), 5);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_away_answers_everyone_and_keeps_no_units() {
    let rig = rig(&[Fault::PrefetchAway, Fault::PersistAway]);
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::ShardAway));
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::ShardAway));
    assert_eq!(rig.store.lock().faults.len(), 1, "the second draw was answered without asking the shard");
    sleep(AWAY_MIN).await;
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::ShardAway));
    assert_eq!(rig.picture().left, 3);
    sleep(AWAY_MIN * 2).await;
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
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::ShardAway));
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
        let rig = rig(&[commit, Fault::VerdictAway]);
        assert_eq!(rig.draw("a", "1").await, Err(DrawError::OutcomeUnknown));
        assert_eq!(rig.picture().open, 1, "the unit is neither issued nor free");
        sleep(AWAY_MIN).await;
        rig.draw("a", "1").await.expect("the same key asks again");
        assert_eq!(rig.store.lock().orders.len(), 1);
        rig.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_resolved_although_nobody_draws_again() {
    for commit in [Fault::CommitLost, Fault::CommitFailed] {
        let rig = rig(&[commit, Fault::VerdictAway, Fault::VerdictAway, Fault::VerdictAway]);
        assert_eq!(rig.draw("a", "1").await, Err(DrawError::OutcomeUnknown));
        assert_eq!(rig.picture().open, 1);
        sleep(AWAY_MAX * 3).await;
        let picture = rig.picture();
        assert_eq!((picture.open, picture.issued), (0, u64::from(commit == Fault::CommitLost)));
        rig.finish().await;
    }
}

#[tokio::test]
async fn a_lane_that_stops_in_doubt_finds_out_first() {
    let rig = rig(&[Fault::CommitLost, Fault::VerdictAway]);
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::OutcomeUnknown));
    rig.finish().await;
}

#[tokio::test]
async fn one_bad_command_never_fails_its_neighbours() {
    let rig = rig(&[]);
    rig.store.lock().poisoned = Some(UserId::new("bad").expect("a user"));
    let answers = rig.draw_together(&[("a", "1"), ("b", "1"), ("bad", "1"), ("c", "1"), ("d", "1")]).await;
    let refused: Vec<bool> = answers.iter().map(|answer| *answer == Err(DrawError::DataRefused)).collect();
    assert_eq!(refused, [false, false, true, false, false]);
    assert_eq!(rig.store.lock().orders.len(), 4);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_batch_its_answer_and_nothing_else() {
    let rig = rig(&[Fault::Panic]);
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::OutcomeUnknown));
    sleep(AWAY_MIN).await;
    rig.draw("a", "1").await.expect("the lane lives on");
    assert_eq!(rig.store.lock().orders.len(), 1);
    rig.finish().await;
}

#[tokio::test]
async fn a_stop_commits_what_is_queued() {
    let rig = rig(&[]);
    let mut pending = rig.entrance.submit(draw("a", "1")).expect("room");
    rig.stop.send_replace(true);
    pending.answer(PATIENCE).await.expect("it was queued before the stop");
    while rig.entrance.submit(draw("b", "1")).is_ok() {
        tokio::task::yield_now().await;
    }
    rig.finish().await;
}

/// A stock that nobody reaches.
struct Unreachable;

impl Stock for Unreachable {
    async fn take(&self, _: GrantId, _: &[Units]) -> Result<Granted, StockAway> {
        Err(StockAway("planted".to_owned()))
    }

    fn settle(&self, _: GrantId, granted: &Granted, _: &[Part]) {
        assert_eq!(*granted, Granted::default(), "nothing was taken");
    }

    fn give_back(&self, _: GrantId, _: &Granted) {}
}

#[tokio::test]
async fn a_stock_that_is_away_refuses_and_changes_nothing() {
    let store = Store::default();
    let campaign = Campaign::parse(CAMPAIGN).expect("a valid campaign");
    let (entrance, task, stop) = lane(store.clone(), Unreachable, campaign, metrics());
    let answer = entrance.submit(draw("a", "1")).expect("room").answer(PATIENCE).await;
    assert_eq!(answer, Err(DrawError::Refused(Refusal::StockAway)));
    assert!(store.lock().orders.is_empty() && store.lock().accounts.is_empty());
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

#[tokio::test]
async fn a_campaign_may_fall_back_while_the_stock_is_away() {
    let store = Store::default();
    let text = CAMPAIGN.replace("time_zone =", "when_stock_away = \"fallback\"\ntime_zone =");
    let campaign = Campaign::parse(&text).expect("a valid campaign");
    let (entrance, task, stop) = lane(store.clone(), Unreachable, campaign, metrics());
    let answer = entrance.submit(draw("a", "1")).expect("room").answer(PATIENCE).await;
    let order = one(&answer);
    assert_eq!((order.award.get(), order.stocked, order.ordinal), (101, false, 1));
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

#[tokio::test]
async fn units_of_a_past_epoch_are_not_issued() {
    let rig = rig(&[Fault::PersistFenced]);
    assert_eq!(rig.draw("a", "1").await, Err(DrawError::Refused(Refusal::StockAway)));
    assert_eq!(rig.picture().left, 3);
    rig.draw("a", "1").await.expect("the stock is rebuilt");
    rig.finish().await;
}
