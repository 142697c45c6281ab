//! The audit of a cluster on MariaDB and Redis whose shards the version before had written.
use std::time::{Duration, Instant};

use jiff::Timestamp;
use market::draw::DrawAsk;
use market::{ActivityId, Ask, Command, DrawCount, Made};
use prometheus::Registry;
use tokio::time::sleep;

use super::super::AuditProgress;
use super::super::run::run as audit;
use super::folder::{SIZES, SKU, draw};
use super::{CAMPAIGN, check};
use crate::Shards;
use crate::installation::ClusterOptions;
use crate::installation::serving::{Kept, Serving};
use crate::meta::Meta;
use crate::store::{Columns, Connection, Database};
use crate::testing::{
    Redis, TestRedis, redis_command, shared_database, undo_calls, undo_goods_in_meta,
    without_promises,
};

const TABLES: u16 = 2;

/// Users who draw once each, and others who ask for three draws at once.
const USERS: u32 = 24;

/// Delivering the stock takes some rounds of a job, on a busy machine.
const AT_LAST: Duration = Duration::from_mins(1);

async fn published(redis: &Redis) -> ClusterOptions {
    let options = ClusterOptions {
        meta: shared_database().await,
        shards: vec![shared_database().await, shared_database().await],
        tables: TABLES,
        redis: vec![redis.options()],
        segments: 2,
    };
    options.migrate().await.expect("laid out");
    let meta = Meta::new(options.meta.clone());
    meta.campaigns()
        .publish(&[&format!("{CAMPAIGN}\n{SKU}")], "test", Timestamp::now())
        .await
        .expect("published");
    options
}

async fn start(options: &ClusterOptions) -> Serving {
    let cluster = options.open().await.expect("laid out");
    let running = cluster.serve(SIZES, &Registry::new()).await;
    Serving::new(running.expect("started"), Kept::Cluster(cluster))
}

/// Three draws in one call.
fn three(user: &str) -> Command {
    Command {
        ask: Ask::Draw(DrawAsk {
            activity: ActivityId::new(1).expect("id"),
            count: DrawCount::new(3).expect("a count"),
        }),
        ..draw(user, "three")
    }
}

/// Executes a command, again until the stock was delivered.
async fn executed(shards: &Shards, command: Command) -> Made {
    let begun = Instant::now();
    loop {
        match shards.execute(command.clone()).await {
            Ok(made) => return made,
            Err(error) => assert!(begun.elapsed() < AT_LAST, "{error:?}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// How many orders the shards have with a request id of their own, as the version before wrote
/// them.
async fn orders_of_the_version_before(options: &ClusterOptions) -> i64 {
    let mut orders = 0;
    for shard in &options.shards {
        let mut connection = shard.connect().await.expect("a connection");
        for table in 0..TABLES {
            let sql =
                format!("SELECT COUNT(*) FROM raffle_order_{table} WHERE request_id <> order_id");
            let rows = connection.rows(&sql, "[]").await.expect("the old layout");
            orders += rows[0].integer(0).expect("a count");
        }
    }
    orders
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_version_before_is_green_after_its_conversion() {
    let redis = Redis::start().await;
    let options = published(&redis).await;
    let server = start(&options).await;
    for number in 0..USERS {
        executed(&server.shards, draw(&format!("u{number}"), "one")).await;
        executed(&server.shards, three(&format!("s{number}"))).await;
    }
    let before = executed(&server.shards, three("s7")).await;
    server.drain().await;
    for shard in &options.shards {
        undo_calls(shard, TABLES).await;
    }
    undo_goods_in_meta(&options.meta).await;
    redis_command(&redis.options(), &["HDEL", "test:stock", "form"]).await;
    let orders = u64::from(USERS * 4);
    assert_eq!(
        orders_of_the_version_before(&options).await.cast_unsigned(),
        orders
    );

    options.migrate().await.expect("converted");
    let server = start(&options).await;
    let before = without_promises(&before);
    assert_eq!(executed(&server.shards, three("s7")).await, before);
    let cluster = options.open().await.expect("laid out");
    let report = audit(&cluster, &AuditProgress::default()).await;
    let report = report.expect("audited");
    assert!(report.ok(), "{report}");
    assert_eq!(check(&report, "one_order_per_request").checked, orders);
    assert_eq!(
        check(&report, "chances_match_orders").checked,
        u64::from(USERS * 2)
    );
    assert_eq!(check(&report, "stock_not_oversold").checked, 1);
    assert_eq!(check(&report, "skus_not_oversold").checked, 1);
    // Each call is checked by itself and with its orders.
    assert_eq!(
        check(&report, "calls_are_whole").checked,
        u64::from(USERS * 4)
    );
    server.drain().await;
}
