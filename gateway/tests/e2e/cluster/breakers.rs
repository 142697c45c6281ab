//! Circuit breakers of a cluster: they open before shards and stock servers that hang, and close
//! by themselves.
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Executor as _, Row as _};
use tokio::time::sleep;

use super::client::{Client, Drawing, Load, Outcome};
use crate::support::campaign::{FALLBACK_AWARD, LOAD_ACTIVITY, SCARCE_AWARD, falling_back, scarce};
use crate::support::cluster::ask;
use crate::support::{Cluster, Connection, Ran, Request, eventually};

const GATEWAYS: [&str; 2] = ["gateway-0", "gateway-1"];

/// Refuses draws while the stock is unavailable.
const REFUSING: u64 = 200_003;
/// Gives the fallback prize meanwhile.
const FALLING_BACK: u64 = 200_004;
const UNITS: u64 = 5_000;

/// A breaker opens within this time after what it stands before hangs: callers are let down after
/// two seconds, and before that the window still holds calls that went well.
const OPENS: Duration = Duration::from_secs(10);
/// And closes within this time after that is back.
const CLOSES: Duration = Duration::from_secs(10);

/// `breakers.probes` and `breakers.open_min_ms`.
const PROBES: usize = 3;
const OPEN_MIN: Duration = Duration::from_secs(1);
/// `lanes.queue_timeout_ms`: a draw that is answered before that has not waited for the shard.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);

/// Draws of these users at both gateways.
fn drawing(
    cluster: &Cluster,
    users: Vec<String>,
    mix: Vec<(u64, u64)>,
    per_second: u32,
) -> Drawing {
    let load = Load {
        seed: per_second.into(),
        doors: cluster.gateways().into(),
        users,
        mix,
        per_second,
        timeouts: Duration::from_secs(15),
    };
    Client::new(load).start()
}

/// A breaker of a gateway, as the admin API shows it.
async fn breaker(cluster: &Cluster, gateway: &str, name: &str) -> Value {
    let mut connection = Connection::open(cluster.admin(gateway))
        .await
        .expect("a connection");
    let request = Request::raw("GET", "/admin/breakers")
        .header("Authorization", format!("Bearer {}", cluster.token()));
    let response = connection.exchange(&request).await.expect("an answer");
    assert_eq!(response.status, 200, "{}", response.text());
    let list: Value = serde_json::from_str(&response.text()).expect("JSON");
    let breakers = list["breakers"].as_array().expect("breakers");
    breakers
        .iter()
        .find(|breaker| breaker["name"] == name)
        .unwrap_or_else(|| panic!("{name} in {list}"))
        .clone()
}

/// Waits until a breaker of both gateways is open, or is closed.
async fn all_are(cluster: &Cluster, name: &str, state: &str, within: Duration) {
    for gateway in GATEWAYS {
        let what = format!("{name} of {gateway} is {state}");
        eventually(&what, within, async || {
            (breaker(cluster, gateway, name).await["state"] == state).then_some(())
        })
        .await;
    }
}

/// Waits until a breaker of both gateways has opened, now or a while ago.
async fn all_opened(cluster: &Cluster, name: &str) {
    for gateway in GATEWAYS {
        let what = format!("{name} of {gateway} opens");
        eventually(&what, OPENS, async || {
            (breaker(cluster, gateway, name).await["state"] != "closed").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_shard_that_hangs_trips_its_breaker_which_closes_by_itself() {
    let cluster = Cluster::start().await;
    let mix = vec![(LOAD_ACTIVITY, 1)];
    let sick = drawing(&cluster, cluster.users_of(1, 100), mix.clone(), 150);
    let well = drawing(&cluster, cluster.users_of(0, 100), mix, 100);
    sleep(Duration::from_secs(1)).await;

    cluster.signal("shard-1", "STOP").await;
    all_opened(&cluster, "shard-1").await;
    let opened = Instant::now();
    sleep(Duration::from_secs(4)).await;
    let until = Instant::now();
    cluster.signal("shard-1", "CONT").await;
    all_are(&cluster, "shard-1", "closed", CLOSES).await;
    let closed = breaker(&cluster, GATEWAYS[0], "shard-1").await;
    assert_eq!(
        (&closed["reason"], &closed["mode"]),
        (&"3 probes were answered".into(), &"automatic".into())
    );
    for user in cluster.users_of(1, 16) {
        for (place, gateway) in cluster.gateways().into_iter().enumerate() {
            ask(
                gateway,
                &Request::draw(&user, LOAD_ACTIVITY, &format!("back-{place}")),
            )
            .await
            .expect(200, "0000");
        }
    }

    let (sick, well) = (sick.stop().await, well.stop().await);
    let reported = sick.attempts_since(opened);
    let reported: Vec<_> = reported
        .into_iter()
        .filter(|attempt| attempt.sent < until)
        .collect();
    let refused =
        |attempt: &&super::client::Attempt| attempt.outcome == Outcome::Refused("0006".to_owned());
    let by_the_breaker: Vec<_> = reported.iter().filter(refused).collect();
    let rounds =
        usize::try_from((until - opened).as_millis() / OPEN_MIN.as_millis()).expect("a few") + 2;
    println!(
        "{} of {} requests were refused by the breaker",
        by_the_breaker.len(),
        reported.len()
    );
    assert!(by_the_breaker.len() > 100);
    assert!(
        by_the_breaker
            .iter()
            .all(|attempt| attempt.took < QUEUE_TIMEOUT),
        "no draw waits"
    );
    let asked = reported.len() - by_the_breaker.len();
    assert!(
        asked <= rounds * PROBES * GATEWAYS.len(),
        "{asked} probes in {rounds} rounds"
    );
    let others = well.attempts_since(well.begun);
    assert!(
        others
            .iter()
            .all(|attempt| attempt.outcome == Outcome::Answered),
        "{:?}",
        well.tally(well.begun)
    );
    for gateway in GATEWAYS {
        assert_eq!(
            breaker(&cluster, gateway, "shard-0").await["reason"],
            "the process began"
        );
        let log = cluster.log(gateway);
        let opened = log.lines().any(|line| {
            ["WARN", "a breaker changed", "shard-1", "open"]
                .iter()
                .all(|part| line.contains(part))
        });
        assert!(opened, "{gateway} has logged nothing");
    }
    for client in [sick, well] {
        client.answer_all().await;
        client.verify(cluster.listen("nginx")).await;
    }
    cluster.audited().await;
}

#[tokio::test]
async fn a_redis_that_hangs_trips_its_breaker_and_draws_refuse_or_fall_back_at_once() {
    let campaigns = [
        (REFUSING, scarce(REFUSING, UNITS)),
        (FALLING_BACK, falling_back(FALLING_BACK, UNITS)),
    ];
    let cluster = Cluster::start().await.with_campaigns(&campaigns).await;
    let users = (0..100).map(|number| format!("u{number}")).collect();
    let load = drawing(&cluster, users, vec![(REFUSING, 1)], 100);
    sleep(Duration::from_millis(500)).await;

    cluster.signal("redis", "STOP").await;
    all_opened(&cluster, "redis-1").await;
    for (place, gateway) in cluster.gateways().into_iter().enumerate() {
        for number in 0..5 {
            let draw = |activity| {
                Request::draw(
                    &format!("unavailable-{number}"),
                    activity,
                    &format!("{place}-{activity}"),
                )
            };
            assert!(
                ask(gateway, &draw(REFUSING))
                    .await
                    .expect(503, "ERR_GW_004")
                    .retry_after_s
                    .is_some()
            );
            assert_eq!(
                ask(gateway, &draw(FALLING_BACK))
                    .await
                    .expect(200, "0000")
                    .award(),
                FALLBACK_AWARD
            );
        }
        // The shards are well.
        for shard in ["shard-0", "shard-1"] {
            assert_eq!(
                breaker(&cluster, GATEWAYS[place], shard).await["state"],
                "closed"
            );
        }
    }
    cluster.signal("redis", "CONT").await;
    all_are(&cluster, "redis-1", "closed", CLOSES).await;
    for gateway in cluster.gateways() {
        eventually("units are given", CLOSES, async || {
            let answer = ask(
                gateway,
                &Request::draw("back", REFUSING, &format!("{gateway}")),
            )
            .await;
            (answer.code == "0000").then(|| assert_eq!(answer.award(), SCARCE_AWARD))
        })
        .await;
    }
    let client = load.stop().await;
    client.answer_all().await;
    for activity in [REFUSING, FALLING_BACK] {
        cluster.settled_units(activity, SCARCE_AWARD).await;
    }
    cluster.audited().await;
}

/// `drawbridge breaker ...` on a gateway.
async fn command(cluster: &Cluster, gateway: &str, words: &[&str]) -> Ran {
    let admin = format!("http://{}", cluster.admin(gateway));
    let token = cluster.token_file();
    crate::support::run(
        cluster.program(
            &[
                &["breaker"],
                words,
                &["--admin", &admin, "--token-file", &token],
            ]
            .concat(),
        ),
    )
    .await
}

#[tokio::test]
async fn operators_force_a_breaker_of_one_gateway_open_and_clear_it() {
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(REFUSING, scarce(REFUSING, UNITS))])
        .await;
    let [first, second] = cluster.gateways();
    let [here, there] = [1, 0].map(|shard| cluster.users_of(shard, 1).remove(0));
    let record = ["--reason", "it is moved", "--who", "alice"];
    let set = async |words: &[&str]| {
        command(
            &cluster,
            "gateway-0",
            &[&["set"], words, &record, &["--here"]].concat(),
        )
        .await
        .ok();
        command(&cluster, "gateway-0", &["list"]).await.ok()
    };
    let clear = async |name: &str| {
        command(
            &cluster,
            "gateway-0",
            &[&["clear", name, "--here"], &record[..]].concat(),
        )
        .await
        .ok();
    };
    ask(first, &Request::draw(&here, REFUSING, "before"))
        .await
        .expect(200, "0000");

    let list = set(&["shard-1", "forced_open"]).await;
    let row = list
        .lines()
        .find(|line| line.starts_with("shard-1"))
        .expect("a row");
    assert!(row.contains("forced_open by alice: it is moved"), "{list}");
    let refused = ask(first, &Request::draw(&here, REFUSING, "a"))
        .await
        .expect(503, "0006");
    assert_eq!(refused.retry_after_s, Some(5));
    ask(first, &Request::record(&here, "requestId", "before"))
        .await
        .expect(503, "0006");
    ask(first, &Request::account(&here, REFUSING))
        .await
        .expect(503, "0006");
    ask(first, &Request::draw(&there, REFUSING, "a"))
        .await
        .expect(200, "0000");
    // Another gateway judges for itself.
    ask(second, &Request::draw(&here, REFUSING, "a"))
        .await
        .expect(200, "0000");
    clear("shard-1").await;
    ask(first, &Request::draw(&here, REFUSING, "a"))
        .await
        .expect(200, "0000");

    set(&["redis-1", "forced_open", "--for", "1h"]).await;
    let open = breaker(&cluster, "gateway-0", "redis-1").await;
    assert_eq!(
        (&open["state"], &open["mode"]),
        (&"open".into(), &"forced_open".into())
    );
    assert!(
        open["expiresAt"].is_string() && open["probesInMs"].is_null(),
        "{open}"
    );
    ask(first, &Request::draw(&there, REFUSING, "b"))
        .await
        .expect(503, "ERR_GW_004");
    clear("redis-1").await;
    ask(first, &Request::draw(&there, REFUSING, "b"))
        .await
        .expect(200, "0000");

    let log = "SELECT CAST(CONCAT_WS(' ', who, what, detail, why) AS CHAR) FROM audit_trail ORDER BY entry_id";
    let log = cluster
        .sql("meta")
        .await
        .fetch_all(log)
        .await
        .expect("the log");
    let log: Vec<String> = log.iter().map(|row| row.get(0)).collect();
    let orders = [
        ("forced_open", "shard-1"),
        ("cleared", "shard-1"),
        ("forced_open", "redis-1"),
        ("cleared", "redis-1"),
    ];
    let expected = orders
        .map(|(what, name)| format!("alice breaker {what} here {name} on gateway-0 it is moved"));
    assert_eq!(log, expected);

    // It is obeyed without the meta database.
    cluster.kill("meta").await;
    set(&["shard-1", "forced_open"]).await;
    ask(first, &Request::draw(&here, REFUSING, "c"))
        .await
        .expect(503, "0006");
    clear("shard-1").await;
    ask(first, &Request::draw(&here, REFUSING, "c"))
        .await
        .expect(200, "0000");
    cluster.restart("meta").await;
    cluster.audited().await;
}
