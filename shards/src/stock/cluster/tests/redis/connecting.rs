//! Errors of connecting say what helps, and the documented user may do everything.
use std::time::Duration;

use super::super::super::server::{Addition, Closing, Session, StockServer};
use super::super::super::{ClusterStock, RedisOptions, RedisServer};
use super::super::{breakers, stock_up};
use super::{ONE, command, left_and_open};
use crate::grant::GrantId;
use crate::stock::Stock;
use crate::stock::conformance::{item, units};
use crate::stock::ids::{Epoch, ServerId};
use crate::store::{ClusterId, Tls};
use crate::testing::{Redis, TestRedis, make_documented_user, redis_command, shared_database};

/// Why no session can be made. That must be known long before the timeout.
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
async fn errors_say_why_the_server_refuses() {
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
    redis_command(
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
        .expect("the last connection");
    redis_command(&with("secret"), &["CONFIG", "SET", "maxclients", "1"]).await;
    contains(
        &refusal(with("secret")).await,
        &["max number of clients", "maxclients"],
    );
}

#[tokio::test]
async fn errors_say_that_another_server_or_none_is_there() {
    let redis = Redis::start().await;
    let options = redis.options();
    redis.kill();
    contains(
        &refusal(options.clone()).await,
        &[&redis.address().to_string(), "refused", "nothing listens"],
    );
    let unknown = RedisOptions {
        host: "unknown.invalid".to_owned(),
        ..options.clone()
    };
    contains(&refusal(unknown).await, &["unknown.invalid", "lookup"]);
    let mariadb = shared_database().await.options.port;
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
async fn errors_say_that_tls_does_not_match() {
    let (plain, encrypted) = (Redis::start().await, Redis::encrypted().await);
    contains(
        &refusal(encrypted.options()).await,
        &["closes the connection", "tls"],
    );
    // Only the timeout ends this: a server without TLS waits for more data.
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
        .expect_err("it does not speak TLS");
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
async fn the_documented_user_may_run_all_commands_also_over_tls() {
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
    stock_up(&stock.nodes()[0], 1, &[(item(1), 0, 5), (item(1), 1, 5)]).await;
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
        item: item(1),
        segments: vec![(0, 1)],
    };
    assert_eq!(session.add(&addition).await, Ok(Ok(Epoch(1))));
    assert_eq!(
        session.withdraw(2, Epoch(1), item(1), 1).await,
        Ok(Ok((Epoch(1), vec![(0, 1)])))
    );
    assert_eq!(left_and_open(&stock, 0).await, (10, 0));
    session.reset(Epoch(2), &[]).await.expect("it answers");
}

#[tokio::test]
async fn a_server_that_can_evict_units_gets_a_warning() {
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
