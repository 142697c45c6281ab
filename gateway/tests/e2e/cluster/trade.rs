//! Points, sign-ins, exchanges and reports over both gateways of a cluster.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::cluster::ask;
use crate::support::shop::{
    KEY, PAIR, RARE, WELCOME, campaign, exchange, ledger, points, report, signed,
};
use crate::support::{Cluster, Request, ask_all, away_from_midnight};

const ACTIVITY: u64 = 200_054;

/// A sign-in in the activity alone.
fn sign_in_here(user: &str, key: &str) -> Request {
    let body = json!({"userId": user, "activityId": ACTIVITY});
    Request::json("activity/calendar_sign_rebate", &body).header("Idempotency-Key", key)
}

#[tokio::test]
async fn two_gateways_reward_and_sell_as_one() {
    away_from_midnight().await;
    let cluster = Cluster::start().await;
    let key = cluster.file("shop.key", KEY);
    for gateway in ["gateway-0", "gateway-1"] {
        let app = format!("[[app]]\nid = \"shop\"\nkey_files = [{key:?}]\n");
        cluster.reconfigure(gateway, &app).await;
    }
    // The demo campaigns are there too, and reward both: one activity is named, and a word of our own.
    let campaign = campaign(ACTIVITY).replace("openai_pay", "shop_pay");
    let cluster = cluster.with_campaigns(&[(ACTIVITY, campaign)]).await;
    let [here, there] = cluster.gateways();
    let users = cluster.users_of_lanes(1);
    for user in &users {
        // Both at once: one signs in.
        let both = tokio::join!(
            ask_all(here, vec![sign_in_here(user, "a")], 1),
            ask_all(there, vec![sign_in_here(user, "b")], 1),
        );
        let mut codes = [&both.0[0].code, &both.1[0].code];
        codes.sort();
        assert_eq!(codes, ["0000", "0003"], "{user}");
        assert_eq!(ask(there, &points(user)).await.data, json!(10.0));
    }
    let user = &users[0];

    // Ten purchases at both gateways: four are paid for.
    let requests = (0..10).map(|number| exchange(user, PAIR, &format!("k-{number}")));
    let requests: Vec<Request> = requests.collect();
    let (ours, theirs) = requests.split_at(5);
    let both = tokio::join!(
        ask_all(here, ours.to_vec(), 5),
        ask_all(there, theirs.to_vec(), 5),
    );
    let answers: Vec<_> = both.0.into_iter().chain(both.1).collect();
    let mut codes = BTreeMap::<&str, usize>::new();
    for answer in &answers {
        *codes.entry(&answer.code).or_default() += 1;
    }
    assert_eq!(codes, BTreeMap::from([("0000", 4), ("ERR_CREDIT_001", 6)]));
    assert_eq!(ask(here, &points(user)).await.data, json!(0.0));
    let account = ask(there, &Request::account(user, ACTIVITY)).await;
    assert_eq!(account.data["totalCount"], WELCOME + 1 + 8);
    // A key counts at the other gateway too.
    for (request, answer) in requests.iter().zip(&answers) {
        for gateway in [here, there] {
            let again = ask(gateway, request).await;
            assert_eq!(again.code, answer.code);
            assert!(answer.code != "0000" || again.body == answer.body);
        }
    }

    // Two units of a sku, wherever they are asked for.
    let mut sold = 0;
    for (index, user) in users.iter().skip(1).enumerate() {
        let gateway = [here, there][index % 2];
        let answer = ask(gateway, &exchange(user, RARE, "rare")).await;
        match answer.code.as_str() {
            "0000" => sold += 1,
            code => assert_eq!(code, "ERR_BIZ_005"),
        }
    }
    assert_eq!(sold, 2);

    let paid = report(user, "shop_pay", "order-1");
    for gateway in [here, there, here] {
        ask(gateway, &signed(&paid)).await.expect(200, "0000");
    }
    assert_eq!(ask(there, &points(user)).await.data, json!(1.5));
    let page = ask(here, &ledger(user, 100, None)).await;
    let entries = page.data["entries"].as_array().expect("a list").len();
    assert_eq!(entries, 6, "{}", page.body);

    // Operators, in a lane of the command's own.
    let words = [
        "points", "adjust", user, "-1.5", "--reason", "a test", "--json",
    ];
    let changed: Value = serde_json::from_str(&cluster.run(&words).await.ok()).expect("JSON");
    assert_eq!(changed["balance"], json!(0.0));
    cluster.audited().await;
}
