//! What both gateways show of their common stock.
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce};
use crate::support::cluster::{SETTLED, ask};
use crate::support::shop::exchange;
use crate::support::{Cluster, FOLLOWED, Request, eventually};

const ACTIVITY: u64 = 200_003;
/// Its prize has no units.
const WITHOUT_UNITS: u64 = 200_006;

async fn shown(gateway: SocketAddr) -> (Value, Value) {
    let asked = json!({"strategyId": ACTIVITY});
    let asked = Request::json("query_raffle_award_list", &asked);
    let list = ask(gateway, &asked).await.expect(200, "0000").data;
    assert_eq!(list[0]["awardId"], SCARCE_AWARD);
    (list[0]["left"].clone(), list[0]["soldOut"].clone())
}

async fn shows(gateway: SocketAddr, left: u64, within: Duration) {
    let expected = (json!(left), json!(left == 0));
    eventually("the list follows", within, async || {
        (shown(gateway).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn both_gateways_show_what_is_left_and_keep_it_while_redis_is_away() {
    let sku = "[[sku]]\nid = 1\nstock = 9\nprice_minor = 500\nchances = 1\n";
    let none = "[[sku]]\nid = 2\nstock = 0\nprice_minor = 0\nchances = 1\n";
    let text = format!("{}\n{sku}\n{none}", scarce(ACTIVITY, 2));
    let without = (WITHOUT_UNITS, scarce(WITHOUT_UNITS, 0));
    let cluster = Cluster::start().await;
    let cluster = cluster.with_campaigns(&[(ACTIVITY, text), without]).await;
    let [first, second] = cluster.gateways();
    // What begins without units is sold out, and not unavailable.
    for gateway in [first, second] {
        let bought = ask(gateway, &exchange("u", 2, "k")).await;
        bought.expect(409, "ERR_BIZ_005");
        let draw = Request::draw("u", WITHOUT_UNITS, "d");
        let drawn = ask(gateway, &draw).await.expect(200, "0000").award();
        assert_eq!(drawn, FALLBACK_AWARD);
    }
    for (left, key) in [(2, "a"), (1, "b"), (0, "c")] {
        for gateway in [first, second] {
            shows(gateway, left, FOLLOWED).await;
        }
        let draw = Request::draw("u", ACTIVITY, key);
        let won = ask(first, &draw).await.expect(200, "0000").award();
        let expected = if left > 0 {
            SCARCE_AWARD
        } else {
            FALLBACK_AWARD
        };
        assert_eq!(won, expected);
    }
    let change = async |words: &[&str]| {
        let words = [words, &["--reason", "why", "--who", "ops"]].concat();
        cluster.run(&words).await.ok()
    };
    let activity = ACTIVITY.to_string();
    change(&["stock", "add", &activity, "--sku", "1", "4"]).await;
    let said = change(&["stock", "withdraw", &activity, "--sku", "1", "3"]).await;
    assert!(
        said.contains("sku 1 of activity 200003: withdrew 3"),
        "{said}"
    );
    let words = ["stock", "show", "--activity", &activity];
    let lines = cluster.run(&words).await;
    assert_eq!(lines.stock_of(ACTIVITY, "sku 1"), (10, 0, 10));
    assert_eq!(cluster.stock(ACTIVITY, SCARCE_AWARD).await, (2, 2, 0));
    cluster.kill("redis").await;
    for gateway in [first, second] {
        assert_eq!(
            shown(gateway).await,
            (json!(0), json!(true)),
            "as last known"
        );
    }
    cluster.restart("redis").await;
    change(&["stock", "add", &activity, "1", "5"]).await;
    for gateway in [first, second] {
        shows(gateway, 5, SETTLED).await;
    }
    cluster.audited().await;
}
