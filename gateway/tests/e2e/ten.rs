//! Several draws in one call: what is answered, all or nothing or as far as the chances go, one key
//! for all of them, and exact stock.
use std::collections::HashSet;

use serde_json::json;

use crate::support::campaign::{
    DEMO, DEMO_ACTIVITY, FALLBACK_AWARD, LOAD, LOAD_ACTIVITY, SCARCE_AWARD, bounded, scarce, with,
};
use crate::support::{Connection, Envelope, Place, Request, Server, ask_all, away_from_midnight};

const SCARCE_ACTIVITY: u64 = 200_003;
const PARTIAL_ACTIVITY: u64 = 200_004;

/// The campaign whose calls go as far as the chances.
fn partial(text: &str) -> String {
    with(
        text,
        "state = ",
        "when_chances_short = \"partial\"\nstate = ",
    )
}

async fn used(server: &Server, user: &str, activity: u64) -> u64 {
    let account = server.data(&Request::account(user, activity)).await;
    account["totalCount"].as_u64().expect("a number")
        - account["totalCountSurplus"].as_u64().expect("a number")
}

/// Draws that the lanes of both shards have committed.
async fn committed(server: &Server) -> u64 {
    server
        .metric("drawbridge_lane_orders_total{shard=\"0\"}")
        .await
        + server
            .metric("drawbridge_lane_orders_total{shard=\"1\"}")
            .await
}

#[tokio::test]
async fn a_call_for_ten_draws_is_answered_with_ten_orders_and_so_is_its_record() {
    let place = Place::with_campaigns(&[DEMO, LOAD]).await;
    let server = Server::start(&place).await;
    let ten = Request::draws("u", DEMO_ACTIVITY, "k", 10);
    let first = server.ask(&ten).await.expect(200, "0000");
    assert_eq!(
        (
            first.key(),
            first.data.as_object().map(serde_json::Map::len)
        ),
        ("k", Some(1))
    );
    let draws = first.draws();
    assert_eq!(
        draws
            .iter()
            .map(|(_, order)| order)
            .collect::<HashSet<_>>()
            .len(),
        10
    );
    assert_eq!(server.ask(&ten).await.body, first.body);
    assert_eq!(used(&server, "u", DEMO_ACTIVITY).await, 10);

    let record = server.data(&Request::record("u", "requestId", "k")).await;
    assert_eq!(record["draws"], first.data["draws"]);
    assert_eq!(
        (&record["activityId"], &record["requestId"]),
        (&json!(DEMO_ACTIVITY), &json!("k"))
    );
    assert_eq!(record["state"], "created");
    assert!(
        record["createdAt"]
            .as_str()
            .is_some_and(|at| at.ends_with("+08:00")),
        "{record}"
    );
    for (place, (award, order)) in draws.iter().enumerate() {
        let one = server.data(&Request::record("u", "orderId", order)).await;
        assert_eq!(one["awardTitle"], first.data["draws"][place]["awardTitle"]);
        assert_eq!(
            (&one["awardId"], &one["orderId"], &one["requestId"]),
            (&json!(award), &json!(order), &json!("k"))
        );
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 10);
}

#[tokio::test]
async fn a_count_of_one_is_a_list_of_one_and_its_record_that_of_a_single_draw() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    for count in [json!(1), json!("1")] {
        let body =
            json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "k", "count": count});
        let listed = server
            .ask(&Request::json("activity/draw", &body))
            .await
            .expect(200, "0000");
        let single = server
            .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
            .await
            .expect(200, "0000");
        assert_eq!(listed.data["draws"], json!([single.data]));
        let record = server.data(&Request::record("u", "requestId", "k")).await;
        assert_eq!(record["orderId"], single.data["orderId"]);
    }
    let null = json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "n", "count": null});
    server
        .ask(&Request::json("activity/draw", &null))
        .await
        .expect(200, "0000")
        .order();
    assert_eq!(used(&server, "u", LOAD_ACTIVITY).await, 2);
}

#[tokio::test]
async fn a_count_that_is_none_is_refused_by_its_name() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    for count in [
        json!(0),
        json!(11),
        json!(-1),
        json!(1.5),
        json!("ten"),
        json!(true),
        json!([1]),
    ] {
        let body =
            json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "k", "count": count});
        let refused = server
            .ask(&Request::json("activity/draw", &body))
            .await
            .expect(400, "0002");
        assert!(refused.info.contains(": count: "), "{}", refused.body);
        assert_eq!(refused.key(), "k");
    }
    assert_eq!(used(&server, "u", LOAD_ACTIVITY).await, 0);
}

#[tokio::test]
async fn a_key_is_for_one_count() {
    let place = Place::with_campaigns(&[LOAD, DEMO]).await;
    let server = Server::start(&place).await;
    let three = Request::draws("u", LOAD_ACTIVITY, "k", 3);
    let first = server.ask(&three).await.expect(200, "0000");
    for other in [
        Request::draws("u", LOAD_ACTIVITY, "k", 2),
        Request::draw("u", LOAD_ACTIVITY, "k"),
    ] {
        let refused = server.ask(&other).await.expect(422, "ERR_REQ_003");
        assert!(refused.info.contains("number of draws"), "{}", refused.info);
    }
    let refused = server
        .ask(&Request::draws("u", DEMO_ACTIVITY, "k", 3))
        .await
        .expect(422, "ERR_REQ_003");
    assert!(
        refused.info.contains("another activity"),
        "{}",
        refused.info
    );
    assert_eq!(server.ask(&three).await.body, first.body);
    assert_eq!(
        (
            used(&server, "u", LOAD_ACTIVITY).await,
            used(&server, "u", DEMO_ACTIVITY).await
        ),
        (3, 0)
    );
}

#[tokio::test]
async fn short_chances_refuse_a_call_or_shorten_it_as_the_activity_says() {
    away_from_midnight().await;
    let refusing = bounded(SCARCE_ACTIVITY, 12, 7, 100);
    let partial = partial(&bounded(PARTIAL_ACTIVITY, 12, 7, 100));
    let place = Place::with_campaigns(&[&refusing, &partial]).await;
    let server = Server::start(&place).await;
    let refused = server
        .ask(&Request::draws("u", SCARCE_ACTIVITY, "k", 8))
        .await
        .expect(409, "ERR_BIZ_008");
    assert_eq!(refused.key(), "k");
    server
        .ask(&Request::record("u", "requestId", "k"))
        .await
        .expect(404, "ERR_REQ_002");
    assert_eq!(
        used(&server, "u", SCARCE_ACTIVITY).await,
        0,
        "a refused call spends nothing"
    );
    let made = server
        .ask(&Request::draws("u", SCARCE_ACTIVITY, "k", 7))
        .await
        .expect(200, "0000");
    assert_eq!(made.draws().len(), 7, "and leaves its key free");
    server
        .ask(&Request::draws("u", SCARCE_ACTIVITY, "l", 2))
        .await
        .expect(409, "ERR_BIZ_008");

    let ten = Request::draws("u", PARTIAL_ACTIVITY, "p", 10);
    let made = server.ask(&ten).await.expect(200, "0000");
    assert_eq!(made.draws().len(), 7, "as far as the day's limit");
    assert_eq!(
        server.ask(&ten).await.body,
        made.body,
        "the same call, although it made fewer draws"
    );
    server
        .ask(&Request::draws("u", PARTIAL_ACTIVITY, "p", 7))
        .await
        .expect(422, "ERR_REQ_003");
    server
        .ask(&Request::draws("u", PARTIAL_ACTIVITY, "q", 2))
        .await
        .expect(409, "ERR_BIZ_008");
    let record = server.data(&Request::record("u", "requestId", "p")).await;
    assert_eq!(record["draws"], made.data["draws"]);
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 14);
}

#[tokio::test]
async fn calls_for_ten_in_parallel_win_exactly_the_units_there_are() {
    const CALLS: usize = 300;
    const UNITS: usize = 1_234;
    let place = Place::with_campaigns(&[&scarce(SCARCE_ACTIVITY, UNITS as u64)]).await;
    let server = Server::start(&place).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            Request::draws(
                &format!("u{}", number % 37),
                SCARCE_ACTIVITY,
                &number.to_string(),
                10,
            )
        })
        .collect();
    let answers = ask_all(server.listen, calls.clone(), 32).await;
    let draws: Vec<_> = answers.iter().flat_map(Envelope::draws).collect();
    let won = |award| draws.iter().filter(|(drawn, _)| *drawn == award).count();
    assert_eq!(
        (won(SCARCE_AWARD), won(FALLBACK_AWARD)),
        (UNITS, 10 * CALLS - UNITS)
    );
    assert_eq!(
        draws
            .iter()
            .map(|(_, order)| order)
            .collect::<HashSet<_>>()
            .len(),
        10 * CALLS
    );
    let again = ask_all(server.listen, calls, 32).await;
    assert!(
        answers
            .iter()
            .zip(&again)
            .all(|(first, again)| first.body == again.body)
    );
    assert_eq!(committed(&server).await, 10 * CALLS as u64);
    server.stop().await;
    assert_eq!(
        place.stock(SCARCE_ACTIVITY, SCARCE_AWARD).await,
        (UNITS as u64, UNITS as u64, 0)
    );
    assert_eq!(place.audited_at_rest().await, 10 * CALLS as u64);
}

/// A worker's calls up to the one that broke off, and their answers.
async fn draw_until_killed(
    listen: std::net::SocketAddr,
    worker: usize,
) -> (Vec<Request>, Vec<String>) {
    let (mut calls, mut reported) = (Vec::new(), Vec::new());
    let Ok(mut connection) = Connection::open(listen).await else {
        return (calls, reported);
    };
    for number in 0.. {
        let call = Request::draws(
            &format!("u{}", (worker + number) % 29),
            SCARCE_ACTIVITY,
            &format!("{worker}-{number}"),
            10,
        );
        calls.push(call.clone());
        match connection.exchange(&call).await {
            Ok(answer) => reported.push(answer.envelope().expect(200, "0000").body),
            Err(_) => break,
        }
    }
    (calls, reported)
}

#[tokio::test]
async fn a_kill_under_load_tears_no_call() {
    const UNITS: u64 = 2_000;
    const WORKERS: usize = 16;
    let place = Place::with_campaigns(&[&scarce(SCARCE_ACTIVITY, UNITS)]).await;
    let mut server = Server::start(&place).await;
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| tokio::spawn(draw_until_killed(server.listen, worker)))
        .collect();
    while committed(&server).await < UNITS / 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    server.kill();
    let mut played = Vec::new();
    for worker in workers {
        played.push(worker.await.expect("no panic"));
    }
    let server = Server::start(&place).await;
    let (calls, reported): (Vec<_>, Vec<_>) = played.into_iter().unzip();
    let (mut wins, mut draws) = (0, 0);
    for (calls, reported) in calls.into_iter().zip(reported) {
        let again = ask_all(server.listen, calls, 1).await;
        assert!(
            reported
                .iter()
                .zip(&again)
                .all(|(reported, again)| *reported == again.body)
        );
        for answer in again {
            let drawn = answer.expect(200, "0000").draws();
            assert_eq!(
                drawn.len(),
                10,
                "made before the kill or now, a call is whole"
            );
            draws += 10;
            wins += drawn
                .iter()
                .filter(|(award, _)| *award == SCARCE_AWARD)
                .count() as u64;
        }
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, draws);
    assert_eq!(
        place.stock(SCARCE_ACTIVITY, SCARCE_AWARD).await,
        (UNITS, wins, UNITS - wins)
    );
}
