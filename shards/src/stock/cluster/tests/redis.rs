//! What becomes of a server that forgets or stops. What each verb promises is in `servers.rs`.
use tokio::time::{Instant, sleep};

use super::*;
use crate::breaker::BreakerState;
use crate::stock::conformance::units;
use crate::store::{ClusterId, Tls};
use crate::testing::{Mariadb, make_documented_user, order};

const ONE: Spread = Spread {
    segments: 2,
    servers: 1,
};

/// One server with 10 units of prize 1 under epoch 1.
async fn node(redis: &Redis) -> Arc<ClusterStock<RedisServer>> {
    let (stock, _closers) = ClusterStock::new(vec![connect(1, ONE, redis)]);
    stock_up(&stock.nodes()[0], 1, &[(prize(1), 0, 5), (prize(1), 1, 5)]).await;
    stock
}

async fn look(stock: &ClusterStock<RedisServer>) -> Result<Look, Lost> {
    stock.nodes()[0]
        .server
        .session()
        .await
        .expect("it answers")
        .look()
        .await
        .expect("it answers")
}

async fn command(redis: &Redis, words: &[&str]) {
    order(&redis.options(), words).await;
}

fn take(grant: u64, wants: &[Units]) -> Asking<'_> {
    Asking {
        grant: GrantId(grant),
        shard: 3,
        place: 1,
        wants,
    }
}

use super::super::server::{Addition, Closing, Look, Lost};

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
        stock_up(&stock.nodes()[0], 2, &[(prize(1), 0, 4), (prize(1), 1, 0)]).await;
        // It answered all the time: its breaker lets the next one in.
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
    // Even if it had the units again: nobody has counted them.
    let mut session = node.server.session().await;
    while session.is_err() {
        session = node.server.session().await;
    }
    let mut session = session.expect("it answers");
    // A connection of before may still be in the pool; it is found dead and dropped.
    if session.reset(Epoch(1), &[(prize(1), 0, 5)]).await.is_err() {
        drop(session);
        session = node.server.session().await.expect("it answers");
        session
            .reset(Epoch(1), &[(prize(1), 0, 5)])
            .await
            .expect("it answers");
    }
    drop(session);
    assert!(node.trusted_session().await.is_err());
}

/// The same server, as another cluster of the same prefix reaches it.
fn of_another_cluster(redis: &Redis) -> Arc<ClusterStock<RedisServer>> {
    ClusterStock::new(vec![connect_for(1, ONE, redis, &ClusterId::draw())]).0
}

#[tokio::test]
async fn no_script_touches_what_is_another_clusters() {
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
            .reset(Epoch(epoch), &[(prize(1), 0, 99)])
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
        prize: prize(1),
        segments: vec![(0, 3)],
    };
    assert_eq!(session.add(&addition).await, Ok(Err(Lost)));
    assert_eq!(
        session.withdraw(2, Epoch(1), prize(1), 7).await,
        Ok(Err(Lost))
    );
    let now = redis.command(&["HGETALL", "test:stock"]).await
        + &redis.command(&["HGETALL", "test:grants"]).await;
    assert_eq!(now, held);
    // Half of it is as much somebody's as all of it.
    command(&redis, &["DEL", "test:stock"]).await;
    assert!(matches!(
        session.reset(Epoch(99), &[]).await,
        Ok(Reset::Stranger(_))
    ));
    command(&redis, &["DEL", "test:grants"]).await;
    assert_eq!(session.reset(Epoch(1), &[]).await, Ok(Reset::Done), "freed");
    let found = stock.nodes()[0].recognise_now().await.expect("it answers");
    assert!(found.is_err(), "and now it is the other way round");
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
    for notification in [
        "expected units of stock server 2 of",
        "found units of stock server 1 of",
        "[[storage.redis]]",
    ] {
        assert!(
            stranger.0.contains(notification),
            "{notification}: {stranger}"
        );
    }
    assert!(matches!(
        session.reset(Epoch(9), &[]).await,
        Ok(Reset::Stranger(_))
    ));
}

#[tokio::test]
async fn units_that_do_not_say_whose_they_are_are_taken_over_as_registered_only() {
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
        assert!(
            stranger.0.contains("that do not say whose they are"),
            "{stranger}"
        );
    }
    assert_eq!(session.look().await, Ok(Err(Lost)));
    assert!(matches!(
        session.reset(Epoch(2), &[]).await,
        Ok(Reset::Stranger(_))
    ));
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    let look = session
        .look()
        .await
        .expect("it answers")
        .expect("it knows its units");
    assert_eq!((look.epoch, look.left[&(prize(1), 0)]), (Epoch(1), 5));
    // Where one of the two was lost, the other one decides; where both were, there is nothing to
    // decide.
    command(&redis, &["DEL", "test:stock"]).await;
    command(&redis, &["HDEL", "test:grants", "cluster"]).await;
    assert!(session.recognise(None).await.expect("it answers").is_err());
    assert_eq!(session.recognise(Some(Epoch(1))).await, Ok(Ok(())));
    assert_eq!(
        session.reset(Epoch(2), &[(prize(1), 0, 4)]).await,
        Ok(Reset::Done)
    );
    command(&redis, &["FLUSHALL"]).await;
    assert_eq!(session.recognise(None).await, Ok(Ok(())));
}

#[tokio::test]
async fn a_paused_server_costs_a_few_time_outs_and_the_late_grant_is_seen() {
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
        "nobody waits any more"
    );
    redis.resume();
    // It is asked again by itself, and only so.
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
        "the request that nobody waited for has landed: {open:?}"
    );
    assert!(!open.contains(&5), "it was never asked for");
}

#[tokio::test]
async fn units_that_are_on_their_way_are_not_none() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    command(&redis, &["HDEL", "test:stock", "1:1:1"]).await;
    let lane = stock.for_lane(0, 0, &breakers());
    assert_eq!(
        lane.take(GrantId(1), &[units(1, 6)]).await,
        Err(StockUnavailable::Undelivered(vec![prize(1)]))
    );
    let mut session = stock.nodes()[0].trusted_session().await.expect("trusted");
    let seen = look(&stock).await.expect("it knows its units");
    assert_eq!(
        (seen.left[&(prize(1), 0)], seen.open.len()),
        (5, 0),
        "nothing was taken"
    );
    let few = lane
        .take(GrantId(2), &[units(1, 5)])
        .await
        .expect("so many are there");
    assert_eq!(few.units(), [units(1, 5)]);
    // The delivery brings the word that there is no more.
    let addition = Addition {
        operation: 1,
        epoch: Epoch(1),
        prize: prize(1),
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

/// Two servers with five units of prize 1 on each; the second may lack its share.
async fn rack(delivered: bool) -> (Arc<ClusterStock<RedisServer>>, [Redis; 2]) {
    let servers = [Redis::start().await, Redis::start().await];
    let spread = Spread {
        segments: 2,
        servers: 2,
    };
    let (stock, _closers) = ClusterStock::new(vec![
        connect(1, spread, &servers[0]),
        connect(2, spread, &servers[1]),
    ]);
    stock_up(&stock.nodes()[0], 1, &[(prize(1), 0, 5)]).await;
    let second = [(prize(1), 1, 5)];
    stock_up(&stock.nodes()[1], 1, if delivered { &second } else { &[] }).await;
    (stock, servers)
}

async fn at(stock: &ClusterStock<RedisServer>, node: usize) -> (u64, usize) {
    let mut session = stock.nodes()[node]
        .trusted_session()
        .await
        .expect("trusted");
    let look = session
        .look()
        .await
        .expect("it answers")
        .expect("it knows its units");
    (look.left.values().sum(), look.open.len())
}

#[tokio::test]
async fn what_is_on_its_way_of_one_prize_does_not_hide_another() {
    const TWO: Spread = Spread {
        segments: 2,
        servers: 2,
    };
    let (one, two) = (Redis::start().await, Redis::start().await);
    let (stock, _closers) = ClusterStock::new(vec![connect(1, TWO, &one), connect(2, TWO, &two)]);
    stock_up(&stock.nodes()[0], 1, &[(prize(2), 0, 5)]).await;
    stock_up(&stock.nodes()[1], 1, &[(prize(1), 1, 5), (prize(2), 1, 0)]).await;
    // The first server lacks its share of the one prize, the second has none of the other.
    let lane = stock.for_lane(0, 0, &breakers());
    let granted = lane
        .take(GrantId(1), &[units(1, 1), units(2, 2)])
        .await
        .expect("all is there");
    assert_eq!(granted.units(), [units(1, 1), units(2, 2)]);
}

#[tokio::test]
async fn what_one_server_granted_is_back_before_the_batch_asks_again() {
    let (stock, _servers) = rack(false).await;
    let lane = stock.for_lane(0, 0, &breakers());
    assert_eq!(
        lane.take(GrantId(1), &[units(1, 7)]).await,
        Err(StockUnavailable::Undelivered(vec![prize(1)]))
    );
    assert_eq!(at(&stock, 0).await, (5, 0));
    let (stock, servers) = rack(true).await;
    let lane = stock.for_lane(0, 0, &breakers());
    lane.take(GrantId(1), &[units(1, 7)])
        .await
        .map(|granted| lane.give_back(GrantId(1), &granted))
        .expect("it answers");
    while (at(&stock, 0).await, at(&stock, 1).await) != ((5, 0), (5, 0)) {
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
async fn connections_that_end_at_rest_do_not_count_against_the_server() {
    let redis = Redis::start().await;
    let stock = node(&redis).await;
    stock_up(
        &stock.nodes()[0],
        2,
        &[(prize(1), 0, 500), (prize(1), 1, 500)],
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
            "{words:?}: new ones are made"
        );
        assert_eq!(breakers.list()[0].state, BreakerState::Closed, "{words:?}");
    }
}

#[tokio::test]
async fn connections_do_not_rest_for_long() {
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
        .expect("the dead one is not met");
}

/// Why no session can be had, which must be known long before the timeout.
async fn refusal(options: RedisOptions) -> String {
    let options = RedisOptions {
        timeout: Duration::from_mins(1),
        ..options
    };
    let server =
        RedisServer::new(ServerId(1), ONE, &options, &ClusterId::draw()).expect("options that fit");
    let refused = tokio::time::timeout(Duration::from_secs(20), server.session())
        .await
        .expect("it is refused at once");
    refused.map(drop).expect_err("it is refused").to_string()
}

fn contains(refused: &str, parts: &[&str]) {
    assert!(
        parts.iter().all(|part| refused.contains(part)),
        "{parts:?} are not in: {refused}"
    );
}

#[tokio::test]
async fn it_is_said_what_the_server_does_not_like() {
    let redis = Redis::start().await;
    let options = redis.options();
    let with = |password: &str| RedisOptions {
        password: Some(password.to_owned()),
        ..options.clone()
    };
    contains(
        &refusal(with("one too many")).await,
        &["without any password", "leave it out"],
    );
    command(&redis, &["CONFIG", "SET", "requirepass", "secret"]).await;
    contains(
        &refusal(options.clone()).await,
        &[&redis.address().to_string(), "NOAUTH", "password_file"],
    );
    let wrong = refusal(with("wrong")).await;
    contains(&wrong, &["WRONGPASS", "\"default\"", "[[storage.redis]]"]);
    assert!(
        !wrong.contains("\"wrong\""),
        "a password is not shown: {wrong}"
    );
    order(
        &with("secret"),
        &["ACL", "SETUSER", "poor", "on", ">poor", "+@read"],
    )
    .await;
    let poor = RedisOptions {
        user: Some("poor".to_owned()),
        ..with("poor")
    };
    contains(
        &refusal(poor).await,
        &["NOPERM", "\"poor\"", "docs/cluster.md"],
    );
    let client = with("secret").client().expect("options that fit");
    let _occupied = client
        .get_multiplexed_async_connection()
        .await
        .expect("the last place");
    order(&with("secret"), &["CONFIG", "SET", "maxclients", "1"]).await;
    contains(
        &refusal(with("secret")).await,
        &["max number of clients", "maxclients"],
    );
}

#[tokio::test]
async fn it_is_said_that_nobody_or_somebody_else_is_there() {
    let redis = Redis::start().await;
    let options = redis.options();
    redis.kill();
    contains(
        &refusal(options.clone()).await,
        &[&redis.address().to_string(), "refused", "nothing listens"],
    );
    let nobody = RedisOptions {
        host: "nobody.invalid".to_owned(),
        ..options.clone()
    };
    contains(&refusal(nobody).await, &["nobody.invalid", "lookup"]);
    let mariadb = Mariadb::shared_database().await.port;
    contains(
        &refusal(RedisOptions {
            port: mariadb,
            ..options.clone()
        })
        .await,
        &[&mariadb.to_string(), "Redis"],
    );
    let loading = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = loading.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut socket, _) = loading.accept().await.expect("a client");
        let word = b"-LOADING Redis is loading the dataset in memory\r\n".repeat(8);
        tokio::io::AsyncWriteExt::write_all(&mut socket, &word)
            .await
            .expect("it listens");
        std::future::pending::<()>().await;
    });
    contains(
        &refusal(RedisOptions { port, ..options }).await,
        &["LOADING", "dataset"],
    );
}

#[tokio::test]
async fn it_is_said_that_both_are_not_of_one_mind_about_tls() {
    let (plain, encrypted) = (Redis::start().await, Redis::encrypted().await);
    contains(
        &refusal(encrypted.options()).await,
        &["closes the connection", "tls"],
    );
    // That one has to be waited for: a server without TLS thinks that there is more to come.
    let server = RedisServer::new(
        ServerId(1),
        ONE,
        &RedisOptions {
            tls: Tls::Required,
            ..plain.options()
        },
        &ClusterId::draw(),
    );
    let refused = server
        .expect("options that fit")
        .session()
        .await
        .map(drop)
        .expect_err("it does not understand us");
    contains(&refused.to_string(), &["tls in [[storage.redis]]"]);
    let other = Tls::Verify {
        ca_file: encrypted.folder().join("other.pem"),
    };
    contains(
        &refusal(RedisOptions {
            tls: other,
            ..encrypted.options()
        })
        .await,
        &["certificate", "tls_ca_file"],
    );
    let missing = Tls::Verify {
        ca_file: "/nowhere/ca.pem".into(),
    };
    let refused = RedisServer::new(
        ServerId(1),
        ONE,
        &RedisOptions {
            tls: missing,
            ..encrypted.options()
        },
        &ClusterId::draw(),
    );
    contains(
        &refused.map(drop).expect_err("no file"),
        &["tls_ca_file", "/nowhere/ca.pem"],
    );
}

#[tokio::test]
async fn the_documented_user_may_do_all_that_is_needed_also_in_secret() {
    let redis = Redis::encrypted().await;
    let required = RedisOptions {
        tls: Tls::Required,
        ..redis.options()
    };
    let user = make_documented_user(&required).await;
    let options = RedisOptions {
        tls: Tls::Verify {
            ca_file: redis.folder().join("ca.pem"),
        },
        ..user
    };
    assert_eq!(options.memory_warning().await, None);
    let server =
        RedisServer::new(ServerId(1), ONE, &options, &ClusterId::draw()).expect("options that fit");
    let (stock, _closers) = ClusterStock::new(vec![server]);
    stock_up(&stock.nodes()[0], 1, &[(prize(1), 0, 5), (prize(1), 1, 5)]).await;
    let lane = stock.for_lane(0, 0, &breakers());
    lane.take(GrantId(1), &[units(1, 7)])
        .await
        .expect("it answers");
    let mut session = stock.nodes()[0].trusted_session().await.expect("trusted");
    let closings = [Closing {
        grant: GrantId(1),
        used: Vec::new(),
    }];
    assert_eq!(session.close(&closings).await, Ok(Ok(Epoch(1))));
    let addition = Addition {
        operation: 1,
        epoch: Epoch(1),
        prize: prize(1),
        segments: vec![(0, 1)],
    };
    assert_eq!(session.add(&addition).await, Ok(Ok(Epoch(1))));
    assert_eq!(
        session.withdraw(2, Epoch(1), prize(1), 1).await,
        Ok(Ok((Epoch(1), vec![(0, 1)])))
    );
    assert_eq!(at(&stock, 0).await, (10, 0));
    session.reset(Epoch(2), &[]).await.expect("it answers");
}

#[tokio::test]
async fn a_server_that_evicts_is_warned_of() {
    let redis = Redis::start().await;
    let options = redis.options();
    assert_eq!(options.memory_warning().await, None);
    command(
        &redis,
        &[
            "CONFIG",
            "SET",
            "maxmemory",
            "100mb",
            "maxmemory-policy",
            "allkeys-lru",
        ],
    )
    .await;
    contains(
        &options.memory_warning().await.expect("a warning"),
        &["allkeys-lru", "104857600", "noeviction"],
    );
    command(&redis, &["ACL", "SETUSER", "default", "-info"]).await;
    contains(
        &options.memory_warning().await.expect("a warning"),
        &["NOPERM", "noeviction"],
    );
    redis.kill();
    contains(
        &options.memory_warning().await.expect("a warning"),
        &["could not be asked", "nothing listens"],
    );
}

#[test]
fn trouble_is_said_when_it_changes() {
    let trouble = Trouble::default();
    let says = |why: Option<&str>| trouble.change(why.map(str::to_owned));
    let said = [
        None,
        Some("a"),
        Some("a"),
        Some("b"),
        Some("b"),
        None,
        None,
        Some("b"),
    ]
    .map(says);
    assert_eq!(said, [false, true, false, true, false, true, false, true]);
}
