//! Stocks that fail, or that are being rebuilt.
use market::batch::Units;

use super::*;
use crate::stock::{Epoch, Granted, Part, ServerId, StockUnavailable};

/// A stock that cannot be reached.
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
    let campaign = parsed(&file());
    let (entrance, task, stop) = lane(store.clone(), Unreachable, campaign, metrics());
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(TIMEOUTS)
        .await;
    assert_eq!(
        answer,
        Err(CommandError::Refused(Refusal::StockUnavailable))
    );
    assert!(store.lock().calls.is_empty() && store.lock().accounts.is_empty());
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

#[tokio::test]
async fn a_campaign_may_fall_back_while_the_stock_is_unavailable() {
    let store = Store::default();
    let campaign = parsed(&file().falling_back());
    let (entrance, task, stop) = lane(store.clone(), Unreachable, campaign, metrics());
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(TIMEOUTS)
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
    campaign: &CampaignFile,
    failures: &[StockUnavailable],
) -> (Result<Made, CommandError>, usize) {
    let (store, stock, grants) = (
        Store::default(),
        Arc::new(MemoryStock::default()),
        Arc::default(),
    );
    stock.set_total(item(), 3);
    let failures = Mutex::new(failures.iter().rev().cloned().collect());
    let shaky = Shaky {
        stock: stock.clone(),
        failures,
        grants: Arc::clone(&grants),
    };
    let campaign = parsed(campaign);
    let (entrance, task, stop) = lane(store.clone(), shaky, campaign, metrics());
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(TIMEOUTS)
        .await;
    stop.send_replace(true);
    task.await.expect("the lane ends");
    let grants = grants.lock().expect("nothing panics here").clone();
    let different: std::collections::BTreeSet<_> = grants.iter().collect();
    assert_eq!(different.len(), grants.len(), "a grant id was used twice");
    let stocked = store.lock().orders().filter(|order| order.stocked).count() as u64;
    let Snapshot { left, open, .. } = stock.snapshots()[0];
    assert_eq!((left, open), (3 - stocked, 0));
    (answer, grants.len())
}

#[tokio::test]
async fn an_asking_that_ended_at_once_is_repeated_once_under_another_grant() {
    let ended = || StockUnavailable::EndedAtOnce("planted".to_owned());
    let (answer, asked) = draw_shaky(&file(), &[ended()]).await;
    assert!(one(&answer).stocked, "{answer:?}");
    assert_eq!(asked, 2);
    let refused = Err(CommandError::Refused(Refusal::StockUnavailable));
    assert_eq!(
        draw_shaky(&file(), &[ended(), ended()]).await,
        (refused.clone(), 2)
    );
    assert_eq!(
        draw_shaky(
            &file(),
            &[StockUnavailable::Unavailable("planted".to_owned())]
        )
        .await,
        (refused, 1)
    );
}

#[tokio::test]
async fn a_prize_whose_units_are_on_their_way_is_no_consolation() {
    let undelivered = [StockUnavailable::Undelivered(vec![item()])];
    let (answer, asked) = draw_shaky(&file(), &undelivered).await;
    assert_eq!(
        (answer, asked),
        (Err(CommandError::Refused(Refusal::StockUnavailable)), 1)
    );
    let falls_back = file().falling_back();
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
    use crate::testing::{Redis, TestRedis, redis_command};
    let (redis, breakers) = (Redis::start().await, breakers());
    let (stock, _closers) = ClusterStock::new(vec![connect(
        1,
        Spread {
            segments: 1,
            servers: 1,
        },
        &redis,
    )]);
    stock_up(&stock.nodes()[0], 1, &[(item(), 0, 1_000)]).await;
    let campaign = parsed(&file());
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
            .answer(TIMEOUTS)
            .await;
        assert!(one(&answer).stocked, "round {round}: {answer:?}");
        let words: &[&str] = if round % 2 == 0 {
            &["CLIENT", "KILL", "TYPE", "normal"]
        } else {
            &["SCRIPT", "FLUSH"]
        };
        redis_command(&redis.options(), words).await;
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

/// A stock on a server that has all units that are wanted.
struct Plenty;

impl Stock for Plenty {
    async fn take(&self, _: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        let server = ServerId(1);
        let part = |units: &Units| Part {
            server,
            item: units.item,
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
    let campaign = parsed(&file());
    let (entrance, task, stop) = lane(store.clone(), Plenty, campaign, metrics());
    let began = Instant::now();
    let answer = entrance
        .submit(draw("a", "1"))
        .expect("room")
        .answer(TIMEOUTS)
        .await;
    assert_eq!(
        answer,
        Err(CommandError::Refused(Refusal::StockUnavailable))
    );
    assert_eq!(began.elapsed(), LOCK_WAIT);
    stop.send_replace(true);
    task.await.expect("the lane ends");
}
