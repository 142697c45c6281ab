//! Switches that are set at one gateway: all of them obey within a second, whatever is unavailable.
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce, unlimited};
use crate::support::cluster::ask;
use crate::support::{Cluster, Envelope, FOLLOWED, Request, Response, eventually};

const ACTIVITY: u64 = 200_003;
const UNLIMITED: u64 = 200_005;

/// What is promised. On a busy machine one change or another may take up to [`FOLLOWED`].
const PROMISED: Duration = Duration::from_secs(1);

/// A gateway polls this often while the meta database is there, and longer than that while not.
const SOME_POLLS: Duration = Duration::from_secs(2);

/// A meta database that is back is followed within this time.
const BACK: Duration = Duration::from_secs(10);

async fn started() -> Cluster {
    let campaigns = [
        (ACTIVITY, scarce(ACTIVITY, 5_000)),
        (UNLIMITED, unlimited(UNLIMITED)),
    ];
    Cluster::of_gateways(3)
        .await
        .with_campaigns(&campaigns)
        .await
}

/// Asks the first gateway to set a switch.
async fn try_set(cluster: &Cluster, setting: Value) -> Response {
    let mut body = setting;
    body["who"] = "alice".into();
    body["reason"] = "the test wants it".into();
    cluster
        .ask_admin(
            "gateway-0",
            Request::raw("POST", "/admin/switches").with_body(body.to_string()),
        )
        .await
}

async fn set(cluster: &Cluster, setting: Value) {
    let response = try_set(cluster, setting).await;
    assert_eq!(response.status, 200, "{}", response.text());
}

/// Waits until draws at all gateways are answered like this; returns how long that took.
async fn all_answer(
    cluster: &Cluster,
    activity: u64,
    within: Duration,
    wanted: impl Fn(&Envelope) -> bool,
) -> Duration {
    let since = Instant::now();
    for gateway in cluster.all_gateways() {
        eventually("the switch is obeyed", within, async || {
            wanted(&ask(gateway, &Request::keyless_draw("u", activity)).await).then_some(())
        })
        .await;
    }
    since.elapsed()
}

fn is_off(answer: &Envelope) -> bool {
    answer.code == "0004"
}

fn is_drawn(answer: &Envelope) -> bool {
    answer.code == "0000"
}

/// Switches draws off and on again, through the first gateway, and looks at all of them.
async fn flip(cluster: &Cluster, what: &str) {
    let mut times = Vec::new();
    for _ in 0..3 {
        set(cluster, json!({"name": "draw", "value": "off"})).await;
        // The one that was asked obeys at once.
        ask(
            cluster.gateways()[0],
            &Request::keyless_draw("u", UNLIMITED),
        )
        .await
        .expect(503, "0004");
        times.push(all_answer(cluster, UNLIMITED, FOLLOWED, is_off).await);
        set(cluster, json!({"name": "draw", "value": "on"})).await;
        times.push(all_answer(cluster, UNLIMITED, FOLLOWED, is_drawn).await);
    }
    println!("{what}: obeyed after {times:?}");
    times.sort_unstable();
    assert!(times[times.len() / 2] < PROMISED, "{what}: {times:?}");
}

#[tokio::test]
async fn three_gateways_obey_within_a_second_with_redis_and_without() {
    let cluster = started().await;
    flip(&cluster, "all is well").await;
    cluster.signal("redis", "STOP").await;
    flip(&cluster, "Redis paused").await;
    cluster.signal("redis", "CONT").await;
    cluster.kill("redis").await;
    flip(&cluster, "Redis killed").await;
    cluster.restart("redis").await;
    all_answer(&cluster, ACTIVITY, BACK, is_drawn).await;
    cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    cluster.audited().await;
}

#[tokio::test]
async fn a_share_of_the_users_is_the_same_at_three_gateways() {
    const USERS: usize = 40;
    let cluster = started().await;
    set(&cluster, json!({"name": "fallback_only", "value": "50%"})).await;
    let since = Instant::now();
    let award = async |gateway, user: &str| {
        ask(gateway, &Request::keyless_draw(user, ACTIVITY))
            .await
            .expect(200, "0000")
            .award()
    };
    let users: Vec<String> = (0..USERS).map(|number| format!("u{number}")).collect();
    let gateways = cluster.all_gateways();
    let mut covered = Vec::new();
    for user in &users {
        covered.push(award(gateways[0], user).await == FALLBACK_AWARD);
    }
    let share = covered.iter().filter(|&&covered| covered).count();
    assert!(
        (USERS / 5..=USERS * 4 / 5).contains(&share),
        "{share} of {USERS}"
    );
    let one = &users[covered
        .iter()
        .position(|&covered| covered)
        .expect("at least one")];
    for &gateway in &gateways {
        eventually(
            "the switch is obeyed",
            FOLLOWED.saturating_sub(since.elapsed()),
            async || (award(gateway, one).await == FALLBACK_AWARD).then_some(()),
        )
        .await;
        for (user, &covered) in users.iter().zip(&covered) {
            let expected = if covered {
                FALLBACK_AWARD
            } else {
                SCARCE_AWARD
            };
            assert_eq!(award(gateway, user).await, expected, "{user} at {gateway}");
        }
    }
    cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    cluster.audited().await;
}

#[tokio::test]
async fn without_the_meta_database_switches_stay_expire_and_cannot_be_set() {
    const LASTS: Duration = Duration::from_secs(3);
    let cluster = started().await;
    for fault in ["STOP", "KILL"] {
        set(
            &cluster,
            json!({"name": "draw", "value": "off", "activity": ACTIVITY}),
        )
        .await;
        set(&cluster, json!({"name": "draw", "value": "off", "activity": UNLIMITED, "forSeconds": LASTS.as_secs()}))
            .await;
        let begun = Instant::now();
        all_answer(&cluster, ACTIVITY, BACK, is_off).await;
        all_answer(&cluster, UNLIMITED, FOLLOWED, is_off).await;
        cluster.signal("meta", fault).await;
        let refused = try_set(
            &cluster,
            json!({"name": "draw", "value": "on", "activity": ACTIVITY}),
        )
        .await;
        assert_eq!(refused.status, 503, "{}", refused.text());

        // It ends by each gateway's own clock, at once.
        sleep(LASTS.saturating_sub(begun.elapsed())).await;
        all_answer(&cluster, UNLIMITED, FOLLOWED, is_drawn).await;
        sleep(SOME_POLLS).await;
        for gateway in cluster.all_gateways() {
            ask(gateway, &Request::keyless_draw("u", ACTIVITY))
                .await
                .expect(503, "0004");
        }

        if fault == "STOP" {
            cluster.signal("meta", "CONT").await;
        } else {
            cluster.restart("meta").await;
        }
        sleep(SOME_POLLS).await;
        // What was refused was not done later.
        for gateway in cluster.all_gateways() {
            ask(gateway, &Request::keyless_draw("u", ACTIVITY))
                .await
                .expect(503, "0004");
        }
        set(
            &cluster,
            json!({"name": "draw", "value": "on", "activity": ACTIVITY}),
        )
        .await;
        all_answer(&cluster, ACTIVITY, BACK, is_drawn).await;
    }
    cluster.audited().await;
}
