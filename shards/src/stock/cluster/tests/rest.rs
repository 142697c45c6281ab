//! What a gateway asks of its databases while nothing changes.
use prometheus::Registry;
use tokio::time::sleep;

use super::*;
use crate::installation::serving::{Kept, Serving};
use crate::installation::{ClusterOptions, GatewaySizes};
use crate::store::{Columns, Connection, Database, MysqlConnection};
use crate::testing::Mariadb;
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
        breakers: breaker::BreakerSettings::DEFAULT,
    }
}

/// Connections that were ever made to the server.
async fn made(connection: &mut MysqlConnection) -> u64 {
    let rows = connection
        .rows("SHOW GLOBAL STATUS LIKE 'Connections'", "[]")
        .await
        .expect("a status");
    rows[0].text(1).expect("a text").parse().expect("a number")
}

#[tokio::test]
async fn a_gateway_at_rest_makes_no_connections() {
    let (server, redis) = (Mariadb::private().await, Redis::start().await);
    let shards = vec![server.database().await, server.database().await];
    let options = ClusterOptions {
        meta: server.database().await,
        shards,
        tables: 2,
        redis: vec![options(&redis)],
        segments: 2,
    };
    options.migrate().await.expect("migrated");
    let mut watcher = options.meta.connect().await.expect("a connection");
    let cluster = options.open().await.expect("it is laid out");
    let running = cluster.serve(sizes(), &Registry::new()).await;
    let cluster = Serving::new(running.expect("started"), Kept::Cluster(cluster));
    // Each job has had its turn and found its connections.
    sleep(3 * SECOND).await;
    let before = made(&mut watcher).await;
    sleep(3 * SECOND).await;
    let since = made(&mut watcher).await - before;
    // Now and then one more job than ever before has its turn at the same moment.
    assert!(since <= 2, "{since} connections in three seconds of rest");
    cluster.drain().await;
}
