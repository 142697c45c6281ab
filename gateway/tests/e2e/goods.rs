//! Stock of awards and of skus, and what lists say is left.
use serde_json::{Value, json};

use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce};
use crate::support::shop::exchange;
use crate::support::{FOLLOWED, Place, Request, Server, eventually};

const ACTIVITY: u64 = 200_003;

/// The number of a sku that an award has too.
const SKU: u64 = SCARCE_AWARD;

/// The scarce campaign, with this many bundles of a sku.
fn with_sku(units: u64, bundles: u64) -> String {
    let sku = format!("[[sku]]\nid = {SKU}\nstock = {bundles}\nprice_minor = 500\nchances = 1\n");
    format!("{}\n{sku}", scarce(ACTIVITY, units))
}

fn award_list(user: &str) -> Request {
    let body = json!({"userId": user, "activityId": ACTIVITY});
    Request::json("strategy/query_raffle_award_list", &body)
}

/// What the lists say of both prizes: the scarce one, and the one without limit.
async fn shown(server: &Server) -> [(Value, Value); 2] {
    let of_strategy = json!({"strategyId": ACTIVITY});
    let of_strategy = Request::json("query_raffle_award_list", &of_strategy);
    let list = server.data(&award_list("u")).await;
    let same = server.data(&of_strategy).await;
    let of = |list: &Value| {
        [SCARCE_AWARD, FALLBACK_AWARD].map(|award| {
            let awards = list.as_array().expect("a list").iter();
            let mut of_award = awards.filter(|shown| shown["awardId"] == award);
            let shown = of_award.next().expect("it is on the wheel");
            (shown["left"].clone(), shown["soldOut"].clone())
        })
    };
    assert_eq!(of(&list), of(&same));
    of(&list)
}

async fn draw(server: &Server, key: &str) -> u64 {
    let draw = Request::draw("u", ACTIVITY, key);
    server.ask(&draw).await.expect(200, "0000").award()
}

#[tokio::test]
async fn lists_show_what_is_left_and_what_is_sold_out() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 2)]).await;
    let server = Server::start(&place).await;
    let unlimited = (json!(null), json!(false));
    for (left, key) in [(2, "a"), (1, "b"), (0, "c")] {
        let expected = [(json!(left), json!(left == 0)), unlimited.clone()];
        assert_eq!(shown(&server).await, expected);
        let won = if left > 0 {
            SCARCE_AWARD
        } else {
            FALLBACK_AWARD
        };
        assert_eq!(draw(&server, key).await, won);
    }
}

#[tokio::test]
async fn guarantees_show_what_is_left_of_their_prizes() {
    let guarantee = "[strategy]\nrule_models = [\"rule_weight\"]";
    let rule = "\n[[strategy.rule_weight]]\ndraw = 5\nawards = [1]\n\n[[award]]\nid = 1\n";
    let text = scarce(ACTIVITY, 2)
        .replacen("[strategy]", guarantee, 1)
        .replacen("\n[[award]]\nid = 1\n", rule, 1);
    let place = Place::with_campaigns(&[&text]).await;
    let server = Server::start(&place).await;
    let body = json!({"userId": "u", "activityId": ACTIVITY});
    let asked = Request::json("strategy/query_raffle_strategy_rule_weight", &body);
    draw(&server, "a").await;
    let groups = server.data(&asked).await;
    let expected = json!([
        {"awardId": SCARCE_AWARD, "awardTitle": "Scarce prize", "left": 1, "soldOut": false}
    ]);
    assert_eq!(groups[0]["strategyAwards"], expected);
}

/// No user wins it before units are added; then it is won as any other.
#[tokio::test]
async fn a_prize_may_begin_without_units() {
    let text = scarce(ACTIVITY, 0);
    let place = Place::new();
    let file = place.file("none.toml", &text);
    let checked = place.run(&["campaign", "check", &file]).await.ok();
    assert!(
        checked.contains("award 1 is drawn and has no units"),
        "{checked}"
    );
    let place = Place::with_campaigns(&[&text]).await;
    let server = Server::start(&place).await;
    assert_eq!(draw(&server, "a").await, FALLBACK_AWARD);
    assert_eq!(shown(&server).await[0], (json!(0), json!(true)));
    let (activity, award) = (ACTIVITY.to_string(), SCARCE_AWARD.to_string());
    let change = async |verb: &str, units: &str| {
        let words = [
            "stock", verb, &activity, &award, units, "--reason", "a gift",
        ];
        place.run_here(&words).await
    };
    for verb in ["add", "withdraw"] {
        change(verb, "0").await.failed(2);
    }
    change("add", "1").await.ok();
    eventually("the added unit is there", FOLLOWED, async || {
        (shown(&server).await[0].0 == 1).then_some(())
    })
    .await;
    assert_eq!(draw(&server, "b").await, SCARCE_AWARD);
    assert_eq!(draw(&server, "c").await, FALLBACK_AWARD);
    server.stop().await;
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (1, 1, 0));
    place.audited_at_rest().await;
}

/// It is sold out, and not unavailable, until units are added.
#[tokio::test]
async fn a_sku_may_begin_without_units() {
    let sku = "[[sku]]\nid = 5\nstock = 0\nprice_minor = 0\nchances = 1\n";
    let text = format!("{}\n{sku}", scarce(ACTIVITY, 1));
    let place = Place::with_campaigns(&[&text]).await;
    let server = Server::start(&place).await;
    let buy = exchange("u", 5, "k");
    for _ in 0..2 {
        server.ask(&buy).await.expect(409, "ERR_BIZ_005");
    }
    let activity = ACTIVITY.to_string();
    let words = [
        "stock", "add", &activity, "--sku", "5", "1", "--reason", "why",
    ];
    place.run_here(&words).await.ok();
    // A call that was refused does not hold its key.
    eventually("the added unit is sold", FOLLOWED, async || {
        (server.ask(&buy).await.code == "0000").then_some(())
    })
    .await;
    let next = exchange("u", 5, "l");
    server.ask(&next).await.expect(409, "ERR_BIZ_005");
    server.stop().await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn a_sku_and_an_award_of_one_number_have_stock_of_their_own() {
    let place = Place::with_campaigns(&[&with_sku(5, 40)]).await;
    let server = Server::start(&place).await;
    let (activity, sku) = (ACTIVITY.to_string(), SKU.to_string());
    let of_sku = format!("sku {SKU}");
    let change = async |words: &[&str]| {
        let words = [words, &["--reason", "why", "--who", "ops"]].concat();
        place.run_here(&words).await
    };
    let show = async || {
        place
            .run_here(&["stock", "show", "--activity", &activity])
            .await
    };
    assert_eq!(show().await.stock_of(ACTIVITY, &of_sku), (40, 0, 40));
    let said = change(&["stock", "add", &activity, "--sku", &sku, "3"])
        .await
        .ok();
    assert_eq!(
        said,
        format!("sku {SKU} of activity {ACTIVITY}: added 3, the total is 43 now\n")
    );
    change(&["stock", "withdraw", &activity, "13", "--sku", &sku])
        .await
        .ok();
    assert_eq!(show().await.stock_of(ACTIVITY, &of_sku), (30, 0, 30));
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (5, 0, 5));
    let json = place
        .run_here(&["stock", "show", "--json", "--history"])
        .await
        .ok();
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let fields = [0, 1].map(|line| (json[line]["award"].clone(), json[line]["sku"].clone()));
    assert_eq!(
        fields,
        [
            (json!(SCARCE_AWARD), json!(null)),
            (json!(null), json!(SKU))
        ]
    );
    let kinds = json[1]["history"].as_array().expect("a list").iter();
    let kinds: Vec<_> = kinds
        .map(|change| change["kind"].as_str().expect("a word"))
        .collect();
    assert_eq!(kinds, ["publish", "add", "withdraw"]);
    let metric = format!(
        "drawbridge_stock_left_units{{activity=\"{ACTIVITY}\",good=\"sku\",id=\"{SKU}\"}} 30"
    );
    eventually("the server has its units", FOLLOWED, async || {
        let metrics = server.ask_admin("GET", "/metrics").await.text();
        metrics.lines().any(|line| line == metric).then_some(())
    })
    .await;
    let refused = change(&["stock", "withdraw", &activity, "--sku", &sku, "31"])
        .await
        .failed(1);
    let expected = format!("sku {SKU} of activity {ACTIVITY}: 30 of 30 units are left, not 31");
    assert!(refused.contains(&expected), "{refused}");
    let unknown = change(&["stock", "add", &activity, "--sku", "7", "1"])
        .await
        .failed(1);
    let expected = format!("has no sku 7 with limited stock; sku {SKU} is limited");
    assert!(unknown.contains(&expected), "{unknown}");
    for words in [
        &["stock", "add", &activity, "1"][..],
        &["stock", "add", &activity, "1", "1", "--sku", &sku],
        &["stock", "add", &activity, "--sku", &sku],
        &["stock", "add", &activity, "--sku", &sku, "0"],
        &["stock", "add", &activity, "--sku", "x", "1"],
    ] {
        change(words).await.failed(2);
    }
    let refused = place.publish(&with_sku(5, 41)).await.failed(1);
    let expected = format!("sku {SKU} was first published with 40 units, the file says 41");
    assert!(refused.contains(&expected), "{refused}");
    server.stop().await;
    let report = place.audited().await;
    let checks = report["checks"].as_array().expect("a list");
    let skus = checks
        .iter()
        .find(|check| check["name"] == "skus_not_oversold");
    assert_eq!(skus.expect("it is checked")["checked"], 1);
}
