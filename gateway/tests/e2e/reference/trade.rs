//! Faults of points, sign-ins, rewards, purchases and their stock, by their numbers in
//! `docs/reference-faults.md`.
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use testkit::campaign::{Award, CampaignFile};

use crate::support::shop::{
    GIFT, PAIR, RARE, WELCOME, campaign, exchange, is_signed_in, ledger, points, report, sign_in,
    signed,
};
use crate::support::{
    Connection, Envelope, FOLLOWED, Place, Request, Server, ask_all, away_from_midnight,
    eventually, shop,
};

const ACTIVITY: u64 = 200_060;

/// A server that believes the application `shop`.
async fn started(campaign: &str) -> (Place, Server) {
    away_from_midnight().await;
    let place = Place::with_campaigns(&[campaign]).await;
    let key = place.file("shop.key", shop::KEY);
    let app = format!("[[app]]\nid = \"shop\"\nkey_files = [{key:?}]\n");
    let server = Server::start_with(&place, &app).await;
    (place, server)
}

async fn endow(place: &Place, user: &str, amount: &str) {
    let words = ["points", "adjust", user, amount, "--reason", "a test"];
    place.run_here(&words).await.ok();
}

async fn account(server: &Server, user: &str) -> Value {
    server.data(&Request::account(user, ACTIVITY)).await
}

async fn chances(server: &Server, user: &str) -> Value {
    account(server, user).await["totalCount"].clone()
}

/// Total, issued and left of a sku.
async fn stock_of(place: &Place, sku: u64) -> (u64, u64, u64) {
    let activity = ACTIVITY.to_string();
    let words = ["stock", "show", "--activity", &activity];
    let shown = place.run_here(&words).await;
    shown.stock_of(ACTIVITY, &format!("sku {sku}"))
}

fn tally(answers: &[Envelope]) -> BTreeMap<&str, usize> {
    let mut codes = BTreeMap::new();
    for answer in answers {
        *codes.entry(answer.code.as_str()).or_default() += 1;
    }
    codes
}

/// Hundredths of an amount.
fn hundredths(value: &Value) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "amounts of tests are small"
    )]
    let rounded = (value.as_f64().expect("a number") * 100.0).round() as i64;
    rounded
}

/// D1, D2, D3: nobody gets chances for points that are not there.
#[tokio::test]
async fn one_point_buys_nothing_that_costs_more() {
    let (place, server) = started(&campaign(ACTIVITY)).await;
    endow(&place, "u", "1.00").await;
    for key in ["a", "b", "a"] {
        let refused = server.ask(&exchange("u", PAIR, key)).await;
        refused.expect(409, "ERR_CREDIT_001");
    }
    endow(&place, "u", "1.49").await;
    let refused = server.ask(&exchange("u", PAIR, "a")).await;
    refused.expect(409, "ERR_CREDIT_001");
    assert_eq!(server.data(&points("u")).await, json!(2.49));
    assert_eq!(chances(&server, "u").await, WELCOME);
    assert_eq!(stock_of(&place, PAIR).await, (1_000, 0, 1_000));
    endow(&place, "u", "0.01").await;
    let bought = server.ask(&exchange("u", PAIR, "a")).await;
    bought.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(0.0));
    place.audited().await;
    server.stop().await;
}

/// Each draw pays points, a sign-in 10 and a payment 0.50.
fn paying() -> String {
    CampaignFile::new(ACTIVITY)
        .time_zone("Asia/Shanghai")
        .chances(1_000, 1_000, 1_000)
        .section("[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"10\"")
        .section("[[reward]]\nbehavior = \"openai_pay\"\nkind = \"points\"\npoints = \"0.50\"")
        .award(
            Award::new(CampaignFile::LUCK, "points", "1")
                .setting("key", "\"user_credit_random\"")
                .setting("config", "\"0.01,2\""),
        )
        .text()
}

/// D5, D22: the first points of a user come by several ways at once, into one account whose ledger
/// has each of them.
#[tokio::test]
async fn first_points_that_come_at_once_are_in_one_account_and_its_ledger() {
    let (place, server) = started(&paying()).await;
    let mut requests = vec![sign_in("u", "day")];
    for number in 0..10 {
        requests.push(Request::draw("u", ACTIVITY, &format!("d{number}")));
        let paid = report("u", "openai_pay", &number.to_string());
        requests.push(signed(&paid));
    }
    let answers = ask_all(server.listen, requests, 21).await;
    assert_eq!(tally(&answers), BTreeMap::from([("0000", 21)]));
    let won = answers
        .iter()
        .filter_map(|answer| answer.data.get("awardAmount"));
    let won: Vec<i64> = won.map(hundredths).collect();
    assert_eq!(won.len(), 10);
    let expected = won.iter().sum::<i64>() + 1_000 + 10 * 50;
    let balance = server.data(&points("u")).await;
    assert_eq!(hundredths(&balance), expected);
    let page = server.data(&ledger("u", 100, None)).await;
    let entries = page["entries"].as_array().expect("a list");
    assert_eq!(entries.len(), 21);
    let sum: i64 = entries
        .iter()
        .map(|entry| hundredths(&entry["amount"]))
        .sum();
    assert_eq!(sum, expected);
    place.audited().await;
    server.stop().await;
}

/// D15: what is refused, and what comes again, takes no unit of a sku.
#[tokio::test]
async fn refused_and_repeated_calls_take_no_unit_of_a_sku() {
    let pays_chances =
        format!("\n[[reward]]\nbehavior = \"gift\"\nkind = \"chances\"\nsku = {RARE}\n");
    let text = campaign(ACTIVITY).replacen(
        "\n[[reward]]\n",
        &format!("{pays_chances}\n[[reward]]\n"),
        1,
    );
    let (place, server) = started(&text).await;
    for _ in 0..5 {
        let gift = report("u", "gift", "once");
        server.ask(&signed(&gift)).await.expect(200, "0000");
        let poor = server.ask(&exchange("u", PAIR, "poor")).await;
        poor.expect(409, "ERR_CREDIT_001");
    }
    let twice = report("u", "gift", "once");
    let at_once = ask_all(server.listen, vec![signed(&twice); 10], 10).await;
    assert_eq!(tally(&at_once), BTreeMap::from([("0000", 10)]));
    assert_eq!(stock_of(&place, RARE).await, (2, 1, 1));
    let signs = (0..10).map(|number| sign_in("u", &format!("s{}", number / 2)));
    let answers = ask_all(server.listen, signs.collect(), 10).await;
    // One key signs in, and is answered again.
    assert_eq!(tally(&answers), BTreeMap::from([("0000", 2), ("0003", 8)]));
    assert_eq!(stock_of(&place, GIFT).await, (1_000, 1, 999));
    let bought = ask_all(server.listen, vec![exchange("u", PAIR, "x"); 10], 10).await;
    assert_eq!(tally(&bought), BTreeMap::from([("0000", 10)]));
    assert_eq!(stock_of(&place, PAIR).await, (1_000, 1, 999));
    assert_eq!(server.data(&points("u")).await, json!(7.5));
    assert_eq!(chances(&server, "u").await, WELCOME + 1 + 1 + 2);
    place.audited().await;
    server.stop().await;
}

/// D20: a behaviour that is reported under the day of a sign-in is another one.
#[tokio::test]
async fn a_report_under_the_day_of_a_sign_in_does_not_block_it() {
    let (place, server) = started(&campaign(ACTIVITY)).await;
    let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
    let today = Timestamp::now()
        .to_zoned(zone)
        .strftime("%Y%m%d")
        .to_string();
    let paid = report("u", "openai_pay", &today);
    server.ask(&signed(&paid)).await.expect(200, "0000");
    assert_eq!(server.data(&is_signed_in("u")).await, json!(false));
    server.ask(&sign_in("u", &today)).await.expect(200, "0000");
    assert_eq!(server.data(&points("u")).await, json!(11.5));
    // Nor the other way round, and in the name of other users.
    server.ask(&sign_in("v", "k")).await.expect(200, "0000");
    let paid = report("v", "openai_pay", &today);
    server.ask(&signed(&paid)).await.expect(200, "0000");
    assert_eq!(server.data(&points("v")).await, json!(11.5));
    place.audited().await;
    server.stop().await;
}

/// D21: chances that are bought and given raise the total. A day stays a day.
#[tokio::test]
async fn purchases_and_rewards_raise_no_limit() {
    let text = campaign(ACTIVITY)
        .replace("day_limit = 1000", "day_limit = 3")
        .replace("month_limit = 1000", "month_limit = 4");
    let (place, server) = started(&text).await;
    endow(&place, "u", "100").await;
    server.ask(&sign_in("u", "day")).await.expect(200, "0000");
    for key in ["x-1", "x-2", "x-3"] {
        let bought = server.ask(&exchange("u", PAIR, key)).await;
        bought.expect(200, "0000");
    }
    let shown = account(&server, "u").await;
    assert_eq!(shown["totalCount"], WELCOME + 1 + 6);
    assert_eq!(
        (&shown["dayCount"], &shown["monthCount"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(shown["dayCountSurplus"], 3);
    for key in ["1", "2", "3"] {
        let drawn = server.ask(&Request::draw("u", ACTIVITY, key)).await;
        drawn.expect(200, "0000");
    }
    let bought = server.ask(&exchange("u", PAIR, "x-4")).await;
    bought.expect(200, "0000");
    let refused = server.ask(&Request::draw("u", ACTIVITY, "4")).await;
    refused.expect(409, "ERR_BIZ_008");
    place.audited().await;
    server.stop().await;
}

/// D26: units that are added to a sku that is sold out are sold, and no others.
#[tokio::test]
async fn units_that_are_added_to_a_sku_are_sold() {
    let (place, server) = started(&campaign(ACTIVITY)).await;
    endow(&place, "u", "10").await;
    let mut connection: Connection = server.connect().await;
    let mut buy = async |key: &str| {
        let answer = connection.exchange(&exchange("u", RARE, key)).await;
        answer.expect("an answer").envelope().code
    };
    for (key, code) in [("1", "0000"), ("2", "0000"), ("3", "ERR_BIZ_005")] {
        assert_eq!(buy(key).await, code);
    }
    let (activity, sku) = (ACTIVITY.to_string(), RARE.to_string());
    let words = [
        "stock", "add", &activity, "--sku", &sku, "2", "--reason", "more",
    ];
    place.run_here(&words).await.ok();
    eventually("the added units are sold", FOLLOWED, async || {
        (buy("3").await == "0000").then_some(())
    })
    .await;
    for (key, code) in [("4", "0000"), ("5", "ERR_BIZ_005")] {
        assert_eq!(buy(key).await, code);
    }
    assert_eq!(stock_of(&place, RARE).await, (4, 4, 0));
    // The shop shows what there was in all.
    let path = format!("activity/query_sku_product_list_by_activity_id?activityId={ACTIVITY}");
    let skus = server.data(&Request::new("POST", &path)).await;
    let shown = (
        &skus[1]["sku"],
        &skus[1]["stockCount"],
        &skus[1]["stockCountSurplus"],
    );
    assert_eq!(shown, (&json!(RARE), &json!(4), &json!(0)));
    place.audited().await;
    server.stop().await;
}

/// D47: where an activity is there, it sells, rewards and draws.
#[tokio::test]
async fn an_activity_that_is_published_sells_and_draws_at_once() {
    away_from_midnight().await;
    let place = Place::with_campaigns(&[&campaign(ACTIVITY + 1).replace("900", "910")]).await;
    let server = Server::start(&place).await;
    endow(&place, "u", "100").await;
    place.publish(&campaign(ACTIVITY)).await.ok();
    let draw = Request::draw("u", ACTIVITY, "draw");
    eventually("it is drawn from", FOLLOWED, async || {
        let answer = server.ask(&draw).await;
        let is_there = answer.code == "0000";
        assert!(is_there || answer.code == "ERR_REQ_001", "{}", answer.body);
        is_there.then_some(())
    })
    .await;
    for (sku, key) in [(PAIR, "a"), (RARE, "b")] {
        let bought = server.ask(&exchange("u", sku, key)).await;
        bought.expect(200, "0000");
    }
    let signed = server.ask(&sign_in("u", "day")).await;
    signed.expect(200, "0000");
    assert_eq!(chances(&server, "u").await, WELCOME + 2 + 1 + 1);
    place.audited().await;
    server.stop().await;
}
