//! Chances that operators give beside the gateways of a cluster, in lanes of their own.
use serde_json::{Value, json};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::cluster::ask;
use crate::support::{Cluster, Request};

/// What the load campaign welcomes a user with.
const WELCOME: u64 = 1_000_000;

async fn grant(cluster: &Cluster, user: &str, chances: &str, key: &str) -> Value {
    let activity = LOAD_ACTIVITY.to_string();
    let words = [
        "chances",
        "grant",
        user,
        &activity,
        chances,
        "--reason",
        "a mishap",
        "--request-id",
        key,
        "--json",
    ];
    serde_json::from_str(&cluster.run(&words).await.ok()).expect("JSON")
}

#[tokio::test]
async fn chances_are_given_beside_gateways_and_a_key_counts_once_for_all_of_them() {
    let cluster = Cluster::start().await;
    let cluster = cluster
        .with_campaigns(&[(LOAD_ACTIVITY, LOAD.to_owned())])
        .await;
    let [here, there] = cluster.gateways();
    for user in cluster.users_of_lanes(1) {
        ask(here, &Request::draw(&user, LOAD_ACTIVITY, "drawn"))
            .await
            .expect(200, "0000");
        let first = grant(&cluster, &user, "3", "k").await;
        assert_eq!(
            (&first["totalGranted"], &first["repeated"]),
            (&json!(WELCOME + 3), &json!(false))
        );
        for gateway in [here, there] {
            let account = ask(gateway, &Request::account(&user, LOAD_ACTIVITY)).await;
            assert_eq!(account.data["totalCount"], WELCOME + 3);
        }
        // The same at a gateway is a repeat, and a draw under its key is none.
        let body = json!({
            "userId": user, "activityId": LOAD_ACTIVITY, "chances": 3,
            "reason": "a mishap", "requestId": "k",
        });
        let request = Request::raw("POST", "/admin/chances").with_body(body.to_string());
        let response = cluster.ask_admin("gateway-1", request).await;
        let again: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!(
            (&again["repeated"], &again["rechargeOrderId"]),
            (&json!(true), &first["rechargeOrderId"])
        );
        ask(there, &Request::draw(&user, LOAD_ACTIVITY, "k"))
            .await
            .expect(422, "ERR_REQ_003");
    }
    cluster.audited().await;
}
