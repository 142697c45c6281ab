//! What all gateways obey, and what they report of it: three gateways, one of which can be cut off
//! from the meta database.
use std::time::Duration;

use serde_json::Value;

use crate::support::campaign::unlimited;
use crate::support::cluster::ask;

use crate::support::{
    Cluster, Connection, FOLLOWED, Proxy, ProxyWay, Ran, Request, eventually, run,
};

const ACTIVITY: u64 = 200_005;
const GATEWAYS: [&str; 3] = ["gateway-0", "gateway-1", "gateway-2"];

/// A gateway that can reach the meta database again follows within this time.
const BACK: Duration = Duration::from_secs(20);

/// Three gateways, the second of which reaches the meta database through a proxy.
async fn started() -> (Cluster, Proxy) {
    let cluster = Cluster::of_gateways(3)
        .await
        .with_campaigns(&[(ACTIVITY, unlimited(ACTIVITY))])
        .await;
    let port = cluster.port("meta");
    let proxy = Proxy::before(port).await;
    cluster.reroute("gateway-1", &[(port, proxy.port())]).await;
    (cluster, proxy)
}

/// Runs a command at a gateway.
async fn tell(cluster: &Cluster, gateway: &str, words: &[&str]) -> Ran {
    let (admin, token) = (
        format!("http://{}", cluster.admin(gateway)),
        cluster.token_file(),
    );
    run(cluster.program(&[words, &["--admin", &admin, "--token-file", &token]].concat())).await
}

/// The same for a change, with a reason.
async fn change(cluster: &Cluster, gateway: &str, words: &[&str]) -> Ran {
    tell(
        cluster,
        gateway,
        &[words, &["--reason", "the test wants it", "--who", "alice"]].concat(),
    )
    .await
}

/// A change that all are expected to obey.
async fn obeyed_by(cluster: &Cluster, count: usize, words: &[&str]) {
    let said = change(cluster, "gateway-0", &[words, &["--wait", "20s"]].concat())
        .await
        .ok();
    assert_eq!(said, format!("obeyed by {count} of {count}\n"), "{words:?}");
}

/// The list of gateways, as the first one has it.
async fn gateways(cluster: &Cluster) -> Vec<Value> {
    let list = tell(cluster, "gateway-0", &["gateways", "--json"])
        .await
        .ok();
    serde_json::from_str(&list).expect("JSON")
}

async fn gateway(cluster: &Cluster, name: &str) -> Option<Value> {
    gateways(cluster)
        .await
        .into_iter()
        .find(|gateway| gateway["name"] == name)
}

fn names(gateways: &[Value]) -> Vec<&str> {
    gateways
        .iter()
        .map(|gateway| gateway["name"].as_str().expect("a name"))
        .collect()
}

fn has_failed(gateway: &Value, kind: &str) -> bool {
    gateway["failures"]
        .as_array()
        .is_some_and(|failures| failures.iter().any(|failure| failure["kind"] == kind))
}

async fn code(cluster: &Cluster, gateway: &str, user: &str) -> String {
    ask(
        cluster.listen(gateway),
        &Request::keyless_draw(user, ACTIVITY),
    )
    .await
    .code
}

async fn all_answer(cluster: &Cluster, gateways: &[&str], expected: &str) {
    for gateway in gateways {
        assert_eq!(code(cluster, gateway, "u").await, expected, "{gateway}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_cut_off_is_named_and_obeys_when_it_is_back() {
    let (cluster, proxy) = started().await;
    let list = gateways(&cluster).await;
    assert_eq!(names(&list), GATEWAYS);
    let hash = &list[0]["configHash"];
    for (name, gateway) in GATEWAYS.iter().zip(&list) {
        assert_eq!(
            (&gateway["state"], &gateway["version"]),
            (&"live".into(), &env!("CARGO_PKG_VERSION").into())
        );
        assert_eq!(gateway["admin"], cluster.admin(name).to_string());
        assert_eq!(
            &gateway["configHash"] == hash,
            *name != "gateway-1",
            "its meta database has another port"
        );
    }

    // All gateways obey before the command returns, also where one activity was set on (D2).
    let activity = ACTIVITY.to_string();
    obeyed_by(
        &cluster,
        3,
        &["switch", "set", "draw", "on", "--activity", &activity],
    )
    .await;
    obeyed_by(&cluster, 3, &["switch", "set", "draw", "off"]).await;
    all_answer(&cluster, &GATEWAYS, "0004").await;
    obeyed_by(&cluster, 3, &["switch", "clear", "draw"]).await;
    all_answer(&cluster, &GATEWAYS, "0000").await;

    // One is cut off: it draws on, and the command says so.
    proxy.set(ProxyWay::Silent);
    let said = change(&cluster, "gateway-0", &["switch", "set", "draw", "off"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stdout
            .starts_with("obeyed by 2 of 3\ngateway-1 still at revision "),
        "{said:?}"
    );
    all_answer(&cluster, &["gateway-0", "gateway-2"], "0004").await;
    all_answer(&cluster, &["gateway-1"], "0000").await;
    for metric in [
        "drawbridge_meta_revision",
        "drawbridge_meta_followed_timestamp_seconds",
    ] {
        eventually(metric, FOLLOWED, async || {
            let there = cluster.metric("gateway-0", metric).await;
            (cluster.metric("gateway-1", metric).await < there).then_some(())
        })
        .await;
    }

    // It obeys an operator without the meta database; a change for all cannot be made there.
    let refused = change(&cluster, "gateway-1", &["switch", "set", "draw", "off"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--here"), "{refused:?}");
    change(
        &cluster,
        "gateway-1",
        &["switch", "set", "draw", "off", "--here"],
    )
    .await
    .ok();
    all_answer(&cluster, &["gateway-1"], "0004").await;
    eventually("it is measured", FOLLOWED, async || {
        (cluster
            .metric("gateway-1", "drawbridge_fleet_overrides")
            .await
            >= 1.0)
            .then_some(())
    })
    .await;
    change(
        &cluster,
        "gateway-1",
        &["switch", "clear", "draw", "--here"],
    )
    .await
    .ok();
    all_answer(&cluster, &["gateway-1"], "0000").await;

    // After a while it is silent, and can be forgotten.
    let early = change(&cluster, "gateway-0", &["gateways", "forget", "gateway-2"]).await;
    assert!(
        early.code == Some(2) && early.stderr.contains("gateway-2 reported"),
        "{early:?}"
    );
    let aged = "UPDATE gateway SET seen_at = seen_at - INTERVAL 1 MINUTE WHERE name = 'gateway-1'";
    cluster.execute("meta", aged).await;
    assert_eq!(
        gateway(&cluster, "gateway-1").await.expect("listed")["state"],
        "silent"
    );
    let said = change(
        &cluster,
        "gateway-0",
        &["switch", "set", "draw", "off", "--wait", "0s"],
    )
    .await;
    assert!(
        said.code == Some(1) && said.stdout.contains("gateway-1 last seen "),
        "{said:?}"
    );
    change(&cluster, "gateway-0", &["gateways", "forget", "gateway-1"])
        .await
        .ok();
    assert_eq!(names(&gateways(&cluster).await), ["gateway-0", "gateway-2"]);
    obeyed_by(&cluster, 2, &["switch", "set", "draw", "off"]).await;

    proxy.set(ProxyWay::Open);
    eventually("it obeys", BACK, async || {
        (code(&cluster, "gateway-1", "u").await == "0004").then_some(())
    })
    .await;
    eventually("it is listed", BACK, async || {
        gateway(&cluster, "gateway-1").await
    })
    .await;
    obeyed_by(&cluster, 3, &["switch", "clear", "draw"]).await;
    all_answer(&cluster, &GATEWAYS, "0000").await;
    cluster.audited().await;
}

#[tokio::test]
async fn breakers_and_rotation_reach_all_gateways_and_mistyped_names_change_nothing() {
    let cluster = Cluster::of_gateways(3)
        .await
        .with_campaigns(&[(ACTIVITY, unlimited(ACTIVITY))])
        .await;
    let user = cluster.users_of(1, 1).remove(0);

    obeyed_by(&cluster, 3, &["breaker", "set", "shard-1", "forced_open"]).await;
    for gateway in GATEWAYS {
        assert_eq!(code(&cluster, gateway, &user).await, "0006", "{gateway}");
    }
    // One that starts now obeys too, from its first draw on.
    cluster.restart("gateway-2").await;
    assert_eq!(code(&cluster, "gateway-2", &user).await, "0006");
    assert_eq!(
        names(&gateways(&cluster).await),
        GATEWAYS,
        "it took its own place"
    );
    obeyed_by(&cluster, 3, &["breaker", "clear", "shard-1"]).await;
    for gateway in GATEWAYS {
        assert_eq!(code(&cluster, gateway, &user).await, "0000", "{gateway}");
    }

    // Out of rotation it says so to load balancers, and goes on serving.
    let ready = async |gateway| {
        let mut connection = Connection::open(cluster.admin(gateway))
            .await
            .expect("a connection");
        let response = connection
            .exchange(&Request::raw("GET", "/readyz"))
            .await
            .expect("an answer");
        (response.status, response.text())
    };
    let said = change(
        &cluster,
        "gateway-0",
        &["gateways", "out", "gateway-2", "--wait", "20s"],
    )
    .await
    .ok();
    assert_eq!(said, "obeyed by 1 of 1\n");
    assert_eq!(
        ready("gateway-2").await,
        (
            503,
            "out of rotation by alice: the test wants it\n".to_owned()
        )
    );
    assert_eq!(
        (
            ready("gateway-0").await.0,
            code(&cluster, "gateway-2", "u").await.as_str()
        ),
        (200, "0000")
    );
    let out = gateway(&cluster, "gateway-2").await.expect("listed");
    assert_eq!(
        (&out["state"], &out["outBecause"]),
        (&"out".into(), &"by alice: the test wants it".into())
    );
    let unknown = change(&cluster, "gateway-0", &["gateways", "out", "gateway-9"]).await;
    assert!(
        unknown.code == Some(2) && unknown.stderr.contains("gateway-0, gateway-1, gateway-2"),
        "{unknown:?}"
    );
    change(
        &cluster,
        "gateway-0",
        &["gateways", "in", "gateway-2", "--wait", "20s"],
    )
    .await
    .ok();
    // A mistyped name changes nothing, and is refused.
    for slip in [
        ["gateways", "in", "gateway-9"],
        ["breaker", "clear", "shard-9"],
        ["limits", "clear", "route.drow"],
    ] {
        let slipped = change(&cluster, "gateway-0", &slip).await;
        assert!(
            slipped.code == Some(2) && slipped.stderr.contains(slip[2]),
            "{slipped:?}"
        );
    }
    let nothing = change(
        &cluster,
        "gateway-0",
        &["switch", "clear", "draw", "--here"],
    )
    .await;
    assert!(
        nothing.code == Some(2) && nothing.stderr.contains("nothing is set for draw"),
        "{nothing:?}"
    );
    assert_eq!(ready("gateway-2").await.0, 200);
    cluster.audited().await;
}

#[tokio::test]
async fn limits_logs_reloads_and_failures_reach_all_gateways_and_stops_leave_the_list() {
    let cluster = Cluster::of_gateways(3)
        .await
        .with_campaigns(&[(ACTIVITY, unlimited(ACTIVITY))])
        .await;
    obeyed_by(&cluster, 3, &["limits", "set", "route.draw", "0"]).await;
    all_answer(&cluster, &GATEWAYS, "ERR_GW_011").await;
    obeyed_by(&cluster, 3, &["limits", "clear", "route.draw"]).await;
    obeyed_by(&cluster, 3, &["cooldown", "set", "robot", "--for", "1h"]).await;
    for gateway in GATEWAYS {
        assert_eq!(
            code(&cluster, gateway, "robot").await,
            "ERR_GW_013",
            "{gateway}"
        );
    }
    obeyed_by(&cluster, 3, &["cooldown", "clear", "robot"]).await;
    for gateway in GATEWAYS {
        assert_eq!(code(&cluster, gateway, "robot").await, "0000", "{gateway}");
    }
    obeyed_by(&cluster, 3, &["log", "set", "debug", "--for", "1h"]).await;
    assert_eq!(
        tell(&cluster, "gateway-1", &["log", "show"]).await.ok(),
        "debug\n"
    );
    obeyed_by(&cluster, 3, &["log", "clear"]).await;
    let bad = change(&cluster, "gateway-0", &["log", "set", "shards=loud"]).await;
    assert!(
        bad.code == Some(2) && bad.stderr.contains("filter: "),
        "{bad:?}"
    );
    obeyed_by(&cluster, 3, &["reload"]).await;
    cluster.add_to_config("gateway-1", "[lgo]\n");
    let said = change(&cluster, "gateway-0", &["reload", "--wait", "20s"]).await;
    assert!(
        said.code == Some(1)
            && said
                .stdout
                .starts_with("obeyed by 2 of 3\ngateway-1 could not: "),
        "{said:?}"
    );

    // A setting of a newer program is named as what it is.
    cluster
        .execute(
            "meta",
            "INSERT INTO fleet_setting VALUES ('future', 'all', '1', 'w', 'y', 0, 0, 1)",
        )
        .await;
    cluster
        .execute("meta", "UPDATE revision SET number = number + 1")
        .await;
    eventually("the failure is reported", FOLLOWED, async || {
        let failed = gateways(&cluster)
            .await
            .iter()
            .all(|gateway| has_failed(gateway, "future"));
        failed.then_some(())
    })
    .await;
    eventually("it is measured", FOLLOWED, async || {
        (cluster
            .metric("gateway-0", "drawbridge_fleet_failures")
            .await
            >= 1.0)
            .then_some(())
    })
    .await;

    // A stop leaves the list; a process that was killed leaves its row to the next one of its name.
    cluster.kill("gateway-2").await;
    cluster.restart("gateway-2").await;
    assert_eq!(names(&gateways(&cluster).await), GATEWAYS);
    cluster.signal("gateway-2", "TERM").await;
    eventually("it leaves", Duration::from_mins(1), async || {
        (names(&gateways(&cluster).await) == ["gateway-0", "gateway-1"]).then_some(())
    })
    .await;
    obeyed_by(&cluster, 2, &["switch", "clear", "draw"]).await;
    let log = tell(&cluster, "gateway-0", &["gateways"]).await.ok();
    assert!(log.contains("could not obey: future all: "), "{log}");
    cluster.audited().await;
}
