//! What the scripts promise, verb by verb, and what becomes of a server that forgets or stops.
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

fn take(grant: u64, wants: &[Units]) -> Asking<'_> {
    Asking { grant: GrantId(grant), shard: 3, place: 1, wants }
}

use super::super::server::{Addition, Closing, Look, Lost};

#[tokio::test]
async fn a_grant_is_noted_with_its_shard_and_its_parts() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    let wants = [units(1, 7)];
    let (epoch, parts) = session.take(&take(9, &wants)).await.expect("it answers").expect("it knows its units");
    assert_eq!(epoch, Epoch(1));
    let taken: Vec<(u16, u32)> = parts.iter().map(|part| (part.segment, part.count)).collect();
    assert_eq!(taken, [(1, 5), (0, 2)], "from its own segment first, then the next");
    let look = look(&stock).await.expect("it knows its units");
    assert_eq!((look.open.len(), look.open[0].grant, look.open[0].shard), (1, GrantId(9), 3));
    assert_eq!(look.open[0].parts, parts);
    assert_eq!(look.left[&(prize(1), 0)], 3);
}

#[tokio::test]
async fn a_grant_id_is_never_used_again() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    let wants = [units(1, 1)];
    session.take(&take(9, &wants)).await.expect("it answers").expect("it knows its units");
    assert!(session.take(&take(9, &wants)).await.is_err());
    assert_eq!(look(&stock).await.expect("it knows its units").open.len(), 1);
}

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
async fn an_epoch_begins_once() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    let wants = [units(1, 1)];
    session.take(&take(9, &wants)).await.expect("it answers").expect("it knows its units");
    for epoch in [0, 1] {
        assert_eq!(session.reset(Epoch(epoch), &[(prize(1), 0, 99)]).await, Ok(Reset::Ahead(Epoch(1))));
        assert_eq!(look(&stock).await.expect("it knows its units").open.len(), 1, "epoch {epoch} changes nothing");
    }
    assert_eq!(session.reset(Epoch(2), &[(prize(1), 0, 99)]).await, Ok(Reset::Done));
    let look = look(&stock).await.expect("it knows its units");
    assert_eq!((look.epoch, look.open.len(), look.left[&(prize(1), 0)]), (Epoch(2), 0, 99));
}

/// The same server, as another cluster of the same prefix reaches it.
fn of_another_cluster(redis: &Redis) -> Arc<ClusterStock<RedisServer>> {
    ClusterStock::new(vec![connect_for(1, ONE, redis, &ClusterId::draw())]).0
}

#[tokio::test]
async fn no_script_touches_what_is_another_clusters() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let wants = [units(1, 1)];
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    session.take(&take(9, &wants)).await.expect("it answers").expect("it knows its units");
    let held = redis.command(&["HGETALL", "test:stock"]).await + &redis.command(&["HGETALL", "test:grants"]).await;
    let others = of_another_cluster(&redis);
    let mut session = others.shelves()[0].server.session().await.expect("it answers");
    for epoch in [0, 1, 2, 99] {
        let reset = session.reset(Epoch(epoch), &[(prize(1), 0, 99)]).await.expect("it answers");
        let Reset::Stranger(stranger) = reset else { panic!("epoch {epoch}: {reset:?}") };
        assert!(stranger.0.contains("redis-cli DEL test:stock test:grants"), "{stranger}");
        assert!(session.recognise(Some(Epoch(epoch))).await.expect("it answers").is_err(), "epoch {epoch}");
    }
    assert_eq!(session.take(&take(10, &wants)).await, Ok(Err(Lost)));
    assert_eq!(session.close(&[Closing { grant: GrantId(9), used: Vec::new() }]).await, Ok(Err(Lost)));
    assert_eq!(session.look().await, Ok(Err(Lost)));
    let addition = Addition { operation: 1, epoch: Epoch(1), prize: prize(1), segments: vec![(0, 3)] };
    assert_eq!(session.add(&addition).await, Ok(Err(Lost)));
    assert_eq!(session.withdraw(2, Epoch(1), prize(1), 7).await, Ok(Err(Lost)));
    let now = redis.command(&["HGETALL", "test:stock"]).await + &redis.command(&["HGETALL", "test:grants"]).await;
    assert_eq!(now, held);
    // Half of it is as much somebody's as all of it.
    command(&redis, &["DEL", "test:stock"]).await;
    assert!(matches!(session.reset(Epoch(99), &[]).await, Ok(Reset::Stranger(_))));
    command(&redis, &["DEL", "test:grants"]).await;
    assert_eq!(session.reset(Epoch(1), &[]).await, Ok(Reset::Done), "freed");
    let found = stock.shelves()[0].recognise_now().await.expect("it answers");
    assert!(found.is_err(), "and now it is the other way round");
}

#[tokio::test]
async fn another_server_of_the_cluster_is_not_this_one() {
    let redis = Redis::start().await;
    let _ours = shelf(&redis).await;
    let second = connect(2, SPREAD, &redis);
    let mut session = second.session().await.expect("it answers");
    let stranger = session.recognise(Some(Epoch(1))).await.expect("it answers").expect_err("server 1");
    for hint in ["expected units of stock server 2 of", "found units of stock server 1 of", "[[storage.redis]]"] {
        assert!(stranger.0.contains(hint), "{hint}: {stranger}");
    }
    assert!(matches!(session.reset(Epoch(9), &[]).await, Ok(Reset::Stranger(_))));
}

#[tokio::test]
async fn units_that_do_not_say_whose_they_are_are_taken_over_as_registered_only() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    for key in ["test:stock", "test:grants"] {
        command(&redis, &["HDEL", key, "cluster"]).await;
    }
    for registered in [None, Some(Epoch(0)), Some(Epoch(2))] {
        let stranger = session.recognise(registered).await.expect("it answers").expect_err("not registered");
        assert!(stranger.0.contains("that do not say whose they are"), "{stranger}");
    }
    assert_eq!(session.look().await, Ok(Err(Lost)));
    assert!(matches!(session.reset(Epoch(2), &[]).await, Ok(Reset::Stranger(_))));
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    let look = session.look().await.expect("it answers").expect("it knows its units");
    assert_eq!((look.epoch, look.left[&(prize(1), 0)]), (Epoch(1), 5));
    // Where one of the two was lost, the other one decides; where both were, there is nothing to decide.
    command(&redis, &["DEL", "test:stock"]).await;
    command(&redis, &["HDEL", "test:grants", "cluster"]).await;
    assert!(session.recognise(None).await.expect("it answers").is_err());
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    assert_eq!(session.reset(Epoch(2), &[(prize(1), 0, 4)]).await, Ok(Reset::Done));
    command(&redis, &["FLUSHALL"]).await;
    assert_eq!(session.recognise(None).await, Ok(Ok(())));
}

#[tokio::test]
async fn an_addition_counts_once_and_in_its_epoch_only() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    let addition =
        |operation, epoch| Addition { operation, epoch: Epoch(epoch), prize: prize(1), segments: vec![(0, 3), (1, 2)] };
    for addition in [addition(1, 1), addition(1, 1), addition(2, 0), addition(3, 2)] {
        assert_eq!(session.add(&addition).await, Ok(Ok(Epoch(1))));
    }
    let look = look(&stock).await.expect("it knows its units");
    assert_eq!((look.left[&(prize(1), 0)], look.left[&(prize(1), 1)]), (8, 7));
}

#[tokio::test]
async fn a_withdrawal_takes_what_is_left_and_says_the_same_again() {
    let redis = Redis::start().await;
    let stock = shelf(&redis).await;
    let mut session = stock.shelves()[0].trusted_session().await.expect("trusted");
    for _ in 0..2 {
        assert_eq!(session.withdraw(1, Epoch(1), prize(1), 7).await, Ok(Ok((Epoch(1), vec![(0, 5), (1, 2)]))));
    }
    assert_eq!(session.withdraw(2, Epoch(1), prize(1), 7).await, Ok(Ok((Epoch(1), vec![(1, 3)]))));
    assert_eq!(session.withdraw(3, Epoch(1), prize(1), 7).await, Ok(Ok((Epoch(1), vec![]))));
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
