//! A session that has locked rows of users and stands still, as a frozen gateway does. Only these
//! users notice.
use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::Executor;

use crate::support::campaign::unlimited;
use crate::support::cluster::ask;
use crate::support::{Cluster, Request, ask_all, eventually};

const ACTIVITY: u64 = 200_004;

/// Of each shard.
const TABLES: u16 = 4;

/// For what takes a second; but the machine may be busy.
const WAIT_MAX: Duration = Duration::from_secs(20);

#[tokio::test]
async fn users_whose_rows_are_locked_get_a_code_of_their_own_and_all_others_draw_on() {
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, unlimited(ACTIVITY))])
        .await;
    let gateway = cluster.listen("gateway-0");
    let users = cluster.users_of(1, 22);
    let (held, strangers) = users.split_at(2);
    let draws = |users: &[String], key: &str| -> Vec<Request> {
        users
            .iter()
            .map(|user| Request::draw(user, ACTIVITY, key))
            .collect()
    };
    for answer in ask_all(gateway, draws(&users, "first"), 8).await {
        answer.expect(200, "0000");
    }
    let mut frozen = cluster.sql("shard-1").await;
    // As gateways do; else what lies between rows would be locked too.
    frozen
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .await
        .expect("a level");
    frozen
        .execute("START TRANSACTION")
        .await
        .expect("a transaction");
    for table in 0..TABLES {
        let lock = format!(
            "SELECT * FROM raffle_account_{table} FORCE INDEX (PRIMARY) WHERE user_id IN ('{}', '{}') FOR UPDATE",
            held[0], held[1]
        );
        frozen.execute(&*lock).await.expect("locked");
    }
    let mut codes = BTreeSet::new();
    for round in 0..8 {
        let key = format!("round{round}");
        let asked = tokio::join!(
            ask_all(gateway, draws(strangers, &key), strangers.len()),
            ask_all(gateway, draws(held, &key), held.len())
        );
        for answer in asked.0 {
            answer.expect(200, "0000");
        }
        codes.extend(
            asked
                .1
                .into_iter()
                .map(|answer| (answer.status, answer.code)),
        );
    }
    assert_eq!(codes, BTreeSet::from([(503, "ERR_GW_014".to_owned())]));
    let state = cluster
        .metric("gateway-0", "drawbridge_breaker_state{breaker=\"shard-1\"}")
        .await;
    assert!(
        state < 0.5,
        "the breaker of a sound shard is not closed: {state}"
    );
    frozen.execute("ROLLBACK").await.expect("undone");
    for user in held {
        let draw = Request::draw(user, ACTIVITY, "afterwards");
        eventually("who was held draws", WAIT_MAX, async || {
            (ask(gateway, &draw).await.code == "0000").then_some(())
        })
        .await;
    }
    cluster.audited().await;
}
