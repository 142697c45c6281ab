//! The audit of a cluster, and its repair, while gateways run.
use serde_json::Value;

use crate::support::campaign::bounded;
use crate::support::cluster::ask;
use crate::support::{Cluster, Request};

const ACTIVITY: u64 = 200_009;
const TABLES: u16 = 4;

async fn started() -> Cluster {
    Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, bounded(ACTIVITY, 100, 3, 100))])
        .await
}

/// The checks that found something, of an audit that must end with code 1.
async fn red(cluster: &Cluster) -> Vec<String> {
    let ran = cluster.run(&["audit", "--json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("a list");
    let red = checks
        .iter()
        .filter(|check| check["violations_total"].as_u64() > Some(0));
    red.map(|check| check["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// As if all draws had been made under a clock that is years ahead.
async fn draw_ahead(cluster: &Cluster) {
    for shard in ["shard-0", "shard-1"] {
        for table in 0..TABLES {
            let orders = format!("UPDATE raffle_order_{table} SET day = 20400101");
            cluster.execute(shard, &orders).await;
            let calls = format!("UPDATE raffle_call_{table} SET created_at_ms = 2208988800000");
            cluster.execute(shard, &calls).await;
            let accounts = format!(
                "UPDATE raffle_account_{table} SET day = 20400101, day_used = used, month_used = used"
            );
            cluster.execute(shard, &accounts).await;
        }
    }
}

#[tokio::test]
async fn accounts_of_a_clock_that_was_ahead_are_set_back_beside_the_gateways() {
    let cluster = started().await;
    let users = cluster.users_of_lanes(2);
    let draw = async |user: &str, key: &str| {
        ask(
            cluster.listen("gateway-0"),
            &Request::draw(user, ACTIVITY, key),
        )
        .await
        .code
    };
    for user in &users {
        for key in ["1", "2", "3"] {
            assert_eq!(draw(user, key).await, "0000");
        }
    }
    cluster.audited().await;
    draw_ahead(&cluster).await;
    assert_eq!(red(&cluster).await, ["orders_not_in_the_future"]);
    assert_ne!(
        draw(&users[0], "4").await,
        "0000",
        "three draws were made on that day"
    );

    for arguments in [
        &["audit", "--repair"][..],
        &["audit", "--repair", "--reason", " "],
        &["audit", "--reason", "r"],
    ] {
        cluster.run(arguments).await.failed(2);
    }
    let repair = [
        "audit",
        "--json",
        "--repair",
        "--reason",
        "a clock was ahead",
        "--who",
        "alice",
    ];
    let ran = cluster.run(&repair).await;
    assert!(
        ran.stderr
            .contains(&format!("{} accounts were set back", users.len())),
        "{ran:?}"
    );
    ran.green_report();
    for user in &users {
        assert_eq!(draw(user, "4").await, "0000");
    }
    let again = cluster.run(&repair).await;
    assert!(!again.stderr.contains("set back"), "{again:?}");
    again.green_report();
    let noted = "SELECT CAST(COUNT(*) AS SIGNED) FROM audit_trail
                 WHERE who = 'alice' AND what = 'audit --repair' AND why = 'a clock was ahead'";
    assert_eq!(cluster.numbers("meta", noted).await, [1]);
    assert_eq!(cluster.audited().await, 4 * users.len() as u64);
}

#[tokio::test]
async fn segments_that_do_not_sum_to_the_operations_are_found() {
    let cluster = started().await;
    cluster.audited().await;
    cluster
        .execute(
            "meta",
            "UPDATE stock_segment SET server = 2 WHERE segment = 3",
        )
        .await;
    assert_eq!(red(&cluster).await, ["segments_match_operations"]);
    cluster
        .execute(
            "meta",
            "UPDATE stock_segment SET server = 1 WHERE segment = 3",
        )
        .await;
    cluster.audited().await;
    cluster
        .execute(
            "meta",
            "UPDATE stock_segment SET total = total - 1 WHERE segment = 3",
        )
        .await;
    assert_eq!(red(&cluster).await, ["segments_match_operations"]);
    cluster
        .execute(
            "meta",
            "UPDATE stock_segment SET total = total + 1 WHERE segment = 3",
        )
        .await;
    cluster.audited().await;
}

#[tokio::test]
async fn units_that_another_lane_counted_are_found() {
    let cluster = started().await;
    for user in cluster.users_of_lanes(2) {
        let drawn = ask(
            cluster.listen("gateway-0"),
            &Request::draw(&user, ACTIVITY, "1"),
        )
        .await;
        assert_eq!(drawn.code, "0000");
    }
    cluster.audited().await;
    cluster
        .execute(
            "shard-1",
            "UPDATE stock_issued SET lane = lane + 100 WHERE run > 0",
        )
        .await;
    assert_eq!(
        red(&cluster).await,
        ["issued_counters_match_orders"],
        "their sum is right"
    );
    cluster
        .execute(
            "shard-1",
            "UPDATE stock_issued SET lane = lane - 100 WHERE lane >= 100",
        )
        .await;
    cluster.audited().await;
}

#[tokio::test]
async fn a_check_that_could_not_be_made_is_not_ok() {
    let cluster = started().await;
    cluster.signal("redis", "STOP").await;
    let ran = cluster.run(&["audit", "--json"]).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    for check in report["checks"].as_array().expect("a list") {
        let skipped = check["name"] == "stock_adds_up";
        assert_eq!(
            (check["ok"].as_bool(), check["skipped"].is_string()),
            (Some(!skipped), skipped),
            "{check}"
        );
    }
    cluster.signal("redis", "CONT").await;
    cluster.audited().await;
}
