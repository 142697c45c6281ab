//! Points that operators change: through the server that holds the folder, and without one.
use serde_json::{Value, json};

use crate::chances::entries;
use crate::support::shop::{PAIR, campaign, exchange, points};
use crate::support::{Place, Ran, Server};

const ACTIVITY: u64 = 200_053;

async fn change(place: &Place, words: &[&str], rest: &[&str]) -> Ran {
    let words = [
        &["points"],
        words,
        &["--reason", "a mishap", "--json"],
        rest,
    ]
    .concat();
    place.run_here(&words).await
}

#[track_caller]
fn json_of(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).expect("JSON")
}

#[tokio::test]
async fn points_are_changed_and_frozen_with_a_server_and_without_one() {
    let place = Place::with_campaigns(&[&campaign(ACTIVITY)]).await;
    let server = Server::start(&place).await;
    let first = json_of(change(&place, &["adjust", "u", "12.50"], &["--request-id", "k"]).await);
    assert_eq!(
        (&first["amount"], &first["balance"], &first["repeated"]),
        (&json!(12.5), &json!(12.5), &json!(false))
    );
    let again = json_of(change(&place, &["adjust", "u", "12.50"], &["--request-id", "k"]).await);
    assert_eq!(
        (&again["rechargeOrderId"], &again["repeated"]),
        (&first["rechargeOrderId"], &json!(true))
    );
    let why = change(&place, &["adjust", "u", "12.51"], &["--request-id", "k"]).await;
    let why = why.failed(1);
    assert!(why.contains("used for another call"), "{why}");
    let taken = json_of(change(&place, &["adjust", "u", "-2.25"], &[]).await);
    assert_eq!(
        (&taken["amount"], &taken["balance"]),
        (&json!(-2.25), &json!(10.25))
    );
    let why = change(&place, &["adjust", "u", "-10.26"], &[])
        .await
        .failed(1);
    assert!(why.contains("too few points"), "{why}");

    // A frozen account pays nothing, and gets points all the same.
    let frozen = json_of(change(&place, &["freeze", "u"], &["--who", "alice"]).await);
    assert_eq!(
        (&frozen["amount"], &frozen["frozen"]),
        (&Value::Null, &json!(true))
    );
    server
        .ask(&exchange("u", PAIR, "x"))
        .await
        .expect(409, "ERR_CREDIT_002");
    change(&place, &["adjust", "u", "-1"], &[]).await.failed(1);
    json_of(change(&place, &["adjust", "u", "1"], &[]).await);
    assert_eq!(server.data(&points("u")).await, json!(11.25));

    let log = entries(&place, &server).await;
    let noted: Vec<_> = log
        .iter()
        .filter_map(|entry| entry["what"].as_str())
        .collect();
    let expected = [
        "points adjust 1",
        "points freeze",
        "points adjust -2.25",
        "points adjust 12.50",
    ];
    assert_eq!(noted, expected);
    assert_eq!(
        (&log[1]["who"], &log[1]["reason"]),
        (&json!("alice"), &json!("a mishap"))
    );
    let detail = log[3]["detail"].as_str().expect("a detail");
    let order = first["rechargeOrderId"].as_str().expect("an id");
    assert_eq!(detail, format!("u, recharge order {order}"));
    let written = server.stderr();
    place.audited().await;
    server.stop().await;
    assert!(!written.contains("userId"), "{written}");

    // Without a server.
    let free = json_of(change(&place, &["unfreeze", "u"], &[]).await);
    assert_eq!(
        (&free["balance"], &free["frozen"]),
        (&json!(11.25), &json!(false))
    );
    json_of(change(&place, &["adjust", "u", "-11.25"], &[]).await);
    let shown = json_of(place.run_here(&["points", "show", "u", "--json"]).await);
    assert_eq!(
        (&shown["balance"], &shown["frozen"], &shown["entryCount"]),
        (&json!(0.0), &json!(false), &json!(4))
    );
    assert_eq!(shown["entries"][3]["businessNo"], first["rechargeOrderId"]);
    let printed = place.run_here(&["points", "show", "u"]).await.ok();
    assert!(printed.starts_with("0.00 points, 4 entries\n"), "{printed}");
    let nobody = json_of(
        place
            .run_here(&["points", "show", "nobody", "--json"])
            .await,
    );
    assert_eq!(
        (&nobody["balance"], &nobody["entryCount"]),
        (&json!(0.0), &json!(0))
    );
    let activity = ACTIVITY.to_string();
    let words = ["account", "u", "--activity", &activity, "--json"];
    let account = json_of(place.run_here(&words).await);
    assert_eq!(
        (&account["points"], &account["pointsFrozen"]),
        (&json!(0.0), &json!(false))
    );
    place.audited_at_rest().await;
}

#[tokio::test]
async fn wrong_amounts_are_refused_before_anything_is_opened() {
    let place = Place::new();
    for bad in ["0", "-0", "1.234", "1e3", "five", "10000000000000.01", ""] {
        let why = change(&place, &["adjust", "u", bad], &[]).await.failed(2);
        assert!(why.contains("AMOUNT"), "{bad}: {why}");
    }
    let words = ["points", "freeze", "u"];
    let why = place.run_here(&words).await.failed(2);
    assert!(why.contains("--reason"), "{why}");
    assert!(!place.data().exists());
}
