//! Databases and stock servers of another cluster, or that are not what the configuration means.
use std::time::{Duration, Instant};

use jiff::Timestamp;
use market::draw::DrawAsk;
use market::{ActivityId, DrawCount, Refusal, RequestId, UserId};
use prometheus::Registry;
use router::{OrderNumbers, Run, Slot};
use tokio::time::sleep;

use super::{ClusterError, ClusterOptions};
use crate::error::CommandError;
use crate::installation::GatewaySizes;
use crate::installation::serving::{Kept, Serving};
use crate::meta::{GatewayReport, Meta};
use crate::stock::cluster::MetaLedger;
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::spread::Spread;
use crate::store::{
    Connection, ConversionProgress, Database, DatabaseIdentity, DatabaseRole, Layout,
    MysqlDatabase, awaits_conversion, read_identity,
};
use crate::testing::{DatabaseServer, Mariadb, Redis, TestRedis, shared_database, undo_calls};
use crate::{LaneLimits, ReadLimits, Timeouts};

const SIZES: GatewaySizes = GatewaySizes {
    lane: LaneLimits {
        queue_max: 100,
        queue_target: Duration::from_secs(1),
        batch_max: 100,
        linger: Duration::ZERO,
    },
    in_flight_max: 100,
    timeouts: Timeouts {
        queue: Duration::from_secs(10),
        answer: Duration::from_secs(10),
    },
    reads: ReadLimits {
        connections_max: 1,
        queue_max: 10,
        timeout: Duration::from_secs(10),
    },
    breakers: crate::breaker::BreakerSettings::DEFAULT,
};

/// A gateway that does not start must fail within this time.
const SOON: Duration = Duration::from_secs(2);

/// The maximum wait for a condition, on a busy machine.
const AT_LAST: Duration = Duration::from_mins(1);

const SPREAD: Spread = Spread {
    segments: 2,
    servers: 1,
};

/// Empty databases for two shards of `tables` tables, and this stock server.
async fn options(redis: &Redis, tables: u16) -> ClusterOptions {
    ClusterOptions {
        meta: shared_database().await,
        shards: vec![shared_database().await, shared_database().await],
        tables,
        redis: vec![redis.options()],
        segments: SPREAD.segments,
    }
}

/// The same, laid out.
async fn migrated(redis: &Redis) -> ClusterOptions {
    let options = options(redis, 1).await;
    options.migrate().await.expect("laid out");
    options
}

async fn start(options: &ClusterOptions) -> Result<(Serving, Registry), ClusterError> {
    let registry = Registry::new();
    let cluster = options.open().await?;
    let running = cluster.serve(SIZES, &registry).await?;
    Ok((Serving::new(running, Kept::Cluster(cluster)), registry))
}

/// Checks that a gateway does not start. Returns why.
async fn refused_at_start(options: &ClusterOptions) -> String {
    let begun = Instant::now();
    let Err(error) = start(options).await else {
        panic!("it started")
    };
    assert!(begun.elapsed() < SOON, "{:?}: {error}", begun.elapsed());
    error.to_string()
}

async fn refused_by_migrate(options: &ClusterOptions) -> String {
    options.migrate().await.expect_err("refused").to_string()
}

fn says(text: &str, notifications: &[&str]) {
    assert!(
        notifications
            .iter()
            .all(|notification| text.contains(notification)),
        "{notifications:?}: {text}"
    );
}

async fn run(database: &MysqlDatabase, sql: &str) {
    database
        .connect()
        .await
        .expect("a connection")
        .run(sql)
        .await
        .expect(sql);
}

async fn cluster_of(database: &MysqlDatabase) -> DatabaseIdentity {
    let mut connection = database.connect().await.expect("a connection");
    read_identity::<MysqlDatabase>(&mut connection)
        .await
        .expect("read")
        .expect("it has an identity")
}

/// A user of a shard.
fn user_of(shard: u16, options: &ClusterOptions) -> UserId {
    let map = options.map(1).expect("a map");
    let user = |number| UserId::new(&format!("u{number}")).expect("a user");
    (0..1_000)
        .map(user)
        .find(|user| map.route(user.as_str()).shard().get() == shard)
        .expect("one of many")
}

/// Writes an order of a user of this shard, with an id of this run.
async fn add_order(options: &ClusterOptions, shard: u16, run_number: u32) {
    let user = user_of(shard, options);
    let mut numbers = OrderNumbers::new(Run::new(run_number).expect("a run"));
    let order = numbers.next(Slot::of(user.as_str())).expect("a number");
    let sql = format!(
        "INSERT INTO raffle_order_0 (order_id, user_id, activity_id, version, ordinal, day, award_id, \
             award_title, award_index, rule, stocked) \
         VALUES ({order}, '{}', 7, 3, 1, 20261121, 101, 'title', 1, 'luck', 1)",
        user.as_str()
    );
    run(&options.shards[usize::from(shard)], &sql).await;
}

/// Makes the databases those of a version from before databases had an identity, which had given
/// out these runs.
async fn forget_identity(options: &ClusterOptions, claimed: u64) {
    for shard in &options.shards {
        undo_calls(shard, options.tables).await;
        let forget = (0..options.tables)
            .map(|table| format!("DROP TABLE label_repair_{table};"))
            .chain([
                "DROP TABLE cluster_identity; DELETE FROM schema_version WHERE version > 3"
                    .to_owned(),
            ]);
        run(shard, &forget.collect::<String>()).await;
    }
    run(
        &options.meta,
        &format!(
            "DROP TABLE fleet_setting, gateway, cluster_identity; DELETE FROM schema_version WHERE version > 2; \
             UPDATE id_run SET claimed = {claimed}"
        ),
    )
    .await;
}

/// The answer to a draw without a campaign while all is well.
const WELL: CommandError = CommandError::Refused(Refusal::ActivityUnknown);

async fn draw(cluster: &Serving, user: &UserId) -> CommandError {
    let (activity, request) = (
        ActivityId::new(9).expect("an id"),
        RequestId::new("k").expect("a key"),
    );
    let ask = DrawAsk {
        activity,
        count: DrawCount::ONE,
    };
    cluster
        .shards
        .draw(user.clone(), request, ask)
        .await
        .expect_err("nothing is published")
}

#[tokio::test]
async fn two_migrations_at_once_draw_one_id() {
    let redis = Redis::start().await;
    let options = options(&redis, 2).await;
    let (one, two, three) = tokio::join!(options.migrate(), options.migrate(), options.migrate());
    one.and(two).and(three).expect("laid out");
    let meta = cluster_of(&options.meta).await;
    let layout = Layout {
        shards: 2,
        tables: 2,
        servers: 1,
        segments: 2,
    };
    assert_eq!((meta.role, meta.layout), (DatabaseRole::Meta, layout));
    for (number, shard) in (0..).zip(&options.shards) {
        let expected = DatabaseIdentity {
            cluster: meta.cluster.clone(),
            role: DatabaseRole::Shard(number),
            layout,
        };
        assert_eq!(cluster_of(shard).await, expected);
    }
    options.migrate().await.expect("again");
    assert_eq!(cluster_of(&options.meta).await, meta);
}

#[tokio::test]
async fn databases_of_the_version_before_are_adopted_and_so_are_their_units() {
    let redis = Redis::start().await;
    let options = migrated(&redis).await;
    let epochs = options
        .open()
        .await
        .expect("opened")
        .rebuild("who", "why")
        .await;
    assert_eq!(epochs, Ok(vec![(ServerId(1), Epoch(1))]));
    let before = cluster_of(&options.meta).await;
    add_order(&options, 1, 3).await;
    forget_identity(&options, 3).await;
    for key in ["test:stock", "test:grants"] {
        redis.command(&["HDEL", key, "cluster"]).await;
    }
    let (one, two) = tokio::join!(options.migrate(), options.migrate());
    one.and(two).expect("adopted");
    let meta = cluster_of(&options.meta).await;
    assert_ne!(meta.cluster, before.cluster, "drawn again");
    for shard in &options.shards {
        assert_eq!(cluster_of(shard).await.cluster, meta.cluster);
    }
    // The units are of the registered process and epoch, so they are taken over.
    let (cluster, _) = start(&options).await.expect("a gateway");
    assert_eq!(
        redis.command(&["HGET", "test:grants", "cluster"]).await,
        format!("{}/1", meta.cluster)
    );
    assert_eq!(redis.command(&["HGET", "test:stock", "epoch"]).await, "1");
    assert_eq!(draw(&cluster, &user_of(1, &options)).await, WELL);
    cluster.drain().await;
}

#[tokio::test]
async fn databases_of_the_version_before_that_changed_places_are_not_adopted() {
    let redis = Redis::start().await;
    let mut options = migrated(&redis).await;
    add_order(&options, 1, 3).await;
    forget_identity(&options, 3).await;
    options.shards.swap(0, 1);
    let text = refused_by_migrate(&options).await;
    says(
        &text,
        &[
            "shard 0 (mysql://",
            "expected orders of shard 0, found those of shard 1",
            "[[storage.shard]]",
        ],
    );
    options.shards.swap(0, 1);
    options.migrate().await.expect("adopted");
}

#[tokio::test]
async fn two_clusters_on_one_redis_do_not_touch_each_others_units() {
    let redis = Redis::start().await;
    let (first, second) = (migrated(&redis).await, migrated(&redis).await);
    let ids = [
        cluster_of(&first.meta).await.cluster,
        cluster_of(&second.meta).await.cluster,
    ];
    first
        .open()
        .await
        .expect("opened")
        .rebuild("who", "why")
        .await
        .expect("rebuilt");
    let held = redis.command(&["HGETALL", "test:stock"]).await;
    let installation = second.open().await.expect("opened");
    // With any epoch of the other cluster.
    let ledger = installation.parts.ledger.clone();
    for epoch in [0, 40] {
        ledger
            .raise_epoch(ServerId(1), Epoch(epoch))
            .await
            .expect("raised");
        let text = installation
            .rebuild("who", "why")
            .await
            .expect_err("refused");
        says(
            &text,
            &[
                ids[0].as_str(),
                ids[1].as_str(),
                "redis-cli DEL test:stock test:grants",
                "redis_prefix",
            ],
        );
        installation.repair_stock().await.expect_err("refused too");
    }
    says(
        &refused_at_start(&second).await,
        &["stock server 1", ids[0].as_str(), ids[1].as_str()],
    );
    assert_eq!(
        redis.command(&["HGETALL", "test:stock"]).await,
        held,
        "nothing has changed"
    );
    let (cluster, registry) = start(&first).await.expect("whose it is");
    // The help of the message is followed; now the first cluster must get the error.
    redis.command(&["DEL", "test:stock", "test:grants"]).await;
    // A gateway of the first may be faster than the second, which then tries again.
    let begun = Instant::now();
    while installation.rebuild("who", "why").await.is_err() {
        assert!(begun.elapsed() < AT_LAST);
        redis.command(&["DEL", "test:stock", "test:grants"]).await;
    }
    shows(&registry, "redis-1", 1).await;
    redis.command(&["DEL", "test:stock", "test:grants"]).await;
    shows(&registry, "redis-1", 0).await;
    cluster.drain().await;
}

/// Waits until a gateway shows a part as one of another cluster, or not any more.
async fn shows(registry: &Registry, part: &str, expected: u8) {
    let begun = Instant::now();
    let shown = || {
        let families = registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "drawbridge_identity_mismatch")
            .expect("a gauge");
        let of_part = family
            .get_metric()
            .iter()
            .find(|metric| metric.get_label()[0].value() == part);
        of_part
            .expect("every part is shown")
            .get_gauge()
            .get_value()
    };
    while (shown() - f64::from(expected)).abs() > 0.5 {
        assert!(
            begun.elapsed() < AT_LAST,
            "{part} is shown as {}, not as {expected}",
            shown()
        );
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn shards_that_changed_places_are_refused() {
    let redis = Redis::start().await;
    let mut options = migrated(&redis).await;
    options.shards.swap(0, 1);
    for text in [
        refused_at_start(&options).await,
        refused_by_migrate(&options).await,
    ] {
        assert_eq!(text.lines().count(), 2, "{text}");
        says(
            &text,
            &[
                "expected shard 0 of cluster",
                "found shard 1 of cluster",
                "[[storage.shard]]",
            ],
        );
        says(
            &text,
            &[
                "expected shard 1 of cluster",
                "found shard 0 of cluster",
                "shard 0 (mysql://",
                "shard 1 (mysql://",
            ],
        );
    }
    // And the meta database beside them.
    let meta = options.meta.clone();
    options.shards.swap(0, 1);
    options.shards[1] = meta;
    says(
        &refused_at_start(&options).await,
        &["shard 1 (mysql://", "found the meta database of cluster"],
    );
    // One database named twice, and a shard in the place of the meta database.
    let shard = options.shards[0].clone();
    options.shards[1] = shard.clone();
    says(
        &refused_by_migrate(&options).await,
        &["expected shard 1 of", "found shard 0 of", "named twice"],
    );
    options.meta = shard;
    let text = refused_by_migrate(&options).await;
    says(
        &text,
        &[
            "meta database (mysql://",
            "expected the meta database of",
            "found shard 0 of",
        ],
    );
}

#[tokio::test]
async fn a_fresh_meta_database_does_not_take_over_what_is_there() {
    let redis = Redis::start().await;
    let there = migrated(&redis).await;
    let fresh = ClusterOptions {
        meta: shared_database().await,
        tables: 2,
        ..there.clone()
    };
    let text = refused_by_migrate(&fresh).await;
    says(
        &text,
        &[
            "shard 0 (mysql://",
            "belongs to no cluster yet",
            "(2 shards of 1 table, 1 stock server and 2 segments",
        ],
    );
    let untouched = Meta::new(fresh.meta.clone()).layout().slot_map().await;
    assert_eq!(untouched, Ok(None), "what was refused fixes nothing");
    // Nor a database without an identity.
    add_order(&there, 0, 1).await;
    forget_identity(&there, 1).await;
    let text = refused_by_migrate(&fresh).await;
    says(&text, &["expected 2 tables, found 1"]);
    let alike = ClusterOptions { tables: 1, ..fresh };
    says(
        &refused_by_migrate(&alike).await,
        &[
            "shard 0 (mysql://",
            "expected an empty database",
            "found accounts, orders",
        ],
    );
    there.migrate().await.expect("its own");
    let text = refused_by_migrate(&alike).await;
    says(&text, &["shard 0 of cluster", "shard 1 of cluster"]);
}

#[tokio::test]
async fn a_meta_database_that_is_older_than_a_shard_is_refused_until_it_is_accepted() {
    let redis = Redis::start().await;
    let options = migrated(&redis).await;
    run(&options.meta, "UPDATE id_run SET claimed = 3").await;
    add_order(&options, 0, 3).await;
    start(&options).await.expect("all is known").0.drain().await;
    add_order(&options, 1, 900).await;
    let count = "INSERT INTO stock_issued (server, activity_id, good_kind, good_id, segment, run, lane, issued) \
                 VALUES (1, 7, 0, 101, 0, 900, 0, 40)";
    run(&options.shards[1], count).await;
    for text in [
        refused_at_start(&options).await,
        refused_by_migrate(&options).await,
    ] {
        assert_eq!(text.lines().count(), 1, "{text}");
        says(
            &text,
            &[
                "shard 1 (mysql://",
                "ids of run 900",
                "--accept-older-meta --reason",
            ],
        );
    }
    let report = options
        .accept_older_meta("who", "the disk was lost", &ConversionProgress::default())
        .await
        .expect("accepted")
        .join("\n");
    says(
        &report,
        &[
            "raised to 900",
            "version 3 of activity 7",
            "award 101 of activity 7: 40 units are issued, the total is 0",
        ],
    );
    let meta = Meta::new(options.meta.clone());
    let log = meta.audit_log().latest().await.expect("read");
    assert_eq!(
        (&*log[0].what, &*log[0].who, &*log[0].why),
        ("accept older meta", "who", "the disk was lost")
    );
    assert_eq!(log[0].detail, report.replace('\n', "; "));
    let (cluster, _) = start(&options).await.expect("accepted");
    assert_eq!(draw(&cluster, &user_of(1, &options)).await, WELL);
    assert!(
        meta.runs().claimed().await.expect("read") > 900,
        "new lanes have new runs"
    );
    cluster.drain().await;
    assert_eq!(
        options
            .accept_older_meta("who", "why", &ConversionProgress::default())
            .await
            .expect("again")
            .len(),
        3,
        "what is lacking is still lacking"
    );
}

#[tokio::test]
async fn a_copy_of_the_meta_database_that_does_not_say_whose_it_is_takes_the_shards_word_when_told_to()
 {
    let redis = Redis::start().await;
    let options = migrated(&redis).await;
    let cluster = cluster_of(&options.shards[0]).await.cluster;
    add_order(&options, 0, 5).await;
    let copy = ClusterOptions {
        meta: shared_database().await,
        ..options
    };
    refused_by_migrate(&copy).await;
    copy.accept_older_meta("who", "why", &ConversionProgress::default())
        .await
        .expect("accepted");
    assert_eq!(cluster_of(&copy.meta).await.cluster, cluster);
    start(&copy).await.expect("a gateway").0.drain().await;
}

#[tokio::test]
async fn a_shard_that_was_unavailable_at_the_start_is_looked_at_before_its_first_batch() {
    let redis = Redis::start().await;
    let server = Mariadb::private().await;
    let mut options = options(&redis, 1).await;
    options.shards[1] = server.database().await;
    options.migrate().await.expect("laid out");
    add_order(&options, 1, 900).await;
    server.kill();
    let (cluster, _) = start(&options)
        .await
        .expect("a shard that is unavailable does not prevent a start");
    server.restart().await;
    let user = user_of(1, &options);
    assert_eq!(draw(&cluster, &user).await, CommandError::ShardUnavailable);
    assert_eq!(draw(&cluster, &user_of(0, &options)).await, WELL);
    options
        .accept_older_meta("who", "why", &ConversionProgress::default())
        .await
        .expect("accepted");
    let begun = Instant::now();
    while draw(&cluster, &user).await != WELL {
        assert!(begun.elapsed() < AT_LAST);
        sleep(Duration::from_millis(50)).await;
    }
    cluster.drain().await;
}

#[tokio::test]
async fn a_database_that_is_replaced_under_a_gateway_is_not_used_any_more() {
    let redis = Redis::start().await;
    let server = Mariadb::private().await;
    let mut options = options(&redis, 1).await;
    options.shards[1] = server.database().await;
    options.migrate().await.expect("laid out");
    let (cluster, registry) = start(&options).await.expect("a gateway");
    let user = user_of(1, &options);
    assert_eq!(draw(&cluster, &user).await, WELL);
    let shard = options.shards[1].clone();
    run(&shard, "UPDATE cluster_identity SET part = 'shard-0'").await;
    assert_eq!(
        draw(&cluster, &user).await,
        WELL,
        "an open connection is not checked again"
    );
    server.kill();
    server.restart().await;
    assert_eq!(draw(&cluster, &user).await, CommandError::ShardUnavailable);
    shows(&registry, "shard-1", 1).await;
    assert_eq!(draw(&cluster, &user_of(0, &options)).await, WELL);
    run(&shard, "DROP TABLE cluster_identity").await;
    let _still_unavailable = draw(&cluster, &user).await;
    options
        .migrate()
        .await
        .expect_err("the table is in the schema");
    run(
        &shard,
        "CREATE TABLE cluster_identity (only_row TINYINT PRIMARY KEY, cluster VARCHAR(64), part VARCHAR(16), \
         shards SMALLINT UNSIGNED, tables SMALLINT UNSIGNED, servers TINYINT UNSIGNED, segments SMALLINT UNSIGNED)",
    )
    .await;
    // A database without an identity is adopted by a migration, which checks all of it.
    options.migrate().await.expect("adopted");
    let begun = Instant::now();
    while draw(&cluster, &user).await != WELL {
        assert!(begun.elapsed() < AT_LAST);
        sleep(Duration::from_millis(50)).await;
    }
    shows(&registry, "shard-1", 0).await;
    cluster.drain().await;
}

#[tokio::test]
async fn orders_are_not_converted_while_a_gateway_of_the_version_before_reports() {
    let redis = Redis::start().await;
    let options = migrated(&redis).await;
    add_order(&options, 1, 3).await;
    for shard in &options.shards {
        undo_calls(shard, options.tables).await;
    }
    run(&options.meta, "UPDATE id_run SET claimed = 3").await;
    let meta = Meta::new(options.meta.clone());
    let report = GatewayReport {
        name: "gateway-1".to_owned(),
        instance: "1".to_owned(),
        admin: "127.0.0.1:8092".to_owned(),
        version: "0.0.9".to_owned(),
        revision: 1,
        config_hash: String::new(),
        overrides: "[]".to_owned(),
        failures: "[]".to_owned(),
        out_because: String::new(),
        started_at: Timestamp::now(),
    };
    meta.gateways().report(&report, true).await.expect("noted");
    let text = refused_by_migrate(&options).await;
    says(
        &text,
        &["gateway-1 (version 0.0.9)", "`drawbridge migrate` again"],
    );
    assert!(
        awaits_conversion(&options.shards[1]).await.expect("looked"),
        "nothing was changed"
    );
    // It was killed a while ago.
    run(
        &options.meta,
        "UPDATE gateway SET seen_at = seen_at - INTERVAL 11 SECOND",
    )
    .await;
    let progress = ConversionProgress::default();
    let migrated = options.migrate_and_report(None, &progress).await;
    let done = migrated.expect("converted").done;
    says(&done.join("\n"), &["1 calls in 2 tables were converted"]);
    assert_eq!(
        (progress.tables(), progress.tables_done(), progress.calls()),
        (2, 2, 1)
    );
    // One that runs now is of this version.
    meta.gateways().report(&report, true).await.expect("noted");
    let again = ConversionProgress::default();
    let migrated = options.migrate_and_report(None, &again).await;
    assert_eq!(migrated.expect("nothing to do").done.len(), 1);
    assert_eq!(again.tables(), 0);
}
