//! `migrate`, `campaign publish` and `serve` on a cluster: what they do, and what they refuse.
use std::time::{Duration, Instant};

use sqlx::{Executor as _, Row as _};

use crate::support::campaign::{LOAD, SCARCE_AWARD, in_state, scarce, with};
use crate::support::cluster::{SETTLED, ask};
use crate::support::{Cluster, Connection, FOLLOWED, Ran, Request, eventually, run};

const DATABASES: [&str; 3] = ["meta", "shard-0", "shard-1"];

/// Makes empty databases on the cluster's servers; returns a configuration with them.
async fn empty_databases(cluster: &Cluster, name: &str) -> String {
    let mut config = cluster.config();
    for part in DATABASES {
        cluster
            .execute(part, &format!("CREATE DATABASE {name}"))
            .await;
        cluster
            .execute(
                part,
                &format!("GRANT ALL ON {name}.* TO drawbridge@'127.0.0.1'"),
            )
            .await;
    }
    for database in ["drawbridge_meta", "drawbridge_0", "drawbridge_1"] {
        config = with(&config, &format!("\"{database}\""), &format!("\"{name}\""));
    }
    with(
        &config,
        "kind = \"cluster\"",
        &format!("kind = \"cluster\"\nredis_prefix = \"{name}\""),
    )
}

/// What comes before the last of these words, and after it.
fn front_and_last<'t>(text: &'t str, word: &str) -> (&'t str, &'t str) {
    text.rsplit_once(word).expect("it is there")
}

async fn serve(cluster: &Cluster, config: &str) -> Ran {
    cluster
        .run_with(
            config,
            &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        )
        .await
}

/// Everything that a migration makes, as text.
async fn schema(cluster: &Cluster, name: &str) -> Vec<i64> {
    let mut seen = Vec::new();
    for part in DATABASES {
        let columns = format!(
            "SELECT CAST(CRC32(CONCAT_WS(' ', table_name, column_name, column_type, collation_name, column_key)) AS SIGNED) \
             FROM information_schema.columns WHERE table_schema = '{name}' ORDER BY table_name, column_name"
        );
        seen.extend(cluster.numbers(part, &columns).await);
        let versions =
            format!("SELECT CAST(version AS SIGNED) FROM {name}.schema_version ORDER BY version");
        seen.extend(cluster.numbers(part, &versions).await);
    }
    seen
}

#[tokio::test]
async fn a_migration_may_run_again_and_several_times_at_once() {
    let cluster = Cluster::start().await;
    let alone = empty_databases(&cluster, "alone").await;
    cluster.run_with(&alone, &["migrate"]).await.ok();
    let made = schema(&cluster, "alone").await;
    assert!(made.len() > 50, "{made:?}");
    cluster.run_with(&alone, &["migrate"]).await.ok();
    assert_eq!(schema(&cluster, "alone").await, made);

    let crowd = empty_databases(&cluster, "crowd").await;
    let file = cluster.file("crowd.toml", &crowd);
    let migrate = || run(cluster.program(&["migrate", "--config", &file]));
    let (a, b, c) = tokio::join!(migrate(), migrate(), migrate());
    for ran in [a, b, c] {
        let reported = ran.ok();
        assert!(reported.contains("2 shards are up to date"), "{reported}");
    }
    assert_eq!(schema(&cluster, "crowd").await, made);
    // A cluster like any other now, and none that the other one sees.
    let campaign = cluster.file("load.toml", LOAD);
    cluster
        .run_with(&crowd, &["campaign", "publish", &campaign])
        .await
        .ok();
    assert_eq!(
        cluster
            .run_with(&crowd, &["campaign", "list"])
            .await
            .ok()
            .lines()
            .count(),
        1
    );
    assert_eq!(
        cluster
            .run_with(&alone, &["campaign", "list"])
            .await
            .ok()
            .lines()
            .count(),
        0
    );
    // The one that serves was not touched, and is as it should be.
    cluster.run(&["migrate"]).await.ok();
    cluster.audited().await;
}

#[tokio::test]
async fn what_does_not_fit_the_cluster_is_refused_at_once() {
    let cluster = Cluster::start().await;
    let config = cluster.config();
    let refused = async |config: &str, parts: &[&str]| {
        for ran in [
            cluster.run_with(config, &["migrate"]).await,
            serve(&cluster, config).await,
        ] {
            let message = ran.refused_at_once();
            assert!(
                parts.iter().all(|part| message.contains(part)),
                "{parts:?}: {message}"
            );
        }
        cluster.run_with(config, &["migrate"]).await.failed(2);
    };

    // Another layout.
    let there = "2 shards of 4 tables, 1 stock server and 8 segments";
    refused(
        &with(&config, "tables = 4", "tables = 8"),
        &[there, "2 shards of 8 tables"],
    )
    .await;
    refused(
        &with(&config, "tables = 4", "tables = 4\nsegments = 4"),
        &[there, "4 segments"],
    )
    .await;
    let (front, _) = config.rsplit_once("\n[[storage.shard]]").unwrap();
    let (_, redis) = config.split_once("\n[[storage.redis]]").unwrap();
    let redis = format!("\n[[storage.redis]]{redis}");
    refused(&format!("{front}{redis}"), &[there, "1 shard of 4 tables"]).await;
    refused(&format!("{config}{redis}"), &[there, "2 stock servers"]).await;

    // Two shards that have changed places.
    let (front, second) = front_and_last(&config, "\n[[storage.shard]]");
    let (front, first) = front_and_last(front, "\n[[storage.shard]]");
    let (second, _) = second.split_once("\n[[storage.redis]]").unwrap();
    let swapped = format!("{front}\n[[storage.shard]]{second}\n[[storage.shard]]{first}{redis}");
    refused(
        &swapped,
        &[
            "shard 0 (mysql://",
            "expected shard 0 of",
            "found shard 1 of",
            "found shard 0 of",
        ],
    )
    .await;

    // Another cluster's units.
    let other = empty_databases(&cluster, "other").await;
    let other = with(
        &other,
        "redis_prefix = \"other\"",
        "redis_prefix = \"drawbridge\"",
    );
    let message = cluster.run_with(&other, &["migrate"]).await.failed(1);
    assert!(
        message.contains("stock server 1: ")
            && message.contains("two clusters must not share a Redis"),
        "{message}"
    );
    let message = serve(&cluster, &other).await.refused_at_once();
    assert!(
        message.contains("two clusters must not share a Redis"),
        "{message}"
    );
    let message = cluster
        .run_with(&other, &["stock", "rebuild", "--reason", "no use"])
        .await
        .failed(1);
    assert!(
        message.contains("redis-cli DEL drawbridge:stock drawbridge:grants"),
        "{message}"
    );
    let log = "SELECT CAST(CONCAT_WS(' ', what, detail) AS CHAR) FROM other.audit_trail ORDER BY at_ms, detail";
    let log = cluster
        .sql("meta")
        .await
        .fetch_all(log)
        .await
        .expect("the record");
    let log: Vec<String> = log.iter().map(|row| row.get(0)).collect();
    assert!(
        log[0].starts_with("stock rebuild begun") && log[1].contains("failed: stock server 1: "),
        "{log:?}"
    );
    let report = cluster.run_with(&other, &["audit", "--json"]).await;
    assert!(
        report
            .stdout
            .contains("two clusters must not share a Redis"),
        "{report:?}"
    );

    // The port of another service.
    let redis = format!("port = {}", cluster.port("redis"));
    let wrong = with(&config, &redis, &format!("port = {}", cluster.port("meta")));
    let reported = cluster.run_with(&wrong, &["migrate"]).await;
    let line = reported
        .stdout
        .lines()
        .find(|line| line.starts_with("stock server 1: "))
        .expect("a line about it");
    assert!(
        line.contains("the server there is not Redis: check host and port"),
        "{reported:?}"
    );

    // Databases that were never migrated.
    let never = empty_databases(&cluster, "never").await;
    for arguments in [
        &["stock", "show"][..],
        &["audit"],
        &["campaign", "list"],
        &["route", "u1"],
    ] {
        let message = cluster.run_with(&never, arguments).await.refused_at_once();
        assert!(
            message.contains("drawbridge migrate"),
            "{arguments:?}: {message}"
        );
    }
    let message = serve(&cluster, &never).await.refused_at_once();
    assert!(message.contains("drawbridge migrate"), "{message}");

    // Newer than this program.
    let newer = empty_databases(&cluster, "newer").await;
    cluster.run_with(&newer, &["migrate"]).await.ok();
    cluster
        .execute(
            "shard-1",
            "INSERT INTO newer.schema_version (version) VALUES (99)",
        )
        .await;
    let message = cluster.run_with(&newer, &["migrate"]).await.failed(2);
    assert!(
        message.contains("shard 1") && message.contains("version 99"),
        "{message}"
    );
    cluster
        .execute(
            "meta",
            "INSERT INTO newer.schema_version (version) VALUES (99)",
        )
        .await;
    refused(&newer, &["meta database", "version 99"]).await;
}

#[tokio::test]
async fn a_meta_database_that_does_not_answer_is_reported_soon() {
    const SOON: Duration = Duration::from_secs(3);
    let cluster = Cluster::start().await;
    let config = cluster.config();
    let refused = async || {
        for arguments in [
            &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"][..],
            &["migrate"],
            &["audit"],
            &["stock", "show"],
            &["stock", "add", "200002", "1", "1", "--reason", "no use"],
            &["campaign", "list"],
        ] {
            let ran = cluster.run_with(&config, arguments).await;
            assert!(ran.took < SOON, "{arguments:?}: {ran:?}");
            let message = ran.failed(2);
            assert!(message.contains("meta"), "{arguments:?}: {message}");
        }
    };
    cluster.signal("meta", "STOP").await;
    refused().await;
    cluster.signal("meta", "CONT").await;
    cluster.run(&["stock", "show"]).await.ok();
    cluster.kill("meta").await;
    refused().await;
    cluster.restart("meta").await;
    cluster.audited().await;
}

#[tokio::test]
async fn a_published_campaign_is_drawn_from_at_both_gateways_within_two_seconds_stock_and_all() {
    const UNITS: u64 = 50;
    let cluster = Cluster::start().await;
    for activity in 200_010..200_015 {
        cluster.publish(&scarce(activity, UNITS)).await;
        let since = Instant::now();
        for gateway in cluster.gateways() {
            let draws = (0..).map(|number| {
                Request::draw("u", activity, &format!("{activity}-{gateway}-{number}"))
            });
            for draw in draws {
                let answer = ask(gateway, &draw).await;
                assert!(since.elapsed() < FOLLOWED, "not followed");
                if answer.code == "ERR_REQ_001" {
                    continue;
                }
                // The campaign is there, and so is its stock.
                assert_eq!(answer.expect(200, "0000").award(), SCARCE_AWARD);
                break;
            }
        }
        assert_eq!(
            cluster.stock(activity, SCARCE_AWARD).await,
            (UNITS, 2, UNITS - 2)
        );
    }

    // A pause and its end, on both.
    let paused = 200_014_u64.to_string();
    for (change, code) in [("pause", "ERR_BIZ_003"), ("resume", "0000")] {
        let words = ["campaign", change, &paused, "--reason", "a test"];
        cluster.run(&words).await.ok();
        for gateway in cluster.gateways() {
            eventually(change, FOLLOWED, async || {
                let answer = ask(gateway, &Request::keyless_draw("late", 200_014)).await;
                (answer.code == code).then_some(())
            })
            .await;
        }
    }

    // A later version too; what was drawn under the earlier one stays.
    let activity = 200_010;
    let file = cluster.file("closed.toml", &in_state(&scarce(activity, UNITS), "close"));
    let reported = cluster.run(&["campaign", "publish", &file]).await.ok();
    assert!(reported.contains("version 2"), "{reported}");
    for gateway in cluster.gateways() {
        eventually("the campaign is closed", FOLLOWED, async || {
            let answer = ask(gateway, &Request::keyless_draw("late", activity)).await;
            (answer.code == "ERR_BIZ_003").then_some(())
        })
        .await;
    }
    let file = cluster.file("more.toml", &scarce(activity, UNITS + 1));
    let message = cluster.run(&["campaign", "publish", &file]).await.failed(1);
    assert!(message.contains("stock add"), "{message}");
    cluster.audited().await;
}

/// Change notifications over Redis that a gateway has received.
async fn hints(cluster: &Cluster, gateway: &str) -> u64 {
    let mut connection = Connection::open(cluster.admin(gateway))
        .await
        .expect("a connection");
    let metrics = connection
        .exchange(&Request::raw("GET", "/metrics"))
        .await
        .expect("an answer")
        .text();
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("drawbridge_meta_notifications_total "));
    value.expect("the counter").parse().expect("a number")
}

#[tokio::test]
async fn changes_are_notified_over_redis_again_after_redis_was_unavailable() {
    let cluster = Cluster::start().await;
    let set = async || {
        let change =
            serde_json::json!({"name": "draw", "value": "on", "who": "alice", "reason": "r"});
        let request = Request::raw("POST", "/admin/switches")
            .header("Authorization", format!("Bearer {}", cluster.token()))
            .with_body(change.to_string());
        let mut connection = Connection::open(cluster.admin("gateway-0"))
            .await
            .expect("a connection");
        assert_eq!(
            connection
                .exchange(&request)
                .await
                .expect("an answer")
                .status,
            200
        );
    };
    let heard_by_both = async || {
        let before = [
            hints(&cluster, "gateway-0").await,
            hints(&cluster, "gateway-1").await,
        ];
        // A notification without a subscriber is lost, and not sent again.
        eventually("both gateways hear it", SETTLED, async || {
            set().await;
            let now = [
                hints(&cluster, "gateway-0").await,
                hints(&cluster, "gateway-1").await,
            ];
            now.iter()
                .zip(before)
                .all(|(now, before)| *now > before)
                .then_some(())
        })
        .await;
    };
    heard_by_both().await;
    cluster.kill("redis").await;
    set().await;
    cluster.restart("redis").await;
    heard_by_both().await;
}
