//! Servers that have lost their units, or hold those of another cluster.
use std::sync::Arc;

use super::super::super::server::{Addition, Closing, Lost, Reset, Session, StockServer};
use super::super::super::{ClusterStock, RedisServer};
use super::super::{SPREAD, breakers, connect, connect_for, stock_up};
use super::{ONE, command, look, node, take};
use crate::grant::GrantId;
use crate::stock::Stock;
use crate::stock::conformance::{item, units};
use crate::stock::ids::{Epoch, ServerId};
use crate::store::ClusterId;
use crate::testing::Redis;

#[tokio::test]
async fn a_server_that_forgot_everything_or_half_of_it_is_lost() {
    for words in [
        &["FLUSHALL"][..],
        &["DEL", "test:stock"],
        &["DEL", "test:grants"],
        &["HSET", "test:grants", "epoch", "7"],
    ] {
        let redis = Redis::start().await;
        let stock = node(&redis).await;
        command(&redis, words).await;
        assert_eq!(look(&stock).await, Err(Lost), "{words:?}");
        let lane = stock.for_lane(0, 0, &breakers());
        assert!(
            lane.take(GrantId(1), &[units(1, 1)]).await.is_err(),
            "{words:?}"
        );
        stock_up(&stock.nodes()[0], 2, &[(item(1), 0, 4), (item(1), 1, 0)]).await;
        // It answered all the time, so its breaker is closed.
        let granted = lane
            .take(GrantId(2), &[units(1, 9)])
            .await
            .expect("it was rebuilt");
        assert_eq!(
            (granted.units(), granted.epochs[&ServerId(1)]),
            (vec![units(1, 4)], Epoch(2)),
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_not_trusted() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    let node = &stock.nodes()[0];
    node.trusted_session().await.expect("trusted");
    redis.kill();
    redis.restart().await;
    // Even if it had units again: they were not counted.
    let mut session = node.server.session().await;
    while session.is_err() {
        session = node.server.session().await;
    }
    let mut session = session.expect("it answers");
    // An earlier connection may still be in the pool. It is found dead and dropped.
    if session.reset(Epoch(1), &[(item(1), 0, 5)]).await.is_err() {
        drop(session);
        session = node.server.session().await.expect("it answers");
        session
            .reset(Epoch(1), &[(item(1), 0, 5)])
            .await
            .expect("it answers");
    }
    drop(session);
    assert!(node.trusted_session().await.is_err());
}

/// The same server, for another cluster with the same prefix.
fn of_another_cluster(redis: &Redis) -> Arc<ClusterStock<RedisServer>> {
    ClusterStock::new(vec![connect_for(1, ONE, redis, &ClusterId::draw())]).0
}

#[tokio::test]
async fn no_script_changes_units_of_another_cluster() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    let wants = [units(1, 1)];
    let mut session = stock.nodes()[0].trusted_session().await.expect("trusted");
    session
        .take(&take(9, &wants))
        .await
        .expect("it answers")
        .expect("it knows its units");
    let held = redis.command(&["HGETALL", "test:stock"]).await
        + &redis.command(&["HGETALL", "test:grants"]).await;
    let others = of_another_cluster(&redis);
    let mut session = others.nodes()[0]
        .server
        .session()
        .await
        .expect("it answers");
    for epoch in [0, 1, 2, 99] {
        let reset = session
            .reset(Epoch(epoch), &[(item(1), 0, 99)])
            .await
            .expect("it answers");
        let Reset::Stranger(stranger) = reset else {
            panic!("epoch {epoch}: {reset:?}")
        };
        assert!(
            stranger.0.contains("redis-cli DEL test:stock test:grants"),
            "{stranger}"
        );
        assert!(
            session
                .recognise(Some(Epoch(epoch)))
                .await
                .expect("it answers")
                .is_err(),
            "epoch {epoch}"
        );
    }
    assert_eq!(session.take(&take(10, &wants)).await, Ok(Err(Lost)));
    assert_eq!(
        session
            .close(&[Closing {
                grant: GrantId(9),
                used: Vec::new()
            }])
            .await,
        Ok(Err(Lost))
    );
    assert_eq!(session.look().await, Ok(Err(Lost)));
    let addition = Addition {
        operation: 1,
        epoch: Epoch(1),
        item: item(1),
        segments: vec![(0, 3)],
    };
    assert_eq!(session.add(&addition).await, Ok(Err(Lost)));
    assert_eq!(
        session.withdraw(2, Epoch(1), item(1), 7).await,
        Ok(Err(Lost))
    );
    let now = redis.command(&["HGETALL", "test:stock"]).await
        + &redis.command(&["HGETALL", "test:grants"]).await;
    assert_eq!(now, held);
    // One of the two keys is enough to belong to a cluster.
    command(&redis, &["DEL", "test:stock"]).await;
    assert!(matches!(
        session.reset(Epoch(99), &[]).await,
        Ok(Reset::Stranger(_))
    ));
    command(&redis, &["DEL", "test:grants"]).await;
    assert_eq!(session.reset(Epoch(1), &[]).await, Ok(Reset::Done), "freed");
    let found = stock.nodes()[0].recognise_now().await.expect("it answers");
    assert!(
        found.is_err(),
        "now the units are foreign to the first cluster"
    );
}

#[tokio::test]
async fn another_server_of_the_cluster_is_not_this_one() {
    let redis = Redis::start().await;
    let _ours = node(&redis).await;
    let second = connect(2, SPREAD, &redis);
    let mut session = second.session().await.expect("it answers");
    let stranger = session
        .recognise(Some(Epoch(1)))
        .await
        .expect("it answers")
        .expect_err("server 1");
    for part in [
        "expected units of stock server 2 of",
        "found units of stock server 1 of",
        "[[storage.redis]]",
    ] {
        assert!(stranger.0.contains(part), "{part}: {stranger}");
    }
    assert!(matches!(
        session.reset(Epoch(9), &[]).await,
        Ok(Reset::Stranger(_))
    ));
}

#[tokio::test]
async fn units_without_an_owner_are_adopted_only_as_registered() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    let mut session = stock.nodes()[0].trusted_session().await.expect("trusted");
    for key in ["test:stock", "test:grants"] {
        command(&redis, &["HDEL", key, "cluster"]).await;
    }
    for registered in [None, Some(Epoch(0)), Some(Epoch(2))] {
        let stranger = session
            .recognise(registered)
            .await
            .expect("it answers")
            .expect_err("not registered");
        assert!(stranger.0.contains("that name no owner"), "{stranger}");
    }
    assert_eq!(session.look().await, Ok(Err(Lost)));
    assert!(matches!(
        session.reset(Epoch(2), &[]).await,
        Ok(Reset::Stranger(_))
    ));
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    let found = session
        .look()
        .await
        .expect("it answers")
        .expect("it knows its units");
    assert_eq!((found.epoch, found.left[&(item(1), 0)]), (Epoch(1), 5));
    // Where one of the two keys was lost, the other decides. Where both were, any cluster may
    // begin.
    command(&redis, &["DEL", "test:stock"]).await;
    command(&redis, &["HDEL", "test:grants", "cluster"]).await;
    assert!(session.recognise(None).await.expect("it answers").is_err());
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    assert_eq!(
        session.reset(Epoch(2), &[(item(1), 0, 4)]).await,
        Ok(Reset::Done)
    );
    command(&redis, &["FLUSHALL"]).await;
    assert_eq!(session.recognise(None).await, Ok(Ok(())));
}

/// The version before named fields by a number alone. Such units are neither granted nor withdrawn:
/// they count as lost, so the server is rebuilt.
#[tokio::test]
async fn units_in_the_form_of_the_version_before_count_as_lost() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    command(
        &redis,
        &["HDEL", "test:stock", "form", "1:award:1:0", "1:award:1:1"],
    )
    .await;
    command(&redis, &["HSET", "test:stock", "1:1:0", "5", "1:1:1", "5"]).await;
    let mut session = stock.nodes()[0].trusted_session().await.expect("trusted");
    let wants = [units(1, 1)];
    assert_eq!(session.take(&take(1, &wants)).await, Ok(Err(Lost)));
    assert_eq!(session.look().await, Ok(Err(Lost)));
    let withdrawn = session.withdraw(1, Epoch(1), item(1), 5).await;
    assert_eq!(withdrawn, Ok(Err(Lost)));
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    let left = [(item(1), 0, 5), (item(1), 1, 4)];
    assert_eq!(session.reset(Epoch(2), &left).await, Ok(Reset::Done));
    let found = session.look().await.expect("it answers");
    let found = found.expect("it knows its units");
    assert_eq!(
        found.left,
        left.map(|(item, segment, units)| ((item, segment), units))
            .into()
    );
}
