//! Results of a cluster, read from two shards beside two gateways.
use serde_json::{Value, json};

use crate::results::{answered, calls, equals, rows};
use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Cluster, Request, ask_all};

#[tokio::test]
async fn a_file_of_a_clusters_results_equals_what_was_answered() {
    let cluster = Cluster::start().await;
    let cluster = cluster
        .with_campaigns(&[(LOAD_ACTIVITY, LOAD.to_owned())])
        .await;
    let [here, there] = cluster.gateways();
    let (mut first, mut second) = (calls(1_000), Vec::new());
    second.extend(first.split_off(500));
    let (mut answers, more) = tokio::join!(ask_all(here, first, 16), ask_all(there, second, 16));
    answers.extend(more);
    let answered = answered(&answers);
    let activity = LOAD_ACTIVITY.to_string();
    // Beside draws of others, which may be in it.
    let beside =
        (0..200).map(|number| Request::draw("beside", LOAD_ACTIVITY, &format!("b{number}")));
    let words = ["results", &activity, "--format", "ndjson"];
    let (text, beside) = tokio::join!(cluster.run(&words), ask_all(here, beside.collect(), 2));
    assert!(
        beside.iter().all(|answer| answer.status == 200),
        "none is refused"
    );
    let mut all = rows(&text.ok());
    all.retain(|_, row| row["userId"] != "beside");
    equals(&all, &answered);

    let path = format!("/admin/results?activityId={activity}");
    let served = cluster
        .ask_admin("gateway-1", Request::raw("GET", &path))
        .await;
    let served = rows(&served.text());
    assert_eq!(served.len(), answered.len() + 200);
    assert!(
        all.iter()
            .all(|(order, row)| served.get(order) == Some(row))
    );
    let report = cluster.run(&["report", &activity, "--json"]).await.ok();
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(
        (&report["draws"], &report["users"]),
        (&json!(served.len()), &json!(41))
    );
}
