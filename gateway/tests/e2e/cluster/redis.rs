//! Redis forgets, dies and hangs: draws that need stock wait or fall back, all others go on, and
//! the units are there again by themselves.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::{Client, Load};
use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, falling_back, scarce, unlimited};
use crate::support::cluster::ask;
use crate::support::{Cluster, Request, ask_all, eventually};

/// Refuses draws while the stock is unavailable.
const REFUSING: u64 = 200_003;
/// Gives the fallback prize meanwhile.
const FALLING_BACK: u64 = 200_004;
/// Needs no stock.
const UNLIMITED: u64 = 200_005;

const UNITS: u64 = 5_000;

/// The stock is there again within this time after Redis is.
const BACK: Duration = Duration::from_secs(4);

async fn started() -> Cluster {
    let campaigns = [
        (REFUSING, scarce(REFUSING, UNITS)),
        (FALLING_BACK, falling_back(FALLING_BACK, UNITS)),
        (UNLIMITED, unlimited(UNLIMITED)),
    ];
    Cluster::start().await.with_campaigns(&campaigns).await
}

fn load(cluster: &Cluster, per_second: u32) -> std::sync::Arc<Client> {
    Client::new(Load {
        seed: 6,
        doors: cluster.doors(),
        users: (0..200).map(|number| format!("u{number}")).collect(),
        mix: vec![(REFUSING, 4), (FALLING_BACK, 1), (UNLIMITED, 1)],
        per_second,
        timeouts: Duration::from_secs(8),
    })
}

/// What draws get while the stock is unavailable.
async fn stock_is_unavailable(gateway: SocketAddr, round: &str) {
    for number in 0..5 {
        let draw = |activity| {
            Request::draw(
                &format!("unavailable-{number}"),
                activity,
                &format!("{round}-{activity}"),
            )
        };
        let refused = ask(gateway, &draw(REFUSING))
            .await
            .expect(503, "ERR_GW_004");
        assert!(refused.retry_after_s.is_some());
        assert_eq!(
            ask(gateway, &draw(FALLING_BACK))
                .await
                .expect(200, "0000")
                .award(),
            FALLBACK_AWARD
        );
        assert_eq!(
            ask(gateway, &draw(UNLIMITED))
                .await
                .expect(200, "0000")
                .award(),
            SCARCE_AWARD
        );
        // The key of a refused draw stays free, that of an answered one keeps its answer.
        ask(
            gateway,
            &Request::record(
                &format!("unavailable-{number}"),
                "requestId",
                &format!("{round}-{REFUSING}"),
            ),
        )
        .await
        .expect(404, "ERR_REQ_002");
        let again = ask(gateway, &Request::draw("before", REFUSING, "k"))
            .await
            .expect(200, "0000");
        assert_eq!(again.award(), SCARCE_AWARD);
    }
}

/// Waits until both gateways give units again; returns how long it took.
async fn stock_is_back(cluster: &Cluster, round: &str) -> Duration {
    let since = Instant::now();
    for gateway in cluster.gateways() {
        let mut number = 0;
        eventually("the stock is back", BACK, async || {
            number += 1;
            let draw = Request::draw("back", REFUSING, &format!("{round}-{gateway}-{number}"));
            let answer = ask(gateway, &draw).await;
            if answer.code == "ERR_GW_004" {
                return None;
            }
            assert_eq!(answer.expect(200, "0000").award(), SCARCE_AWARD);
            Some(())
        })
        .await;
    }
    since.elapsed()
}

#[tokio::test]
async fn while_redis_is_unavailable_draws_refuse_or_fall_back_as_their_campaign_says() {
    let cluster = started().await;
    ask(
        cluster.listen("nginx"),
        &Request::draw("before", REFUSING, "k"),
    )
    .await
    .expect(200, "0000");
    cluster.signal("redis", "STOP").await;
    for gateway in cluster.gateways() {
        stock_is_unavailable(gateway, &format!("paused-{gateway}")).await;
    }
    cluster.signal("redis", "CONT").await;
    println!(
        "back {:?} after a pause",
        stock_is_back(&cluster, "paused").await
    );

    cluster.kill("redis").await;
    for gateway in cluster.gateways() {
        stock_is_unavailable(gateway, &format!("killed-{gateway}")).await;
    }
    // It begins empty.
    cluster.restart("redis").await;
    println!(
        "back {:?} after a restart",
        stock_is_back(&cluster, "killed").await
    );

    for activity in [REFUSING, FALLING_BACK] {
        cluster.settled_units(activity, SCARCE_AWARD).await;
    }
    cluster.audited().await;
}

#[tokio::test]
async fn a_restart_of_redis_that_a_gateway_slept_through_is_noticed() {
    let cluster = started().await;
    for gateway in cluster.gateways() {
        // Many at once, so that the gateway has several connections.
        let draws = (0..200)
            .map(|number| Request::draw(&format!("u{number}"), REFUSING, &format!("{gateway}")));
        let answers = ask_all(gateway, draws.collect(), 64).await;
        assert!(
            answers.iter().all(|answer| answer.code == "0000"),
            "{answers:?}"
        );
    }
    cluster.kill("redis").await;
    cluster.restart("redis").await;
    eventually("the stock is rebuilt", BACK, async || {
        (cluster.redis(&["EXISTS", "drawbridge:stock"]).await == ["1"]).then_some(())
    })
    .await;
    // Gateways have heard of the new process before they use any of their connections again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    stock_is_back(&cluster, "slept").await;
    cluster.settled_units(REFUSING, SCARCE_AWARD).await;
    cluster.audited().await;
}

#[tokio::test]
async fn a_redis_that_forgets_dies_and_hangs_under_load_issues_exactly_what_there_is() {
    let cluster = started().await;
    let drawing = load(&cluster, 250).start();
    let pause = async || tokio::time::sleep(Duration::from_millis(400)).await;
    for round in 0..4 {
        pause().await;
        cluster.redis(&["FLUSHALL"]).await;
        println!(
            "back {:?} after FLUSHALL",
            stock_is_back(&cluster, &format!("flush-{round}")).await
        );
    }
    // One of its two keys is enough.
    cluster.redis(&["DEL", "drawbridge:grants"]).await;
    stock_is_back(&cluster, "grants").await;
    pause().await;
    cluster.redis(&["DEL", "drawbridge:stock"]).await;
    stock_is_back(&cluster, "stock").await;
    for round in 0..2 {
        pause().await;
        cluster.kill("redis").await;
        cluster.restart("redis").await;
        println!(
            "back {:?} after a restart",
            stock_is_back(&cluster, &format!("kill-{round}")).await
        );
    }
    pause().await;
    cluster.signal("redis", "STOP").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.signal("redis", "CONT").await;
    println!(
        "back {:?} after a pause",
        stock_is_back(&cluster, "pause").await
    );
    pause().await;

    let client = drawing.stop().await;
    client.answer_all().await;
    let tally = client.tally(client.begun);
    println!("{tally:?}");
    assert!(
        tally
            .keys()
            .all(|code| ["0000", "ERR_GW_004"].contains(&&**code)),
        "{tally:?}"
    );
    let unlimited = client.attempts_since(client.begun);
    let unlimited = unlimited
        .iter()
        .filter(|attempt| attempt.activity == UNLIMITED);
    assert!(unlimited.clone().count() > 100);
    for attempt in unlimited {
        assert!(
            attempt.outcome == super::client::Outcome::Answered,
            "{attempt:?}"
        );
        assert!(attempt.took < Duration::from_secs(2), "{attempt:?}");
    }

    // Whatever was forgotten, the rest is there, to the unit.
    let units = cluster.settled_units(REFUSING, SCARCE_AWARD).await;
    let draws = (0..units.left + 100).map(|number| {
        Request::draw(
            &format!("rest-{}", number % 300),
            REFUSING,
            &number.to_string(),
        )
    });
    let answers = ask_all(cluster.listen("nginx"), draws.collect(), 48).await;
    let won = |award| {
        answers
            .iter()
            .filter(|answer| answer.code == "0000" && answer.award() == award)
            .count() as u64
    };
    assert_eq!((won(SCARCE_AWARD), won(FALLBACK_AWARD)), (units.left, 100));
    assert_eq!(
        cluster.stock(REFUSING, SCARCE_AWARD).await,
        (UNITS, UNITS, 0)
    );
    cluster.settled_units(FALLING_BACK, SCARCE_AWARD).await;
    cluster.audited().await;
    client.verify(cluster.listen("nginx")).await;
}
