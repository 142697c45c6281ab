//! Databases that die and hang: one sick shard disturbs its own users only, and the meta database
//! disturbs no draw.
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::client::{Attempt, Client, Drawing, Load, Outcome};
use crate::support::campaign::{LOAD_ACTIVITY, SCARCE_AWARD, scarce, unlimited};
use crate::support::cluster::ask;
use crate::support::{Cluster, Envelope, FOLLOWED, Request, ask_all, eventually};

const ACTIVITY: u64 = 200_003;
const UNLIMITED: u64 = 200_005;

/// What a gateway takes at most to answer (`lanes.answer_timeout_ms`), and some for a busy machine.
const ANSWERED: Duration = Duration::from_secs(5 + 1);

const RATE: u32 = 150;

/// A shard that is back is drawn on again within this time.
const BACK: Duration = Duration::from_secs(4);

/// Draws of one shard's users alone.
fn drawing(cluster: &Cluster, shard: u16) -> Drawing {
    let load = Load {
        seed: shard.into(),
        doors: cluster.gateways().into(),
        users: cluster.users_of(shard, 100),
        mix: vec![(LOAD_ACTIVITY, 1)],
        per_second: RATE,
        timeouts: Duration::from_secs(15),
    };
    Client::new(load).start()
}

fn percentile(attempts: &[Attempt], percent: usize) -> Duration {
    let mut times: Vec<Duration> = attempts.iter().map(|attempt| attempt.took).collect();
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

/// Waits until users of a shard can draw at both gateways.
async fn shard_is_back(cluster: &Cluster, shard: u16, round: &str) -> Duration {
    let since = Instant::now();
    for gateway in cluster.gateways() {
        // Each table has a lane of its own.
        for user in cluster.users_of(shard, 16) {
            eventually("the shard is back", BACK, async || {
                let draw = Request::draw(&user, LOAD_ACTIVITY, &format!("{round}-{gateway}"));
                (ask(gateway, &draw).await.code == "0000").then_some(())
            })
            .await;
        }
    }
    since.elapsed()
}

/// A time in which a shard was sick.
#[derive(Debug, Clone, Copy)]
struct Sickness {
    signal: &'static str,
    began: Instant,
    ended: Instant,
}

impl Sickness {
    fn requests(&self, client: &Client) -> Vec<Attempt> {
        let attempts = client.attempts_since(self.began);
        attempts
            .into_iter()
            .filter(|attempt| attempt.sent < self.ended)
            .collect()
    }

    /// Users of other shards drew on, at the same rate and about as fast as before.
    fn is_unnoticed(&self, client: &Client, before: &[Attempt]) {
        let during = self.requests(client);
        assert!(
            during
                .iter()
                .all(|attempt| attempt.outcome == Outcome::Answered),
            "{:?}",
            client.tally(self.began)
        );
        let (was, is) = (percentile(before, 95), percentile(&during, 95));
        let rate = during.len() as u128 * 1_000 / (self.ended - self.began).as_millis();
        println!(
            "{}: the other shard's 95th percentile was {was:?} and is {is:?}, {rate} draws/s",
            self.signal
        );
        assert!(
            is < was * 5 + Duration::from_millis(200),
            "{was:?} before, {is:?} now"
        );
        assert!(rate > u128::from(RATE) * 2 / 3, "{rate} draws/s");
    }

    /// Users of the shard got the right code in time.
    fn is_told(&self, client: &Client) {
        let requests = self.requests(client);
        let slowest = requests.iter().map(|attempt| attempt.took).max();
        println!(
            "{}: the slowest of {} took {slowest:?}",
            self.signal,
            requests.len()
        );
        let refused = |code: &str| {
            requests
                .iter()
                .any(|attempt| attempt.outcome == Outcome::Refused(code.to_owned()))
        };
        // A shard that has died says so at once; one that hangs has its breaker say it.
        assert!(
            refused(if self.signal == "KILL" {
                "ERR_GW_003"
            } else {
                "0006"
            }),
            "{:?}",
            client.tally(self.began)
        );
        for attempt in requests {
            assert!(attempt.took < ANSWERED, "{attempt:?}");
            match &attempt.outcome {
                Outcome::Refused(code) => {
                    let codes = [
                        "0006",
                        "ERR_GW_003",
                        "ERR_GW_005",
                        "ERR_GW_006",
                        "ERR_GW_014",
                    ];
                    assert!(codes.contains(&&**code), "{attempt:?}");
                }
                // Only those that waited until the shard was back.
                Outcome::Answered => {
                    assert!(attempt.sent + attempt.took > self.ended, "{attempt:?}");
                }
                Outcome::Lost => panic!("{attempt:?}"),
            }
        }
    }
}

#[tokio::test]
async fn one_sick_shard_disturbs_its_own_users_only() {
    let cluster = Cluster::start().await;
    let (sick, well) = (drawing(&cluster, 1), drawing(&cluster, 0));
    let begun = Instant::now();
    sleep(Duration::from_secs(2)).await;
    let before = well.client.attempts_since(begun);

    let mut times = Vec::new();
    for (signal, lasts) in [
        ("STOP", Duration::from_secs(6)),
        ("KILL", Duration::from_secs(1)),
    ] {
        cluster.signal("shard-1", signal).await;
        // What was sent until now the shard may have done.
        sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        sleep(lasts).await;
        times.push(Sickness {
            signal,
            began,
            ended: Instant::now(),
        });
        if signal == "STOP" {
            cluster.signal("shard-1", "CONT").await;
        } else {
            cluster.restart("shard-1").await;
        }
        println!(
            "{signal}: back after {:?}",
            shard_is_back(&cluster, 1, signal).await
        );
    }

    let (sick, well) = (sick.stop().await, well.stop().await);
    for time in times {
        time.is_unnoticed(&well, &before);
        time.is_told(&sick);
    }
    for client in [sick, well] {
        client.answer_all().await;
        client.verify(cluster.listen("nginx")).await;
    }
    cluster.audited().await;
}

#[tokio::test]
async fn a_gateway_starts_while_a_shard_and_redis_are_unavailable() {
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(UNLIMITED, unlimited(UNLIMITED))])
        .await;
    let users = [cluster.users_of(0, 8), cluster.users_of(1, 8)];
    for (signal, other) in [("KILL", "STOP"), ("STOP", "KILL")] {
        cluster.kill("gateway-1").await;
        cluster.signal("shard-1", signal).await;
        cluster.signal("redis", other).await;
        // It returns when the gateway says that it is ready.
        cluster.restart("gateway-1").await;
        let gateway = cluster.listen("gateway-1");
        for user in &users[0] {
            ask(
                gateway,
                &Request::draw(user, UNLIMITED, &format!("a-{signal}")),
            )
            .await
            .expect(200, "0000");
            ask(
                gateway,
                &Request::draw(user, LOAD_ACTIVITY, &format!("b-{signal}")),
            )
            .await
            .expect(503, "ERR_GW_004");
        }
        for user in &users[1] {
            let answer = ask(
                gateway,
                &Request::draw(user, UNLIMITED, &format!("a-{signal}")),
            )
            .await;
            assert!(
                ["ERR_GW_003", "ERR_GW_005", "ERR_GW_006"].contains(&&*answer.code),
                "{answer:?}"
            );
        }
        for part in ["shard-1", "redis"] {
            cluster.restart(part).await;
        }
        println!("back after {:?}", shard_is_back(&cluster, 1, signal).await);
        shard_is_back(&cluster, 0, signal).await;
    }
    cluster.audited().await;
}

#[tokio::test]
async fn draws_go_on_without_the_meta_database() {
    const UNITS: u64 = 400;
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, scarce(ACTIVITY, UNITS))])
        .await;
    let draws = |round: &str, activity| {
        let draw = |number| {
            Request::draw(
                &format!("u{number}"),
                activity,
                &format!("{round}-{activity}"),
            )
        };
        (0..64).map(draw).collect::<Vec<_>>()
    };
    let all_drawn = async |round: &str| {
        for (place, gateway) in cluster.gateways().into_iter().enumerate() {
            for activity in [LOAD_ACTIVITY, ACTIVITY] {
                let answers =
                    ask_all(gateway, draws(&format!("{round}-{place}"), activity), 16).await;
                assert!(
                    answers.iter().all(|answer| answer.code == "0000"),
                    "{round}: {answers:?}"
                );
                assert!(
                    activity != ACTIVITY
                        || answers.iter().all(|answer| answer.award() == SCARCE_AWARD)
                );
            }
        }
    };
    // Every lane has ids after this.
    all_drawn("before").await;
    cluster.kill("meta").await;
    all_drawn("killed").await;
    // For longer than leases last.
    sleep(Duration::from_secs(4)).await;
    all_drawn("later").await;
    cluster
        .run(&[
            "stock",
            "add",
            &ACTIVITY.to_string(),
            "1",
            "7",
            "--reason",
            "no use",
        ])
        .await
        .failed(2);

    cluster.restart("meta").await;
    let new = 200_010;
    cluster.publish(&scarce(new, 5)).await;
    for gateway in cluster.gateways() {
        eventually("campaigns are followed again", FOLLOWED, async || {
            let answer: Envelope =
                ask(gateway, &Request::draw("u", new, &format!("{gateway}"))).await;
            (answer.code == "0000").then(|| assert_eq!(answer.award(), SCARCE_AWARD))
        })
        .await;
    }
    cluster
        .run(&[
            "stock",
            "add",
            &ACTIVITY.to_string(),
            "1",
            "7",
            "--reason",
            "a gift",
        ])
        .await
        .ok();
    assert_eq!(
        cluster.settled_units(ACTIVITY, SCARCE_AWARD).await.left,
        UNITS - 6 * 64 + 7
    );
    cluster.audited().await;
}
