//! The pages of the reference: the calls that their components make, in the order of a visit, and
//! every field that they read, with its type.
use serde_json::{Value, json};

use crate::support::token::Signer;
use crate::support::{Envelope, Place, Request, Server, away_from_midnight};

/// The demo activities, and the dearest sku of each that a day's points pay.
const ACTIVITIES: [(u64, u64); 2] = [(100_301, 9_014), (100_401, 9_901)];

/// Prizes on a wheel.
const PRIZES: u64 = 8;

const FUTURE_S: i64 = 4_102_444_800;

/// What a page does with a field.
#[derive(Debug, Clone, Copy)]
enum FieldType {
    Integer,
    Number,
    Text,
    Bool,
    /// An integer, or null.
    Lock,
    Object,
    List,
}

use FieldType::{Bool, Integer, List, Lock, Number, Object, Text};

const ACCOUNT: [(&str, FieldType); 6] = [
    ("totalCount", Integer),
    ("totalCountSurplus", Integer),
    ("dayCount", Integer),
    ("dayCountSurplus", Integer),
    ("monthCount", Integer),
    ("monthCountSurplus", Integer),
];

const SKU: [(&str, FieldType); 7] = [
    ("sku", Integer),
    ("activityId", Integer),
    ("activityCountId", Integer),
    ("stockCount", Integer),
    ("stockCountSurplus", Integer),
    ("productAmount", Number),
    ("activityCount", Object),
];

const COUNT: [(&str, FieldType); 3] = [
    ("totalCount", Integer),
    ("dayCount", Integer),
    ("monthCount", Integer),
];

const AWARD: [(&str, FieldType); 7] = [
    ("awardId", Integer),
    ("awardTitle", Text),
    ("awardSubtitle", Text),
    ("sort", Integer),
    ("awardRuleLockCount", Lock),
    ("isAwardUnlock", Bool),
    ("waitUnLockCount", Integer),
];

const WEIGHT: [(&str, FieldType); 3] = [
    ("ruleWeightCount", Integer),
    ("userActivityAccountTotalUseCount", Integer),
    ("strategyAwards", List),
];

const WEIGHT_AWARD: [(&str, FieldType); 2] = [("awardId", Integer), ("awardTitle", Text)];

const DRAWN: [(&str, FieldType); 3] = [
    ("awardId", Integer),
    ("awardTitle", Text),
    ("awardIndex", Integer),
];

impl FieldType {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Integer => value.is_u64(),
            Number => value.is_number(),
            Text => value.is_string(),
            Bool => value.is_boolean(),
            Lock => value.is_null() || value.is_u64(),
            Object => value.is_object(),
            List => value.is_array(),
        }
    }
}

#[track_caller]
fn assert_has(value: &Value, fields: &[(&str, FieldType)]) {
    for (name, field_type) in fields {
        let field = value
            .get(*name)
            .unwrap_or_else(|| panic!("no {name} in {value}"));
        assert!(
            field_type.is_of(field),
            "{name} is {field}, expected {field_type:?}"
        );
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn integer(value: &Value) -> u64 {
    value.as_u64().expect("an integer")
}

/// Somebody who looks at a page of the reference: by the user in its address, or by a token.
struct Visitor<'a> {
    server: &'a Server,
    activity: u64,
    token: Option<String>,
}

const USER: &str = "xiaofuge";

impl Visitor<'_> {
    /// The path that this kind of page calls, and its headers.
    fn request(&self, make: impl FnOnce(&str) -> Request, path: &str) -> Request {
        match &self.token {
            None => make(path),
            Some(token) => make(&format!("{path}_by_token")).header("Authorization", token.clone()),
        }
    }

    /// A page reads the code, whatever the HTTP status.
    async fn ask(&self, request: &Request) -> Envelope {
        self.server.send(request).await.envelope_of_any_status()
    }

    async fn data(&self, request: &Request) -> Value {
        let answer = self.ask(request).await;
        assert_eq!(answer.code, "0000", "{}", answer.body);
        answer.data
    }

    /// A POST with the user in the query and no body; without a user where a token says who it is.
    fn by_query(&self, path: &str) -> Request {
        let query = match self.token {
            None => format!("?userId={USER}"),
            Some(_) => String::new(),
        };
        self.request(|path| Request::new("POST", &format!("{path}{query}")), path)
    }

    /// A POST of JSON.
    fn by_body(&self, path: &str, mut body: Value) -> Request {
        if self.token.is_none() {
            body["userId"] = USER.into();
        }
        self.request(|path| Request::json(path, &body), path)
    }

    fn of_activity(&self, path: &str) -> Request {
        self.by_body(path, json!({"activityId": self.activity}))
    }

    /// `StrategyArmory`.
    async fn armory(&self) {
        let armory = Request::get(&format!("activity/armory?activityId={}", self.activity));
        assert_eq!(self.data(&armory).await, json!(true));
    }

    /// `CalendarSign`: the second time is "already signed".
    async fn sign_in(&self) {
        let sign_in = self.by_query("activity/calendar_sign_rebate");
        assert_eq!(self.data(&sign_in).await, json!(true));
        let again = self.ask(&sign_in).await;
        assert_eq!(again.code, "0003", "{}", again.body);
        assert!(!again.info.is_empty());
    }

    /// `ActivityAccount`, a part of `MemberCard`: what is left in all.
    async fn chances(&self) -> u64 {
        let account = self.of_activity("activity/query_user_activity_account");
        let account = self.data(&account).await;
        assert_has(&account, &ACCOUNT);
        integer(&account["totalCountSurplus"])
    }

    async fn points(&self) -> f64 {
        let points = self.by_query("activity/query_user_credit_account");
        self.data(&points).await.as_f64().expect("a number")
    }

    /// `MemberCard`, with whether the user has signed in.
    async fn member_card(&self, is_signed: bool) -> (u64, f64) {
        let asked = self.by_query("activity/is_calendar_sign_rebate");
        assert_eq!(self.data(&asked).await, json!(is_signed));
        (self.chances().await, self.points().await)
    }

    /// `SkuProduct`: the cards, and a purchase, whose result the page shows a moment later.
    async fn shop(&self, sku: u64) {
        let path = "activity/query_sku_product_list_by_activity_id";
        let path = format!("{path}?activityId={}", self.activity);
        let skus = self.data(&Request::new("POST", &path)).await;
        for sku in list(&skus) {
            assert_has(sku, &SKU);
            assert_has(&sku["activityCount"], &COUNT);
            assert_eq!(sku["activityId"], self.activity);
            assert!(integer(&sku["stockCountSurplus"]) <= integer(&sku["stockCount"]));
        }
        let card = list(&skus).iter().find(|card| card["sku"] == sku);
        let card = card.expect("it is on sale");
        let price = card["productAmount"].as_f64().expect("a price");
        let (chances, points) = (self.chances().await, self.points().await);
        let buy = self.by_body("activity/credit_pay_exchange_sku", json!({"sku": sku}));
        assert_eq!(self.data(&buy).await, json!(true));
        let bought = integer(&card["activityCount"]["totalCount"]);
        assert_eq!(self.chances().await, chances + bought);
        assert!((self.points().await - (points - price)).abs() < 1e-9);
    }

    /// The wheel and the grid.
    async fn wheel(&self) -> Value {
        let awards = self.of_activity("strategy/query_raffle_award_list");
        let awards = self.data(&awards).await;
        for award in list(&awards) {
            assert_has(award, &AWARD);
            let waits = integer(&award["waitUnLockCount"]);
            assert_eq!(award["isAwardUnlock"], waits == 0, "{award}");
        }
        let sorts: Vec<u64> = list(&awards)
            .iter()
            .map(|award| integer(&award["sort"]))
            .collect();
        assert_eq!(sorts, (1..=PRIZES).collect::<Vec<_>>());
        awards
    }

    /// `StrategyRuleWeight`. The reference has no path by token for it; here each path of a user
    /// has one.
    async fn rule_weights(&self) {
        let weights = self.of_activity("strategy/query_raffle_strategy_rule_weight");
        for weight in list(&self.data(&weights).await) {
            assert_has(weight, &WEIGHT);
            for award in list(&weight["strategyAwards"]) {
                assert_has(award, &WEIGHT_AWARD);
            }
        }
    }

    /// The wheel stops at `awardIndex`, counted from 1.
    async fn draw(&self, awards: &Value) {
        let drawn = self.data(&self.of_activity("activity/draw")).await;
        assert_has(&drawn, &DRAWN);
        let index = integer(&drawn["awardIndex"]);
        assert!((1..=PRIZES).contains(&index), "{drawn}");
        let place = usize::try_from(index).expect("small") - 1;
        let shown = &list(awards)[place];
        for field in ["awardId", "awardTitle"] {
            assert_eq!(drawn[field], shown[field]);
        }
    }

    /// All of it, in the order of a page.
    async fn visit(&self, sku: u64) {
        self.armory().await;
        let (chances, points) = self.member_card(false).await;
        self.sign_in().await;
        let (more_chances, more_points) = self.member_card(true).await;
        assert!(more_chances > chances && more_points > points);
        self.shop(sku).await;
        let awards = self.wheel().await;
        self.rule_weights().await;
        let before = self.chances().await;
        self.draw(&awards).await;
        assert_eq!(self.chances().await, before - 1);
    }
}

#[tokio::test]
async fn pages_of_the_reference_find_every_field_that_they_read() {
    away_from_midnight().await;
    for (activity, sku) in ACTIVITIES {
        let place = Place::new();
        // For clients that drop other answers than 200: nothing but 0003 is one here.
        let server = Server::start_with(&place, "[http]\nalways_200 = \"rules\"\n").await;
        let visitor = Visitor {
            server: &server,
            activity,
            token: None,
        };
        visitor.visit(sku).await;
        server.stop().await;
        place.audited_at_rest().await;
    }
}

#[tokio::test]
async fn pages_that_bring_a_token_find_the_same() {
    away_from_midnight().await;
    let place = Place::new();
    let signer = Signer::stranger();
    let keys = json!({"keys": [signer.jwk("k")]});
    let keys = place.file("keys.json", keys.to_string());
    let config =
        format!("[identity]\nkind = \"jwt\"\njwks_file = {keys:?}\nuser_claim = \"openId\"\n");
    let server = Server::start_with(&place, &config).await;
    let claims = json!({"openId": USER, "exp": FUTURE_S});
    let (activity, sku) = ACTIVITIES[0];
    let visitor = Visitor {
        server: &server,
        activity,
        token: Some(signer.mint_as("k", &claims)),
    };
    visitor.visit(sku).await;
    server.stop().await;
    place.audited_at_rest().await;
}
