//! The gateway's API: its requests, and the envelope of its answers.
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::connection::Connection;
use super::request::Request;
use super::response::Response;

/// All paths of the API begin with this.
const BASE: &str = "/api/v1/raffle/";

impl Request {
    /// A request without a body to a path of the API.
    pub fn new(method: &'static str, path: &str) -> Self {
        Self::raw(method, &format!("{BASE}{path}"))
    }

    /// A GET of a path of the API.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON.
    pub fn json(path: &str, body: &Value) -> Self {
        Self::post(path, "application/json", body.to_string())
    }

    /// A POST of a form.
    pub fn form(path: &str, body: &str) -> Self {
        Self::post(path, "application/x-www-form-urlencoded", body)
    }

    /// A POST of any body.
    pub fn post(path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path)
            .header("Content-Type", content_type)
            .with_body(body)
    }

    /// A draw under a key, as the contract shows it.
    pub fn draw(user: &str, activity: u64, key: &str) -> Self {
        Self::keyless_draw(user, activity).header("Idempotency-Key", key)
    }

    /// A draw that leaves the key to the server.
    pub fn keyless_draw(user: &str, activity: u64) -> Self {
        Self::json(
            "activity/draw",
            &json!({"userId": user, "activityId": activity}),
        )
    }

    /// A call for several draws.
    pub fn draws(user: &str, activity: u64, key: &str, count: u8) -> Self {
        let body = json!({"userId": user, "activityId": activity, "count": count});
        Self::json("activity/draw", &body).header("Idempotency-Key", key)
    }

    /// Reads an earlier draw. `by` is `requestId` or `orderId`.
    pub fn record(user: &str, by: &str, id: &str) -> Self {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("userId", user)
            .append_pair(by, id)
            .finish();
        Self::get(&format!("activity/draw_record?{query}"))
    }

    /// A user's chances.
    pub fn account(user: &str, activity: u64) -> Self {
        let body = json!({"userId": user, "activityId": activity});
        Self::json("activity/query_user_activity_account", &body)
    }
}

/// The envelope of every answer of the API.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Of HTTP.
    pub status: u16,
    /// The code of success or of a refusal.
    pub code: String,
    /// The code in words.
    pub info: String,
    /// The key of the call.
    pub request: Option<String>,
    /// What was asked for.
    pub data: Value,
    /// The value of `Retry-After`.
    pub retry_after_s: Option<u64>,
    /// The body as it came, for exact comparisons.
    pub body: String,
}

impl Response {
    /// The answer as an envelope, whose status tells success from refusal.
    pub fn envelope(&self) -> Envelope {
        let envelope = self.envelope_of_any_status();
        assert_eq!(
            envelope.status == 200,
            envelope.code == "0000",
            "{envelope:?}"
        );
        envelope
    }

    /// The answer as an envelope, with any status.
    pub fn envelope_of_any_status(&self) -> Envelope {
        assert_eq!(
            self.header("Access-Control-Allow-Origin"),
            Some("*"),
            "{}",
            self.text()
        );
        self.envelope_for_some_origins()
    }

    /// The same of a server that lets pages of some origins call.
    pub fn envelope_for_some_origins(&self) -> Envelope {
        let body = self.text();
        assert_eq!(
            self.header("Content-Type"),
            Some("application/json"),
            "{body}"
        );
        let Ok(Value::Object(mut fields)) = serde_json::from_str(&body) else {
            panic!("no JSON object: {body}")
        };
        let mut text = |name| {
            fields
                .remove(name)
                .map(|value| value.as_str().expect("a string").to_owned())
        };
        let (code, info, request) = (text("code"), text("info"), text("requestId"));
        let data = fields.remove("data").expect("data");
        assert!(fields.is_empty(), "more than the envelope: {body}");
        let retry_after_s = self
            .header("Retry-After")
            .map(|value| value.parse().expect("seconds"));
        let (code, info) = (code.expect("a code"), info.expect("an info"));
        Envelope {
            status: self.status,
            code,
            info,
            request,
            data,
            retry_after_s,
            body,
        }
    }

    /// The `data` of an answer that must be a success.
    pub fn data(&self) -> Value {
        let envelope = self.envelope();
        assert_eq!(envelope.code, "0000", "{}", envelope.body);
        envelope.data
    }
}

impl Envelope {
    /// Checks status and code of an answer.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "it is a check by itself")]
    pub fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.code.as_str()),
            (status, code),
            "{}",
            self.body
        );
        self
    }

    /// The award of a single draw.
    pub fn award(&self) -> u64 {
        self.data["awardId"].as_u64().expect("awardId")
    }

    /// Awards and orders of a call that named a count, in the order in which they were drawn.
    pub fn draws(&self) -> Vec<(u64, String)> {
        let drawn = |draw: &Value| {
            let fields = draw.as_object().expect("an object");
            // Only prizes of points have one.
            let amount = usize::from(fields.contains_key("awardAmount"));
            assert_eq!(fields.len(), 4 + amount, "{draw}");
            let order = draw["orderId"].as_str().expect("orderId").to_owned();
            (draw["awardId"].as_u64().expect("awardId"), order)
        };
        self.data["draws"]
            .as_array()
            .expect("a list")
            .iter()
            .map(drawn)
            .collect()
    }

    /// The order of a single draw.
    pub fn order(&self) -> &str {
        self.data["orderId"].as_str().expect("orderId")
    }

    /// The key that the answer names.
    pub fn key(&self) -> &str {
        self.request
            .as_deref()
            .expect("every answer to a draw names its request id")
    }
}

/// Sends requests to the API over so many connections at once; the answers come in the requests'
/// order.
pub async fn ask_all(
    address: SocketAddr,
    requests: Vec<Request>,
    connections: usize,
) -> Vec<Envelope> {
    let mut shares = vec![Vec::new(); connections];
    for (index, request) in requests.into_iter().enumerate() {
        shares[index % connections].push((index, request));
    }
    let mut workers = JoinSet::new();
    for share in shares {
        workers.spawn(async move {
            let mut connection = Connection::open(address).await.expect("a connection");
            let mut answers = Vec::new();
            for (index, request) in share {
                let answer = connection.exchange(&request).await.expect("an answer");
                answers.push((index, answer.envelope()));
            }
            answers
        });
    }
    let mut answers: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
