//! Clients of the reference: every path, parameter and field that they use.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::campaign::{DEMO, DEMO_ACTIVITY, SCARCE, bounded, with};
use crate::support::{Place, Request, Server, ask_all, away_from_midnight, shop};

const API: &str = include_str!("../../../docs/api.md");

/// The fields of a prize in a list.
const AWARD: [&str; 12] = [
    "awardId",
    "awardTitle",
    "awardSubtitle",
    "sort",
    "awardRuleLockCount",
    "isAwardUnlock",
    "waitUnLockCount",
    // By the names that some clients read.
    "awardUnlock",
    "hasAwardUnlock",
    "waitUnlockCount",
    "left",
    "soldOut",
];

async fn started() -> (Place, Server) {
    let place = Place::new();
    let server = Server::start(&place).await;
    (place, server)
}

fn of_user(path: &str, user: &str) -> Request {
    Request::json(path, &json!({"userId": user, "activityId": DEMO_ACTIVITY}))
}

fn award_list(user: &str) -> Request {
    of_user("strategy/query_raffle_award_list", user)
}

/// The first path of each row of the documented table of endpoints.
fn documented_endpoints() -> BTreeSet<String> {
    let (_, table) = API
        .split_once("| methods | path | also |")
        .expect("the table of endpoints");
    let row = |line: &str| Some(line.split(" | ").nth(1)?.trim_matches('`').to_owned());
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter_map(row)
        .collect()
}

fn names(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

/// The path, a request, and the fields of `data` or of its first entry.
type Case = (&'static str, Request, &'static [&'static str]);

/// Sign-ins, points, skus and rewards, in an order in which there is something to see.
fn cases_of_points() -> [Case; 8] {
    [
        (
            "activity/calendar_sign_rebate",
            Request::new("POST", "activity/calendar_sign_rebate?userId=u"),
            &[],
        ),
        (
            "activity/is_calendar_sign_rebate",
            Request::new("POST", "activity/is_calendar_sign_rebate?userId=u"),
            &[],
        ),
        (
            "activity/query_user_credit_account",
            Request::new("POST", "activity/query_user_credit_account?userId=u"),
            &[],
        ),
        (
            "activity/credit_ledger",
            Request::get("activity/credit_ledger?userId=u"),
            &["entries", "next"],
        ),
        (
            "activity/recharge_orders",
            Request::get("activity/recharge_orders?userId=u"),
            &["records", "next"],
        ),
        (
            "activity/query_sku_product_list_by_activity_id",
            of_user("activity/query_sku_product_list_by_activity_id", "u"),
            &[
                "sku",
                "activityId",
                "activityCountId",
                "stockCount",
                "stockCountSurplus",
                "productAmount",
                "activityCount",
            ],
        ),
        (
            "activity/credit_pay_exchange_sku",
            shop::exchange("u", 9_014, "x"),
            &[],
        ),
        (
            "rebate/rebate",
            shop::signed(&shop::report("u", "openai_pay", "1")),
            &[],
        ),
    ]
}

#[tokio::test]
async fn every_documented_endpoint_answers_with_its_documented_fields() {
    away_from_midnight().await;
    let place = Place::new();
    let key = place.file("shop.key", shop::KEY);
    let app = format!("[[app]]\nid = \"shop\"\nkey_files = [{key:?}]\n");
    let server = Server::start_with(&place, &app).await;
    let strategy = json!({"strategyId": 100_006});
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let cases: [Case; 13] = [
        (
            "activity/draw",
            Request::draw("u", DEMO_ACTIVITY, "k"),
            &["awardId", "awardTitle", "awardIndex", "orderId"],
        ),
        (
            "activity/draw_record",
            Request::record("u", "requestId", "k"),
            &[
                "awardId",
                "awardTitle",
                "awardIndex",
                "orderId",
                "activityId",
                "requestId",
                "state",
                "createdAt",
            ],
        ),
        (
            "activity/draw_records",
            Request::get("activity/draw_records?userId=u&activityId=100301"),
            &["records", "next"],
        ),
        (
            "activity/query_user_award_record_list",
            Request::json(
                "activity/query_user_award_record_list",
                &json!({"userId": "u", "limit": 10}),
            ),
            &[
                "userId",
                "activityId",
                "strategyId",
                "orderId",
                "awardId",
                "awardTitle",
                "awardTime",
                "awardState",
            ],
        ),
        (
            "activity/armory",
            Request::get("activity/armory?activityId=100301"),
            &[],
        ),
        (
            "activity/query_user_activity_account",
            Request::account("u", DEMO_ACTIVITY),
            &[
                "totalCount",
                "totalCountSurplus",
                "dayCount",
                "dayCountSurplus",
                "monthCount",
                "monthCountSurplus",
            ],
        ),
        (
            "activity/query_stage_activity_id",
            Request::get("activity/query_stage_activity_id?channel=c01&source=s01"),
            &[],
        ),
        (
            "activity/query_activity",
            Request::get("activity/query_activity?activityId=100301"),
            &[
                "activityId",
                "name",
                "description",
                "state",
                "beginsAt",
                "endsAt",
                "now",
                "timeZone",
            ],
        ),
        (
            "strategy/strategy_armory",
            Request::get("strategy/strategy_armory?strategyId=100006"),
            &[],
        ),
        ("strategy/query_raffle_award_list", award_list("u"), &AWARD),
        (
            "query_raffle_award_list",
            Request::json("query_raffle_award_list", &strategy),
            &AWARD,
        ),
        (
            "strategy/query_raffle_strategy_rule_weight",
            of_user("strategy/query_raffle_strategy_rule_weight", "u"),
            &[
                "ruleWeightCount",
                "userActivityAccountTotalUseCount",
                "strategyAwards",
            ],
        ),
        (
            "strategy/random_raffle",
            Request::json("strategy/random_raffle", &strategy),
            &["awardId", "awardIndex"],
        ),
    ];
    let cases: Vec<Case> = cases.into_iter().chain(cases_of_points()).collect();
    let tested: BTreeSet<_> = cases.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(documented_endpoints(), tested);
    for (name, request, fields) in cases {
        let data = server.data(&request).await;
        let data = data.as_array().map_or(&data, |list| &list[0]);
        if fields.is_empty() {
            assert!(data.is_boolean() || data.is_number(), "{name}: {data}");
        } else {
            let mut found = names(data);
            // Only prizes of points have one.
            found.remove("awardAmount");
            assert_eq!(found, fields.iter().copied().collect(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_post_without_a_content_type_is_bound_by_its_query() {
    let (_place, server) = started().await;
    let bare = b"POST /api/v1/raffle/activity/armory?activityId=100301 HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut connection = server.connect().await;
    connection.send(bare).await.unwrap();
    assert_eq!(connection.receive().await.unwrap().data(), json!(true));
    let made = server
        .ask(&Request::draw("a b\u{fa}&", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    for request in [
        Request::record("a b\u{fa}&", "requestId", "k"),
        Request::form("activity/draw_record", "userId=a+b%C3%BA%26&requestId=k"),
    ] {
        assert_eq!(server.data(&request).await["orderId"], made.data["orderId"]);
    }
}

#[tokio::test]
async fn the_paths_of_the_first_stage_work() {
    let (_place, server) = started().await;
    let strategy = json!({"strategyId": 100_006});
    assert_eq!(
        server
            .data(&Request::get("strategy_armory?strategyId=100006"))
            .await,
        json!(true)
    );
    let drawn = server
        .data(&Request::json("random_raffle", &strategy))
        .await;
    assert_eq!(names(&drawn), ["awardId", "awardIndex"].into());
    let list = server
        .data(&Request::json("query_raffle_award_list", &strategy))
        .await;
    assert_eq!(
        list,
        server.data(&award_list("a new user")).await,
        "as before the first draw of a day"
    );
}

#[tokio::test]
async fn a_stage_shows_its_activity_and_any_other_null() {
    let (_place, server) = started().await;
    for (query, expected) in [
        ("channel=c01&source=s01", json!(100_401)),
        ("channel=c01&source=s02", json!(null)),
        ("channel=C01&source=s01", json!(null)),
    ] {
        let request = Request::get(&format!("activity/query_stage_activity_id?{query}"));
        assert_eq!(server.data(&request).await, expected, "{query}");
    }
}

#[tokio::test]
async fn armory_and_random_raffle_change_nothing() {
    let (place, server) = started().await;
    let before = place.run_here(&["stock", "show", "--history"]).await.ok();
    let campaigns = place.run_here(&["campaign", "list"]).await.ok();
    let mut requests: Vec<Request> = (0..300)
        .map(|number| {
            let path = if number % 2 == 0 {
                "strategy/random_raffle"
            } else {
                "random_raffle"
            };
            Request::json(
                path,
                &json!({"strategyId": if number % 3 == 0 { "100006" } else { "10007" }}),
            )
        })
        .collect();
    for activity in [100_301, 100_401] {
        requests.push(Request::get(&format!(
            "activity/armory?activityId={activity}"
        )));
    }
    let answers = ask_all(server.listen, requests, 8).await;
    assert!(answers.iter().all(|answer| answer.code == "0000"));
    let awards: BTreeSet<u64> = answers
        .iter()
        .filter_map(|answer| answer.data["awardId"].as_u64())
        .collect();
    assert!(
        awards.len() > 3,
        "300 looks into two pools show some prizes: {awards:?}"
    );
    for user in ["system", "u"] {
        let account = server.data(&Request::account(user, DEMO_ACTIVITY)).await;
        assert_eq!(account["totalCountSurplus"], account["totalCount"]);
    }
    server.stop().await;
    assert_eq!(
        place.run_here(&["stock", "show", "--history"]).await.ok(),
        before
    );
    assert_eq!(place.run_here(&["campaign", "list"]).await.ok(), campaigns);
    assert_eq!(place.audited_at_rest().await, 0);
}

#[tokio::test]
async fn random_raffle_asks_the_pool_and_not_the_stock() {
    let place = Place::with_campaigns(&[&with(SCARCE, "count = 1000", "count = 1")]).await;
    let server = Server::start(&place).await;
    for _ in 0..3 {
        let shown = server
            .data(&Request::json(
                "random_raffle",
                &json!({"strategyId": 200_002}),
            ))
            .await;
        assert_eq!(shown, json!({"awardId": 1, "awardIndex": 1}));
    }
    let drawn = server.data(&Request::draw("u", 200_002, "k")).await;
    assert_eq!(drawn["awardId"], 1);
}

#[tokio::test]
async fn browsers_may_call_from_any_origin() {
    let (_place, server) = started().await;
    let preflight = Request::new("OPTIONS", "activity/draw")
        .header("Origin", "https://wheel.example")
        .header("Access-Control-Request-Method", "POST")
        .header(
            "Access-Control-Request-Headers",
            "authorization,content-type,idempotency-key",
        );
    let answer = server.send(&preflight).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    let list = |name: &str| {
        let value = answer
            .header(name)
            .unwrap_or_else(|| panic!("no {name}"))
            .to_ascii_lowercase();
        value
            .split(',')
            .map(|word| word.trim().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(list("Access-Control-Allow-Origin"), ["*".to_owned()].into());
    let allowed = ["content-type", "authorization", "idempotency-key", "prefer"].map(str::to_owned);
    assert!(list("Access-Control-Allow-Headers").is_superset(&allowed.into()));
    assert!(
        list("Access-Control-Allow-Methods")
            .is_superset(&["get".to_owned(), "post".to_owned()].into())
    );
    // The call itself; `ask` checks that every answer, refusals too, may be read anywhere.
    let call = Request::draw("u", DEMO_ACTIVITY, "k").header("Origin", "https://wheel.example");
    server.ask(&call).await.expect(200, "0000");
    server
        .ask(&Request::draw("u", 7, "k7").header("Origin", "null"))
        .await
        .expect(404, "ERR_REQ_001");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let (_place, server) = started().await;
    let mut connection = server.connect().await;
    for (path, status) in [
        ("activity/armory?activityId=100301", 200),
        ("activity/armory?activityId=7", 404),
        ("activity/armory", 400),
        ("nowhere", 404),
    ] {
        let get = connection.exchange(&Request::get(path)).await.unwrap();
        // On one connection: a body that should not be there would be taken for the next answer.
        let head = connection
            .exchange(&Request::new("HEAD", path))
            .await
            .unwrap();
        assert_eq!((head.status, get.status), (status, status), "{path}");
        assert_eq!(head.header("Content-Type"), get.header("Content-Type"));
        assert!(head.body.is_empty() && !get.body.is_empty());
    }
}

#[tokio::test]
async fn the_page_is_html() {
    let (_place, server) = started().await;
    let page = server.send(&Request::raw("GET", "/")).await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("Content-Type")
            .unwrap()
            .starts_with("text/html"),
        "{page:?}"
    );
    assert!(page.text().to_ascii_lowercase().contains("<!doctype html>"));
    assert_eq!(server.send(&Request::raw("HEAD", "/")).await.status, 200);
}

#[tokio::test]
async fn an_account_goes_down_by_one_with_each_draw() {
    let (_place, server) = started().await;
    away_from_midnight().await;
    for used in 0..5 {
        let expected = json!({
            "totalCount": 100, "totalCountSurplus": 100 - used,
            "dayCount": 100, "dayCountSurplus": 100 - used,
            "monthCount": 1000, "monthCountSurplus": 100 - used,
        });
        assert_eq!(
            server.data(&Request::account("u", DEMO_ACTIVITY)).await,
            expected
        );
        server
            .ask(&Request::draw("u", DEMO_ACTIVITY, &used.to_string()))
            .await
            .expect(200, "0000");
        // A repeated call costs nothing.
        server
            .ask(&Request::draw("u", DEMO_ACTIVITY, &used.to_string()))
            .await
            .expect(200, "0000");
    }
}

#[tokio::test]
async fn the_surplus_is_what_can_be_drawn() {
    // The bound that is met first: chances, month, day.
    for (activity, welcome, day, month) in [
        (200_011, 2, 9, 9),
        (200_012, 9, 9, 3),
        (200_013, 9, 1, 9),
        (200_014, 0, 9, 9),
    ] {
        let place = Place::with_campaigns(&[&bounded(activity, welcome, day, month)]).await;
        let server = Server::start(&place).await;
        away_from_midnight().await;
        for key in 0..=welcome.min(day).min(month) {
            let account = server.data(&Request::account("u", activity)).await;
            let surplus = |name: &str| {
                account[format!("{name}CountSurplus")]
                    .as_u64()
                    .expect("a number")
            };
            let answer = server
                .ask(&Request::draw("u", activity, &key.to_string()))
                .await;
            assert_eq!(
                surplus("day") > 0,
                answer.status == 200,
                "{account} {}",
                answer.body
            );
            assert_eq!(
                surplus("total") > 0,
                answer.code != "ERR_BIZ_006",
                "{account} {}",
                answer.body
            );
            assert!(
                surplus("day") <= surplus("month") && surplus("month") <= surplus("total"),
                "{account}"
            );
        }
    }
}

/// Lock count, unlocked and still waiting, by award.
fn locks(list: &Value) -> Vec<(u64, Option<u64>, bool, u64)> {
    let entry = |award: &Value| {
        let unlocked = award["isAwardUnlock"].as_bool().expect("a boolean");
        let waits = award["waitUnLockCount"].as_u64().expect("a number");
        assert_eq!(
            (&award["awardUnlock"], &award["hasAwardUnlock"]),
            (&json!(unlocked), &json!(unlocked))
        );
        assert_eq!(award["waitUnlockCount"], waits);
        (
            award["awardId"].as_u64().expect("an id"),
            award["awardRuleLockCount"].as_u64(),
            unlocked,
            waits,
        )
    };
    list.as_array().expect("a list").iter().map(entry).collect()
}

#[tokio::test]
async fn the_wheel_is_listed_in_its_order_with_its_titles() {
    let (_place, server) = started().await;
    let list = server.data(&award_list("u")).await;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 8);
    for (place, award) in (1..).zip(list) {
        assert_eq!(
            (award["awardId"].as_u64(), award["sort"].as_u64()),
            (Some(100 + place), Some(place))
        );
    }
    assert_eq!(
        (
            list[4]["awardTitle"].as_str(),
            list[4]["awardSubtitle"].as_str()
        ),
        (Some("小米su7周体验"), Some("抽奖3次后解锁"))
    );
}

#[tokio::test]
async fn locks_open_exactly_when_the_page_says() {
    let (_place, server) = started().await;
    away_from_midnight().await;
    for drawn in 0..5_u64 {
        let list = server.data(&award_list("u")).await;
        for (award, lock, unlocked, waits) in locks(&list) {
            let expected = match award {
                105 => Some(3),
                106 => Some(2),
                107 => Some(1),
                _ => None,
            };
            let still = expected.unwrap_or(0_u64).saturating_sub(drawn);
            assert_eq!(
                (lock, unlocked, waits),
                (expected, still == 0, still),
                "award {award} after {drawn} draws"
            );
        }
        let answer = server
            .ask(&Request::draw("u", DEMO_ACTIVITY, &drawn.to_string()))
            .await
            .expect(200, "0000");
        let locked = locks(&list)
            .into_iter()
            .any(|(award, _, unlocked, _)| award == answer.award() && !unlocked);
        assert!(
            !locked,
            "draw {drawn} gave a prize that was locked: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_locked_prize_is_never_given_and_an_open_one_is() {
    // So few points that every second draw wants one of the locked prizes.
    let place = Place::with_campaigns(&[&with(DEMO, "rate = 0.79", "rate = 0.001")]).await;
    let server = Server::start(&place).await;
    away_from_midnight().await;
    let users: Vec<String> = (0..40).map(|number| format!("u{number}")).collect();
    let mut given = BTreeSet::new();
    for drawn in 0..6_u64 {
        let draws = users
            .iter()
            .map(|user| Request::draw(user, DEMO_ACTIVITY, &drawn.to_string()))
            .collect();
        for answer in ask_all(server.listen, draws, 20).await {
            let lock = match answer.award() {
                105 => 3,
                106 => 2,
                107 => 1,
                _ => 0,
            };
            assert!(drawn >= lock, "draw {drawn} gave award {}", answer.award());
            given.insert(answer.award());
        }
    }
    assert!(given.is_superset(&[105, 106, 107].into()), "{given:?}");
}

#[tokio::test]
async fn weight_thresholds_count_all_draws_and_fire_on_exactly_theirs() {
    let (_place, server) = started().await;
    let request = of_user("strategy/query_raffle_strategy_rule_weight", "u1");
    let users = ["u1", "u2", "u3", "u4", "u5", "u6"];
    for drawn in 0..=10_u64 {
        let weights = server.data(&request).await;
        let weights = weights.as_array().unwrap();
        let thresholds: Vec<_> = weights
            .iter()
            .map(|weight| weight["ruleWeightCount"].as_u64().unwrap())
            .collect();
        assert_eq!(thresholds, [10, 70, 1000]);
        assert!(
            weights
                .iter()
                .all(|weight| weight["userActivityAccountTotalUseCount"] == drawn),
            "{weights:?}"
        );
        for (place, id, title) in [(0, 102, "OpenAI会员卡"), (1, 103, "支付优惠券")] {
            let award = &weights[0]["strategyAwards"][place];
            assert_eq!(
                (&award["awardId"], &award["awardTitle"]),
                (&json!(id), &json!(title))
            );
            assert!(award["left"].is_u64() && award["soldOut"] == false);
        }
        for user in users {
            let answer = server
                .ask(&Request::draw(user, DEMO_ACTIVITY, &drawn.to_string()))
                .await
                .expect(200, "0000");
            // The tenth draw is the one after nine.
            assert!(
                drawn != 9 || [102, 103].contains(&answer.award()),
                "{}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn blacklisted_users_get_points_whatever_they_draw() {
    let (_place, server) = started().await;
    let draws = ["user001", "user002", "user003"].into_iter();
    let draws = draws.flat_map(|user| {
        (0..30).map(move |number| Request::draw(user, DEMO_ACTIVITY, &number.to_string()))
    });
    let answers = ask_all(server.listen, draws.collect(), 6).await;
    assert!(
        answers.iter().all(|answer| answer.award() == 101),
        "the tenth draw of theirs too"
    );
}

#[tokio::test]
async fn integers_and_a_byte_order_mark_are_read_as_the_reference_reads_them() {
    let place = Place::new();
    let server = Server::start(&place).await;
    for (key, body) in [
        "{\"userId\":\"u\",\"activityId\":100301.0}",
        "{\"userId\":\"u\",\"activityId\":1.00301E5}",
        "{\"userId\":\"u\",\"activityId\":\"100301\"}",
        "\u{feff}{\"userId\":\"u\",\"activityId\":100301}",
    ]
    .into_iter()
    .enumerate()
    {
        let draw = Request::post("activity/draw", "application/json", body);
        server
            .ask(&draw.header("Idempotency-Key", key.to_string()))
            .await
            .expect(200, "0000");
    }
}
