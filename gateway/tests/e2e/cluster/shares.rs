//! A shard that hangs under load: its users' waiters keep to their share of the places, and take
//! none of those of other shards' users.
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::client::{Client, Drawing, Load, Outcome};
use crate::support::campaign::LOAD_ACTIVITY;
use crate::support::{Cluster, Request, eventually};

/// `admission.in_flight_max`, and what each of two shards has of it.
const PLACES: u32 = 256;
const SHARE: u32 = PLACES / 2;

/// Requests of the other shard's users that are being answered at a time, and those that are just
/// being refused: far fewer, as long as they are answered at once.
const OTHERS: u32 = 32;

const SAMPLES: usize = 40;

fn drawing(cluster: &Cluster, shard: u16, per_second: u32) -> Drawing {
    let load = Load {
        seed: shard.into(),
        doors: vec![cluster.listen("gateway-0")],
        users: cluster.users_of(shard, 100),
        mix: vec![(LOAD_ACTIVITY, 1)],
        per_second,
        timeouts: Duration::from_secs(15),
    };
    Client::new(load).start()
}

#[tokio::test]
async fn the_waiters_of_a_shard_that_hangs_keep_to_their_share() {
    let cluster = Cluster::start().await;
    cluster
        .reconfigure(
            "gateway-0",
            &format!("[admission]\nin_flight_max = {PLACES}\n"),
        )
        .await;
    // It would refuse them before they wait.
    let forced = json!({"name": "shard-1", "mode": "forced_closed", "who": "alice", "reason": "the test wants it"});
    let forced = Request::raw("POST", "/admin/breakers").with_body(forced.to_string());
    assert_eq!(cluster.ask_admin("gateway-0", forced).await.status, 200);
    let in_flight = async || {
        cluster
            .metric("gateway-0", "drawbridge_http_in_flight_requests")
            .await
    };
    let well = drawing(&cluster, 0, 50);
    sleep(Duration::from_millis(500)).await;

    cluster.signal("shard-1", "STOP").await;
    // So many that they fill all places within a second, if they are let.
    let sick = drawing(&cluster, 1, 300);
    eventually(
        "the share is used up",
        Duration::from_secs(10),
        async || (in_flight().await >= f64::from(SHARE)).then_some(()),
    )
    .await;
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        samples.push(in_flight().await);
        sleep(Duration::from_millis(10)).await;
    }
    samples.sort_by(f64::total_cmp);
    println!("in flight: {samples:?}");
    // Refusals take a place for a moment, and more than a moment on a busy machine: so the middle.
    assert!(
        samples[SAMPLES / 2] <= f64::from(SHARE + OTHERS),
        "{samples:?}"
    );
    let (sick, well) = (sick.stop().await, well.stop().await);
    cluster.signal("shard-1", "CONT").await;

    let tally = sick.tally(sick.begun);
    println!("{tally:?}");
    assert!(tally["ERR_GW_002"] > 0, "{tally:?}");
    assert!(!tally.contains_key("ERR_GW_001"), "{tally:?}");
    let others = well.attempts_since(well.begun);
    assert!(others.len() > 50, "{}", others.len());
    assert!(
        others
            .iter()
            .all(|attempt| attempt.outcome == Outcome::Answered),
        "{:?}",
        well.tally(well.begun)
    );
    for client in [sick, well] {
        client.answer_all().await;
        client.verify(cluster.listen("nginx")).await;
    }
    cluster.audited().await;
}
