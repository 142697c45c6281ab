//! What lanes get while servers hang, connections end, or units were not delivered yet.
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::super::server::{Addition, Session};
use super::super::super::{ClusterStock, RedisServer, Spread};
use super::super::{breakers, connect, stock_up};
use super::{command, left_and_open, look, node};
use crate::breaker::BreakerState;
use crate::grant::GrantId;
use crate::stock::conformance::{item, units};
use crate::stock::ids::Epoch;
use crate::stock::{Stock, StockUnavailable};
use crate::testing::Redis;

#[tokio::test]
async fn a_paused_server_costs_a_few_timeouts_and_the_late_grant_is_found() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    let breakers = breakers();
    let lane = stock.for_lane(0, 0, &breakers);
    let state = || breakers.list()[0].state;
    lane.take(GrantId(1), &[units(1, 1)])
        .await
        .expect("it answers");
    redis.pause();
    for grant in 2..=4 {
        assert_eq!(state(), BreakerState::Closed);
        assert!(lane.take(GrantId(grant), &[units(1, 1)]).await.is_err());
    }
    assert_eq!(state(), BreakerState::Open);
    let begun = Instant::now();
    assert!(lane.take(GrantId(5), &[units(1, 1)]).await.is_err());
    assert!(
        begun.elapsed() < Duration::from_millis(100),
        "calls do not wait any more"
    );
    redis.resume();
    // The breaker lets calls in again by itself.
    let mut grants = 6..;
    let mut take = async || {
        lane.take(GrantId(grants.next().expect("a number")), &[units(1, 1)])
            .await
    };
    while state() != BreakerState::Closed {
        let _refused = take().await;
        sleep(Duration::from_millis(50)).await;
    }
    take().await.expect("it answers again");
    let open: Vec<u64> = look(&stock)
        .await
        .expect("it knows its units")
        .open
        .iter()
        .map(|open| open.grant.0)
        .collect();
    assert!(
        open.contains(&2),
        "the request that timed out has arrived: {open:?}"
    );
    assert!(!open.contains(&5), "it was never sent");
}

#[tokio::test]
async fn undelivered_units_are_not_sold_out() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    command(&redis, &["HDEL", "test:stock", "1:award:1:1"]).await;
    let lane = stock.for_lane(0, 0, &breakers());
    assert_eq!(
        lane.take(GrantId(1), &[units(1, 6)]).await,
        Err(StockUnavailable::Undelivered(vec![item(1)]))
    );
    let mut session = stock.nodes()[0].trusted_session().await.expect("trusted");
    let seen = look(&stock).await.expect("it knows its units");
    assert_eq!(
        (seen.left[&(item(1), 0)], seen.open.len()),
        (5, 0),
        "nothing was taken"
    );
    let few = lane
        .take(GrantId(2), &[units(1, 5)])
        .await
        .expect("this many are delivered");
    assert_eq!(few.units(), [units(1, 5)]);
    // The delivery says that there are no more units.
    let addition = Addition {
        operation: 1,
        epoch: Epoch(1),
        item: item(1),
        segments: vec![(0, 0), (1, 0)],
    };
    assert_eq!(session.add(&addition).await, Ok(Ok(Epoch(1))));
    assert_eq!(
        lane.take(GrantId(3), &[units(1, 6)])
            .await
            .expect("it is sold out")
            .units(),
        []
    );
}

/// Two servers with five units of item 1 on each. The second may not have got its share.
async fn two_servers(delivered: bool) -> (Arc<ClusterStock<RedisServer>>, [Redis; 2]) {
    let servers = [Redis::start().await, Redis::start().await];
    let spread = Spread {
        segments: 2,
        servers: 2,
    };
    let (stock, _closers) = ClusterStock::new(vec![
        connect(1, spread, &servers[0]),
        connect(2, spread, &servers[1]),
    ]);
    stock_up(&stock.nodes()[0], 1, &[(item(1), 0, 5)]).await;
    let second = [(item(1), 1, 5)];
    stock_up(&stock.nodes()[1], 1, if delivered { &second } else { &[] }).await;
    (stock, servers)
}

#[tokio::test]
async fn undelivered_units_of_one_prize_do_not_hide_another() {
    const TWO: Spread = Spread {
        segments: 2,
        servers: 2,
    };
    let (one, two) = (Redis::start().await, Redis::start().await);
    let (stock, _closers) = ClusterStock::new(vec![connect(1, TWO, &one), connect(2, TWO, &two)]);
    stock_up(&stock.nodes()[0], 1, &[(item(2), 0, 5)]).await;
    stock_up(&stock.nodes()[1], 1, &[(item(1), 1, 5), (item(2), 1, 0)]).await;
    // The first server has not got its share of one item, the second has none left of the other.
    let lane = stock.for_lane(0, 0, &breakers());
    let granted = lane
        .take(GrantId(1), &[units(1, 1), units(2, 2)])
        .await
        .expect("all is there");
    assert_eq!(granted.units(), [units(1, 1), units(2, 2)]);
}

#[tokio::test]
async fn units_of_a_failed_take_are_back_before_the_batch_asks_again() {
    let (stock, _servers) = two_servers(false).await;
    let lane = stock.for_lane(0, 0, &breakers());
    assert_eq!(
        lane.take(GrantId(1), &[units(1, 7)]).await,
        Err(StockUnavailable::Undelivered(vec![item(1)]))
    );
    assert_eq!(left_and_open(&stock, 0).await, (5, 0));
    let (stock, servers) = two_servers(true).await;
    let lane = stock.for_lane(0, 0, &breakers());
    lane.take(GrantId(1), &[units(1, 7)])
        .await
        .map(|granted| lane.give_back(GrantId(1), &granted))
        .expect("it answers");
    while (
        left_and_open(&stock, 0).await,
        left_and_open(&stock, 1).await,
    ) != ((5, 0), (5, 0))
    {
        sleep(Duration::from_millis(5)).await;
    }
    command(&servers[1], &["CLIENT", "KILL", "TYPE", "normal"]).await;
    let cut_off = lane.take(GrantId(2), &[units(1, 7)]).await;
    assert!(
        matches!(cut_off, Err(StockUnavailable::EndedAtOnce(_))),
        "{cut_off:?}"
    );
    assert_eq!(
        lane.take(GrantId(3), &[units(1, 10)])
            .await
            .expect("all is there")
            .units(),
        [units(1, 10)]
    );
}

#[tokio::test]
async fn connections_that_end_while_idle_do_not_count_against_the_server() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    stock_up(
        &stock.nodes()[0],
        2,
        &[(item(1), 0, 500), (item(1), 1, 500)],
    )
    .await;
    let breakers = breakers();
    let lanes: Vec<_> = (0..8)
        .map(|lane| stock.for_lane(0, lane, &breakers))
        .collect();
    let mut grants = 1..;
    let mut take_all = async || {
        let takes = lanes
            .iter()
            .map(|lane| (lane, GrantId(grants.next().expect("a number"))));
        futures_util::future::join_all(
            takes.map(|(lane, grant)| async move { lane.take(grant, &[units(1, 1)]).await }),
        )
        .await
    };
    for words in [
        &["CLIENT", "KILL", "TYPE", "normal"][..],
        &["SCRIPT", "FLUSH", "SYNC"],
    ] {
        take_all().await;
        command(&redis, words).await;
        let at_once = take_all().await;
        assert!(
            at_once
                .iter()
                .all(|taken| !matches!(taken, Err(StockUnavailable::Unavailable(_)))),
            "{words:?}: {at_once:?}"
        );
        assert!(
            take_all().await.iter().all(Result::is_ok),
            "{words:?}: new connections are made"
        );
        assert_eq!(breakers.list()[0].state, BreakerState::Closed, "{words:?}");
    }
}

#[tokio::test]
async fn idle_connections_are_not_used_for_long() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    let lane = stock.for_lane(0, 0, &breakers());
    lane.take(GrantId(1), &[units(1, 1)])
        .await
        .expect("it answers");
    sleep(Duration::from_millis(5_100)).await;
    command(&redis, &["CLIENT", "KILL", "TYPE", "normal"]).await;
    lane.take(GrantId(2), &[units(1, 1)])
        .await
        .expect("the dead connection is not used");
}
