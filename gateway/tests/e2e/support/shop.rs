//! A campaign with bundles of chances and rewards, the calls about them, and signed calls of an
//! application.
use std::fmt::Write as _;

use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use testkit::campaign::CampaignFile;
use testkit::http::Request;

/// A bundle of two chances for 2.50 points.
pub const PAIR: u64 = 9_001;
/// A bundle of one chance for 0.10 points, of which there are two.
pub const RARE: u64 = 9_002;
/// A bundle of one chance that sign-ins give.
pub const GIFT: u64 = 9_003;

/// The chances that a user begins with.
pub const WELCOME: u64 = 10;

/// The key of the application `shop`.
pub const KEY: &str = "a key of the shop of more than 32 bytes";

/// A sign-in gives a chance and 10 points, a payment 1.50 points.
pub fn campaign(activity: u64) -> String {
    let sku = |id: u64, stock: u64, price: u64, chances: u64| {
        format!("[[sku]]\nid = {id}\nstock = {stock}\nprice_minor = {price}\nchances = {chances}")
    };
    CampaignFile::one_award(activity)
        .time_zone("Asia/Shanghai")
        .chances(10, 1_000, 1_000)
        .section(&sku(PAIR, 1_000, 250, 2))
        .section(&sku(RARE, 2, 10, 1))
        .section(&sku(GIFT, 1_000, 500, 1))
        .section(&format!(
            "[[reward]]\nbehavior = \"sign\"\nkind = \"chances\"\nsku = {GIFT}"
        ))
        .section("[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"10\"")
        .section("[[reward]]\nbehavior = \"openai_pay\"\nkind = \"points\"\npoints = \"1.50\"")
        .text()
}

/// A sign-in under a key.
pub fn sign_in(user: &str, key: &str) -> Request {
    let path = format!("activity/calendar_sign_rebate?userId={user}");
    Request::new("POST", &path).header("Idempotency-Key", key)
}

/// Whether a user has signed in.
pub fn is_signed_in(user: &str) -> Request {
    let path = format!("activity/is_calendar_sign_rebate?userId={user}");
    Request::new("POST", &path)
}

/// A purchase under a key.
pub fn exchange(user: &str, sku: u64, key: &str) -> Request {
    let body = json!({"userId": user, "sku": sku});
    Request::json("activity/credit_pay_exchange_sku", &body).header("Idempotency-Key", key)
}

/// A user's points.
pub fn points(user: &str) -> Request {
    let path = format!("activity/query_user_credit_account?userId={user}");
    Request::new("POST", &path)
}

/// A page of a user's ledger.
pub fn ledger(user: &str, limit: u8, before: Option<&str>) -> Request {
    let before = before.map_or_else(String::new, |before| format!("&before={before}"));
    Request::get(&format!(
        "activity/credit_ledger?userId={user}&limit={limit}{before}"
    ))
}

/// What the application `shop` reports.
pub fn report(user: &str, behaviour: &str, number: &str) -> Value {
    json!({
        "appId": "shop",
        "data": {"userId": user, "behaviorType": behaviour, "outBusinessNo": number},
    })
}

/// A report that `shop` signs now.
pub fn signed(report: &Value) -> Request {
    signed_at(report, KEY, Timestamp::now().as_second())
}

/// A report that is signed with a key at a time.
pub fn signed_at(report: &Value, key: &str, second: i64) -> Request {
    let (body, nonce) = (report.to_string(), "a-nonce");
    let message = format!("{second}\n{nonce}\n{body}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, message.as_bytes());
    let mut signature = String::new();
    for byte in tag.as_ref() {
        let _ = write!(signature, "{byte:02x}");
    }
    Request::post("rebate/rebate", "application/json", body)
        .header("X-App-Id", "shop")
        .header("X-Timestamp", second.to_string())
        .header("X-Nonce", nonce)
        .header("X-Signature", signature)
}
