//! What every stock must do: one suite, which runs over memory, over Redis and over the servers of
//! the simulation.
use std::sync::Arc;
use std::time::Duration;

use market::batch::{StockItem, Units};
use market::{ActivityId, AwardId, SkuId};
use tokio::time::{Instant, sleep};

use super::cluster::tests::RedisStock;
use super::{Granted, MemoryStock, Stock, StockUnavailable};
use crate::grant::GrantId;

/// A stock of one item that the suite tests.
pub(crate) trait StockFixture {
    type Stock: Stock;

    /// Opens a stock of this many units of item 1.
    async fn open(units: u64) -> Self;
    /// The stock, as one of several lanes takes from it.
    fn lane(&self, lane: u16) -> Self::Stock;
    /// Units left and under open grants.
    async fn count(&self) -> (u64, u64);
}

pub(crate) fn item(award: u64) -> StockItem {
    StockItem::award(
        ActivityId::new(1).expect("id"),
        AwardId::new(award).expect("id"),
    )
}

/// The sku with the number of an award.
pub(crate) fn sku_item(sku: u64) -> StockItem {
    StockItem::sku(item(1).activity, SkuId::new(sku).expect("id"))
}

pub(crate) fn units(award: u64, count: u32) -> Units {
    Units {
        item: item(award),
        count,
    }
}

fn count(granted: &Granted) -> u32 {
    granted.units().iter().map(|units| units.count).sum()
}

/// Waits for these units left and open: grants are closed in the background.
async fn becomes(fixture: &impl StockFixture, expected: (u64, u64)) {
    let begun = Instant::now();
    while fixture.count().await != expected {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?} are left and open, not {expected:?}",
            fixture.count().await
        );
        sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn grants_never_exceed_what_is_left<S: StockFixture>() {
    let fixture = S::open(10).await;
    let stock = fixture.lane(0);
    let first = stock
        .take(GrantId(1), &[units(1, 7)])
        .await
        .expect("the stock answers");
    assert_eq!(first.units(), [units(1, 7)]);
    let second = stock
        .take(GrantId(2), &[units(1, 7)])
        .await
        .expect("the stock answers");
    assert_eq!(count(&second), 3);
    assert_eq!(fixture.count().await, (0, 10));
}

pub(crate) async fn lanes_that_take_at_once_share_what_there_is<S: StockFixture>() {
    let fixture = S::open(100).await;
    let takes = (0..20_u16).map(|lane| {
        let stock = fixture.lane(lane);
        async move {
            stock
                .take(GrantId(u64::from(lane) + 1), &[units(1, 7)])
                .await
                .expect("the stock answers")
        }
    });
    let granted = futures_util::future::join_all(takes).await;
    assert_eq!(granted.iter().map(count).sum::<u32>(), 100);
    assert_eq!(fixture.count().await, (0, 100));
}

pub(crate) async fn a_settled_grant_keeps_what_was_used<S: StockFixture>() {
    let fixture = S::open(10).await;
    let stock = fixture.lane(0);
    let granted = stock
        .take(GrantId(1), &[units(1, 6)])
        .await
        .expect("the stock answers");
    let used = granted.used(&[units(1, 4)]);
    assert_eq!(used.iter().map(|part| part.count).sum::<u32>(), 4);
    stock.settle(GrantId(1), &granted, &used);
    becomes(&fixture, (6, 0)).await;
}

pub(crate) async fn a_grant_is_closed_once<S: StockFixture>() {
    let fixture = S::open(10).await;
    let stock = fixture.lane(0);
    let first = stock
        .take(GrantId(1), &[units(1, 6)])
        .await
        .expect("the stock answers");
    let second = stock
        .take(GrantId(2), &[units(1, 1)])
        .await
        .expect("the stock answers");
    stock.give_back(GrantId(1), &first);
    stock.give_back(GrantId(1), &first);
    stock.settle(GrantId(1), &first, &first.parts);
    stock.settle(GrantId(2), &second, &second.parts);
    stock.give_back(GrantId(2), &second);
    becomes(&fixture, (9, 0)).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(fixture.count().await, (9, 0));
}

pub(crate) async fn what_comes_back_can_be_taken_again<S: StockFixture>() {
    let fixture = S::open(5).await;
    let stock = fixture.lane(0);
    let all = stock
        .take(GrantId(1), &[units(1, 5)])
        .await
        .expect("the stock answers");
    let none = stock
        .take(GrantId(2), &[units(1, 1)])
        .await
        .expect("the stock answers");
    assert_eq!(count(&none), 0, "sold out");
    stock.give_back(GrantId(1), &all);
    becomes(&fixture, (5, 0)).await;
    let again = stock
        .take(GrantId(3), &[units(1, 5)])
        .await
        .expect("the stock answers");
    assert_eq!(count(&again), 5);
}

pub(crate) async fn a_prize_without_its_delivery_is_not_sold_out<S: StockFixture>() {
    let fixture = S::open(10).await;
    let stock = fixture.lane(0);
    for grant in 1..=2 {
        let taken = stock
            .take(GrantId(grant), &[units(1, 7), units(2, 5)])
            .await;
        assert_eq!(taken, Err(StockUnavailable::Undelivered(vec![item(2)])));
        assert_eq!(
            fixture.count().await,
            (10, 0),
            "nothing was taken of any prize"
        );
    }
    let rest = stock
        .take(GrantId(3), &[units(1, 11)])
        .await
        .expect("the stock answers");
    assert_eq!(count(&rest), 10);
    let none = stock
        .take(GrantId(4), &[units(1, 1)])
        .await
        .expect("sold out is not undelivered");
    assert_eq!(count(&none), 0);
}

pub(crate) async fn a_sku_is_not_the_award_with_its_number<S: StockFixture>() {
    let fixture = S::open(10).await;
    let stock = fixture.lane(0);
    let sku = Units {
        item: sku_item(1),
        count: 1,
    };
    let taken = stock.take(GrantId(1), &[units(1, 1), sku]).await;
    assert_eq!(taken, Err(StockUnavailable::Undelivered(vec![sku.item])));
    assert_eq!(fixture.count().await, (10, 0));
}

/// A stock in memory, shared by all lanes.
struct Memory(Arc<MemoryStock>);

impl StockFixture for Memory {
    type Stock = Arc<MemoryStock>;

    async fn open(units: u64) -> Self {
        let stock = MemoryStock::default();
        stock.set_total(item(1), units);
        Self(Arc::new(stock))
    }

    fn lane(&self, _lane: u16) -> Arc<MemoryStock> {
        self.0.clone()
    }

    async fn count(&self) -> (u64, u64) {
        let snapshots = self.0.snapshots();
        let snapshot = snapshots
            .iter()
            .find(|snapshot| snapshot.item == item(1))
            .expect("it was stocked");
        (snapshot.left, snapshot.open)
    }
}

/// The suite over one kind of stock.
macro_rules! stock_suite {
    ($fixture:ty, $test:meta) => {
        $crate::stock::conformance::stock_suite!($fixture, $test:
            grants_never_exceed_what_is_left,
            lanes_that_take_at_once_share_what_there_is,
            a_settled_grant_keeps_what_was_used,
            a_grant_is_closed_once,
            what_comes_back_can_be_taken_again,
            a_prize_without_its_delivery_is_not_sold_out,
            a_sku_is_not_the_award_with_its_number,
        );
    };
    ($fixture:ty, $test:meta: $($name:ident),* $(,)?) => {
        $(
            #[$test]
            async fn $name() {
                $crate::stock::conformance::$name::<$fixture>().await;
            }
        )*
    };
}
pub(crate) use stock_suite;

mod over_memory {
    super::stock_suite!(super::Memory, tokio::test);
}

mod over_redis {
    super::stock_suite!(super::RedisStock, tokio::test);
}
