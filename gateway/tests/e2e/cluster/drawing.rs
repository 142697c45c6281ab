//! Draws at both gateways and behind nginx: all doors lead to one system.
use std::collections::HashSet;
use std::time::Duration;

use tokio::time::sleep;

use super::client::{Client, Load};
use crate::support::campaign::{DEMO_ACTIVITY, FALLBACK_AWARD, LOAD_ACTIVITY, SCARCE_AWARD};
use crate::support::cluster::ask;
use crate::support::{Call, Cluster, Envelope, Request, ask_all, eventually};

/// The scarce campaign as it is shipped.
const ACTIVITY: u64 = 200_002;
const UNITS: u64 = 1_000;

#[tokio::test]
async fn one_key_has_one_answer_at_every_door() {
    let cluster = Cluster::start().await;
    let doors = cluster.doors();
    for number in 0..30 {
        let call = Call {
            user: format!("u{number}"),
            key: "k".to_owned(),
            activity: LOAD_ACTIVITY,
        };
        let first = ask(doors[number % 3], &call.request())
            .await
            .expect(200, "0000");
        for door in &doors {
            assert_eq!(ask(*door, &call.request()).await.body, first.body);
            call.assert_as_answered(
                &first,
                &ask(*door, &call.record()).await.expect(200, "0000").data,
            );
            let by_order = Request::record(&call.user, "orderId", first.order());
            call.assert_as_answered(
                &first,
                &ask(*door, &by_order).await.expect(200, "0000").data,
            );
            let account = ask(*door, &Request::account(&call.user, LOAD_ACTIVITY))
                .await
                .data;
            assert_eq!(
                account["totalCount"].as_u64().unwrap()
                    - account["totalCountSurplus"].as_u64().unwrap(),
                1
            );
            ask(*door, &Request::draw(&call.user, DEMO_ACTIVITY, "k"))
                .await
                .expect(422, "ERR_REQ_003");
            ask(*door, &Request::record(&call.user, "requestId", "K"))
                .await
                .expect(404, "ERR_REQ_002");
        }
    }

    // Without a key of its own, behind nginx too.
    for door in &doors {
        let answer = ask(*door, &Request::keyless_draw("keyless", LOAD_ACTIVITY))
            .await
            .expect(200, "0000");
        let record = Request::record("keyless", "requestId", answer.key());
        assert_eq!(
            ask(*door, &record).await.data["orderId"],
            answer.data["orderId"]
        );
    }
    assert_eq!(cluster.audited().await, 33);
}

#[tokio::test]
async fn the_same_keys_at_both_gateways_at_once_make_one_order_each() {
    const KEYS: usize = 200;
    let cluster = Cluster::start().await;
    let [first, second] = cluster.gateways();
    // Few users and new ones: the calls meet at rows that are there, and at rows that are not.
    let draws = || {
        (0..KEYS)
            .map(|key| Request::draw(&format!("u{}", key / 8), LOAD_ACTIVITY, &key.to_string()))
    };
    let (one, other) = tokio::join!(
        ask_all(first, draws().collect(), 25),
        ask_all(second, draws().collect(), 25)
    );
    for (one, other) in one.iter().zip(&other) {
        assert_eq!((one.status, &one.body), (200, &other.body));
    }
    let orders: HashSet<&str> = one.iter().map(Envelope::order).collect();
    assert_eq!(orders.len(), KEYS);
    assert_eq!(cluster.audited().await, KEYS as u64);
}

#[tokio::test]
async fn five_thousand_draws_at_both_gateways_win_exactly_the_thousand_units() {
    const DRAWS: usize = 5_000;
    let cluster = Cluster::start().await;
    let [first, second] = cluster.gateways();
    let draws = |place: usize| {
        let of = (0..DRAWS).skip(place).step_by(2);
        of.map(|number| Request::draw(&format!("u{}", number % 500), ACTIVITY, &number.to_string()))
            .collect()
    };
    let (mut answers, more) =
        tokio::join!(ask_all(first, draws(0), 48), ask_all(second, draws(1), 48));
    answers.extend(more);
    let won = |award| {
        answers
            .iter()
            .filter(|answer| answer.code == "0000" && answer.award() == award)
            .count()
    };
    assert_eq!(
        (won(SCARCE_AWARD), won(FALLBACK_AWARD)),
        (1_000, DRAWS - 1_000)
    );
    assert_eq!(
        answers
            .iter()
            .map(Envelope::order)
            .collect::<HashSet<_>>()
            .len(),
        DRAWS
    );

    assert_eq!(
        cluster.stock(ACTIVITY, SCARCE_AWARD).await,
        (UNITS, UNITS, 0)
    );
    assert_eq!(
        cluster.settled_units(ACTIVITY, SCARCE_AWARD).await.issued,
        UNITS
    );
    assert_eq!(cluster.audited().await, DRAWS as u64);
}

#[tokio::test]
async fn a_rolling_restart_of_three_gateways_behind_nginx_and_an_audit_disturb_no_draw() {
    // nginx leaves a gateway that was unavailable alone for two seconds (`fail_timeout`).
    const BETWEEN: Duration = Duration::from_secs(3);
    let cluster = Cluster::of_gateways(3).await;
    let drawing = Client::new(Load {
        seed: 7,
        doors: vec![cluster.listen("nginx")],
        users: (0..200).map(|number| format!("u{number}")).collect(),
        mix: vec![(LOAD_ACTIVITY, 1)],
        per_second: 300,
        timeouts: Duration::from_secs(15),
    })
    .start();
    let restarts = async {
        for gateway in cluster.gateway_names() {
            sleep(BETWEEN).await;
            // It drains first.
            cluster.restart(&gateway).await;
        }
        sleep(BETWEEN).await;
    };
    // Looking does no harm, and what draws go on beside is no fault: at most it cannot be judged.
    let (audit, ()) = tokio::join!(cluster.run(&["audit", "--json"]), restarts);
    let report = audit.green_report();
    for check in report["checks"].as_array().unwrap() {
        assert!(
            check["ok"] == true || check["skipped"].is_string(),
            "{check}"
        );
        assert!(
            check["ok"] == true || check["name"] == "stock_adds_up",
            "{check}"
        );
    }
    let client = drawing.stop().await;
    let tally = client.tally(client.begun);
    assert_eq!(tally.keys().collect::<Vec<_>>(), ["0000"], "{tally:?}");
    assert_eq!(cluster.audited().await, client.answered());
    client.verify(cluster.listen("nginx")).await;
}

#[tokio::test]
async fn a_draw_without_a_key_that_waits_at_a_frozen_gateway_is_made_once() {
    const USERS: usize = 20;
    const DRAWN: &str = "drawbridge_http_requests_total{code=\"0000\",endpoint=\"draw\"} ";
    let cluster = Cluster::start().await;
    cluster.signal("gateway-0", "STOP").await;
    let draws = (0..USERS)
        .map(|user| Request::keyless_draw(&format!("u{user}"), LOAD_ACTIVITY))
        .collect();
    // Some of them are the frozen gateway's users: nginx waits, and asks the other one.
    let answers = ask_all(cluster.listen("nginx"), draws, USERS).await;
    cluster.signal("gateway-0", "CONT").await;
    // What it had taken before it stood still it draws now, under the keys that nginx lent.
    eventually(
        "the frozen gateway draws on",
        Duration::from_secs(20),
        async || {
            let metrics = cluster
                .ask_admin("gateway-0", Request::raw("GET", "/metrics"))
                .await
                .text();
            metrics
                .lines()
                .any(|line| line.starts_with(DRAWN))
                .then_some(())
        },
    )
    .await;
    let [_, gateway] = cluster.gateways();
    for (user, answer) in answers.into_iter().enumerate() {
        let (user, drawn) = (format!("u{user}"), answer.expect(200, "0000"));
        let record = ask(gateway, &Request::record(&user, "requestId", drawn.key()))
            .await
            .data;
        assert_eq!(record["orderId"], drawn.data["orderId"]);
        let account = ask(gateway, &Request::account(&user, LOAD_ACTIVITY))
            .await
            .data;
        assert_eq!(
            account["totalCount"].as_u64().unwrap()
                - account["totalCountSurplus"].as_u64().unwrap(),
            1
        );
    }
    assert_eq!(cluster.audited().await, USERS as u64);
}
