//! What becomes of a server that forgets or stops. What each verb promises is in `servers.rs`.
use tokio::time::{Instant, sleep};

use super::*;
use crate::breaker::State;
use crate::stock::conformance::units;

const ONE: Spread = Spread { segments: 2, servers: 1 };

/// One server with 10 units of prize 1 under epoch 1.
async fn shelf(redis: &Redis) -> Arc<ClusterStock<RedisServer>> {
    let (stock, _closers) = ClusterStock::new(vec![connect(1, ONE, redis)]);
    stock_up(&stock.shelves()[0], 1, &[(prize(1), 0, 5), (prize(1), 1, 5)]).await;
    stock
}

async fn look(stock: &ClusterStock<RedisServer>) -> Result<Look, Lost> {
    stock.shelves()[0].server.session().await.expect("it answers").look().await.expect("it answers")
}

async fn command(redis: &Redis, words: &[&str]) {
    use bb8_redis::redis::{Client, Value, cmd};
    let client = Client::open(format!("redis://{}/", redis.address())).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    let _done: Value = command.query_async(&mut connection).await.expect("it obeys");
}

use super::super::server::{Look, Lost};

#[tokio::test]
async fn a_server_that_forgot_everything_or_half_of_it_is_lost() {
    for words in
        [&["FLUSHALL"][..], &["DEL", "test:stock"], &["DEL", "test:grants"], &["HSET", "test:grants", "epoch", "7"]]
    {
        let redis = Redis::start().await;
        let stock = shelf(&redis).await;
        command(&redis, words).await;
        assert_eq!(look(&stock).await, Err(Lost), "{words:?}");
        let lane = stock.for_lane(0, 0, &breakers());
        assert!(lane.take(GrantId(1), &[units(1, 1)]).await.is_err(), "{words:?}");
        stock_up(&stock.shelves()[0], 2, &[(prize(1), 0, 4)]).await;
        // It answered all the time: its breaker lets the next one in.
        let granted = lane.take(GrantId(2), &[units(1, 9)]).await.expect("it was rebuilt");
        assert_eq!((granted.units(), granted.epochs[&ServerId(1)]), (vec![units(1, 4)], Epoch(2)), "{words:?}");
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_not_trusted() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let shelf = &stock.shelves()[0];
    shelf.trusted_session().await.expect("trusted");
    redis.kill();
    redis.restart().await;
    // Even if it had the units again: nobody has counted them.
    let mut session = shelf.server.session().await;
    while session.is_err() {
        session = shelf.server.session().await;
    }
    let mut session = session.expect("it answers");
    // A connection of before may still be in the pool; it is found dead and dropped.
    if session.reset(Epoch(1), &[(prize(1), 0, 5)]).await.is_err() {
        drop(session);
        session = shelf.server.session().await.expect("it answers");
        session.reset(Epoch(1), &[(prize(1), 0, 5)]).await.expect("it answers");
    }
    drop(session);
    assert!(shelf.trusted_session().await.is_err());
}

#[tokio::test]
async fn a_paused_server_costs_a_few_time_outs_and_the_late_grant_is_seen() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let breakers = breakers();
    let lane = stock.for_lane(0, 0, &breakers);
    let state = || breakers.list()[0].state;
    lane.take(GrantId(1), &[units(1, 1)]).await.expect("it answers");
    redis.pause();
    for grant in 2..=4 {
        assert_eq!(state(), State::Closed);
        assert!(lane.take(GrantId(grant), &[units(1, 1)]).await.is_err());
    }
    assert_eq!(state(), State::Open);
    let begun = Instant::now();
    assert!(lane.take(GrantId(5), &[units(1, 1)]).await.is_err());
    assert!(begun.elapsed() < Duration::from_millis(100), "nobody waits any more");
    redis.resume();
    // It is asked again by itself, and only so.
    let mut grants = 6..;
    let mut take = async || lane.take(GrantId(grants.next().expect("a number")), &[units(1, 1)]).await;
    while state() != State::Closed {
        let _refused = take().await;
        sleep(Duration::from_millis(50)).await;
    }
    take().await.expect("it answers again");
    let open: Vec<u64> = look(&stock).await.expect("it knows its units").open.iter().map(|open| open.grant.0).collect();
    assert!(open.contains(&2), "the request that nobody waited for has landed: {open:?}");
    assert!(!open.contains(&5), "it was never asked for");
}
