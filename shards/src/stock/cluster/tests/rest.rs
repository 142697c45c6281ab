//! A gateway at rest: what it needs of its databases while nothing changes.
use std::time::Duration;

use prometheus::Registry;
use tokio::time::sleep;

use crate::breaker::BreakerSettings;
use crate::installation::serving::{Kept, Serving};
use crate::installation::{ClusterOptions, GatewaySizes};
use crate::store::{Columns, Connection, Database, MysqlConnection};
use crate::testing::{DatabaseServer, Mariadb, Redis, TestRedis};
use crate::{LaneLimits, ReadLimits, Timeouts};

const SECOND: Duration = Duration::from_secs(1);

fn sizes() -> GatewaySizes {
    GatewaySizes {
        lane: LaneLimits {
            queue_max: 64,
            queue_target: SECOND,
            batch_max: 64,
            linger: Duration::ZERO,
        },
        in_flight_max: 64,
        timeouts: Timeouts {
            queue: SECOND,
            answer: SECOND,
        },
        reads: ReadLimits {
            connections_max: 2,
            queue_max: 8,
            timeout: SECOND,
        },
        breakers: BreakerSettings::DEFAULT,
    }
}

/// How many connections were ever made to the server.
async fn made(connection: &mut MysqlConnection) -> u64 {
    let rows = connection
        .rows("SHOW GLOBAL STATUS LIKE 'Connections'", "[]")
        .await
        .expect("a status");
    rows[0]
        .text(1)
        .expect("a string")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn a_gateway_at_rest_makes_no_connections() {
    let (server, redis) = (Mariadb::private().await, Redis::start().await);
    let shards = vec![server.database().await, server.database().await];
    let options = ClusterOptions {
        meta: server.database().await,
        shards,
        tables: 2,
        redis: vec![redis.options()],
        segments: 2,
    };
    options.migrate().await.expect("migrated");
    let mut watcher = options.meta.connect().await.expect("a connection");
    let cluster = options.open().await.expect("it is laid out");
    let running = cluster.serve(sizes(), &Registry::new()).await;
    let cluster = Serving::new(running.expect("started"), Kept::Cluster(cluster));
    // Each job has run and has its connections.
    sleep(3 * SECOND).await;
    let before = made(&mut watcher).await;
    sleep(3 * SECOND).await;
    let since = made(&mut watcher).await - before;
    // More jobs than before may run at the same moment, and need one more connection.
    assert!(since <= 2, "{since} connections in three seconds of rest");
    cluster.drain().await;
}
