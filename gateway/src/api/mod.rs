//! The public API: which path leads to which endpoint, and the way of a request to its answer.
mod activity;
mod admission;
pub mod answer;
pub mod code;
#[cfg(any(test, fuzzing))]
pub mod decoder_rules;
mod fields;
mod strategy;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use market::batch::Draw;
use market::random::Randomness;
use market::{DrawCount, RequestId};
use shards::{OsRandom, Shards};
use tokio::time::{Instant, sleep, timeout};

use self::answer::{Data, Failure, HttpResponse, Outcome, allow, respond};
use self::code::Code;
use self::fields::{Fields, Parameters, header_key};
use crate::edge::{EdgeView, Handler, InFlight, Peer, Place};
use crate::identity::{Caller, Identity};
use crate::limits::Limits;
use crate::metrics::HttpMetrics;
use crate::trace::{AccessLog, TRACE_HEADER, TraceId, hexadecimal};

/// The wheel and a button, for a first look in a browser.
const PAGE: &str = include_str!("../../page/index.html");

macro_rules! endpoints {
    ($($name:ident $label:literal $takes:ident $about:ident [$($path:literal),+];)*) => {
        /// What a path leads to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Endpoint { $(#[doc = concat!("`", $label, "`")] $name),* }

        impl Endpoint {
            /// All endpoints, in the order of their numbers.
            pub const ALL: &'static [Endpoint] = &[$(Endpoint::$name),*];

            fn at(path: &str) -> Option<Self> {
                match path {
                    $($(concat!("/api/v1/raffle/", $path))|+ => Some(Endpoint::$name),)*
                    _ => None,
                }
            }

            /// Its name in metrics.
            pub const fn label(self) -> &'static str {
                match self { $(Endpoint::$name => $label),* }
            }

            const fn takes(self) -> Takes {
                match self { $(Endpoint::$name => Takes::$takes),* }
            }

            const fn about(self) -> About {
                match self { $(Endpoint::$name => About::$about),* }
            }
        }
    };
}

/// How an endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// A JSON body, by POST.
    Json,
    /// Parameters in the query or in a form, by GET or POST.
    Parameters,
}

/// Whose business an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A user's: the caller must be that one, and the path ends in `_by_token` too.
    User,
    /// Nobody's in particular: the caller is not asked for.
    Nobody,
}

endpoints! {
    Draw "draw" Json User ["activity/draw"];
    DrawRecord "draw_record" Parameters User ["activity/draw_record"];
    Armory "armory" Parameters Nobody ["activity/armory"];
    Account "account" Json User ["activity/query_user_activity_account"];
    Stage "stage" Parameters Nobody ["activity/query_stage_activity_id"];
    StrategyArmory "strategy_armory" Parameters Nobody ["strategy/strategy_armory", "strategy_armory"];
    AwardList "award_list" Json User ["strategy/query_raffle_award_list"];
    StrategyAwardList "strategy_award_list" Json Nobody ["query_raffle_award_list"];
    RuleWeight "rule_weight" Json User ["strategy/query_raffle_strategy_rule_weight"];
    RandomRaffle "random_raffle" Json Nobody ["strategy/random_raffle", "random_raffle"];
}

/// What a path asks for.
#[derive(Debug, Clone, Copy)]
struct Call {
    endpoint: Endpoint,
    /// By the reference's path for callers who are known by their token.
    by_token: bool,
}

impl Call {
    fn at(path: &str) -> Option<Self> {
        match path.strip_suffix("_by_token") {
            None => Endpoint::at(path).map(|endpoint| Self { endpoint, by_token: false }),
            Some(path) => {
                let endpoint = Endpoint::at(path).filter(|endpoint| endpoint.about() == About::User);
                endpoint.map(|endpoint| Self { endpoint, by_token: true })
            }
        }
    }
}

impl Takes {
    const fn methods(self) -> &'static str {
        match self {
            Takes::Json => "POST, OPTIONS",
            Takes::Parameters => "GET, HEAD, POST, OPTIONS",
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Takes::Json => method == Method::POST,
            Takes::Parameters => [Method::GET, Method::HEAD, Method::POST].contains(method),
        }
    }
}

/// What the API may take on.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// For a request's body to arrive.
    pub body_timeout: Duration,
    /// Requests answered at once.
    pub in_flight_max: usize,
    /// HTTP status 200 for every answer.
    pub always_200: bool,
}

/// The API over some shards.
pub struct Api {
    shards: Arc<Shards>,
    identity: Arc<Identity>,
    bounds: Bounds,
    in_flight: InFlight,
    limits: Arc<Limits>,
    edge: EdgeView,
    metrics: HttpMetrics,
    access: Arc<AccessLog>,
    since: Instant,
    random: Mutex<OsRandom>,
}

/// For a body to arrive once the server drains: a stop must not wait for whoever sends nothing.
const DRAINING_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// A request that has passed the layers that need no more than its head, and its place.
struct Entered<'a> {
    caller: Caller,
    body: Bytes,
    _place: Place<'a>,
}

/// An outcome, and the request id that the answers to a draw name.
struct Reply {
    outcome: Outcome,
    request: Option<RequestId>,
    /// Draws that the answer holds.
    draws: usize,
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, request: None, draws: 0 }
    }
}

impl Handler for Api {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> HttpResponse {
        let (head, body) = request.into_parts();
        let trace = TraceId::of(&head.headers, || self.random().next_u64());
        let mut response = self.answer(peer, &head, body, &trace).await;
        response.headers_mut().insert(TRACE_HEADER, trace.into_value());
        response
    }
}

impl Api {
    /// The API over `shards`, behind `edge`.
    pub fn new(
        shards: Arc<Shards>,
        identity: Arc<Identity>,
        limits: Arc<Limits>,
        edge: EdgeView,
        bounds: Bounds,
        metrics: HttpMetrics,
        access: Arc<AccessLog>,
    ) -> Self {
        let in_flight = InFlight::new(bounds.in_flight_max, metrics.in_flight());
        let (since, random) = (Instant::now(), Mutex::default());
        Self { shards, identity, bounds, in_flight, limits, edge, metrics, access, since, random }
    }

    async fn answer(&self, peer: Peer, head: &Parts, body: Incoming, trace: &TraceId) -> HttpResponse {
        let path = head.uri.path();
        let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
        if head.method == Method::OPTIONS {
            return preflight();
        }
        if path == "/" {
            return match head.method {
                Method::GET | Method::HEAD => page(),
                _ => allow(self.respond(None, &Err(Code::MethodNotAllowed.into()).into()), "GET, HEAD, OPTIONS"),
            };
        }
        let Some(call) = Call::at(path) else {
            return self.respond(None, &Err(Code::PathUnknown.into()).into());
        };
        let started = Instant::now();
        if call.endpoint == Endpoint::Draw {
            self.metrics.received_draw();
        }
        let reply = self.reply(call, peer, head, body).await;
        let (code, took) = (code_of(&reply.outcome), started.elapsed());
        self.metrics.answered(call.endpoint, code, took);
        self.access.note(trace, call.endpoint.label(), code, took, reply.draws, self.since.elapsed());
        self.respond(Some(call.endpoint), &reply)
    }

    /// The way of a request through the layers, from the cheapest reason to refuse it to the
    /// dearest. (Before this: the bound on connections and their time-outs, in `edge/server.rs`.)
    async fn reply(&self, call: Call, peer: Peer, head: &Parts, body: Incoming) -> Reply {
        match self.enter(call, peer, head, body).await {
            Ok(Entered { caller, body, _place }) => self.answer_entered(call.endpoint, &caller, head, &body).await,
            Err(failure) if call.endpoint == Endpoint::Draw => {
                Reply { outcome: Err(failure), request: Some(self.draw_key(&head.headers, None).0), draws: 0 }
            }
            Err(failure) => Err(failure).into(),
        }
    }

    /// The layers that need no more than a request's head; then its body.
    async fn enter(&self, call: Call, peer: Peer, head: &Parts, body: Incoming) -> Result<Entered<'_>, Failure> {
        // What is no call of ours costs nothing more.
        if !call.endpoint.takes().allows(&head.method) {
            return Err(Code::MethodNotAllowed.into());
        }
        // All at once: whatever else goes wrong, the memory for requests is bounded.
        let place = self.in_flight.enter().ok_or(Code::Overloaded)?;
        // Gateway, route, address, widest first, as far as the switch `limits` lets them: a flood is
        // refused before anything is checked, read or looked up for it.
        let now = Timestamp::now();
        self.admit(call.endpoint, peer, &head.headers, now)?;
        // Who is nobody here has no body to send. After the limits: a forged signature costs more
        // than a refusal.
        let caller = self.caller(call, peer, &head.headers, now)?;
        // With a bound on its size and one on its time: bodies are the first thing that a caller
        // can make us hold.
        let body = self.read_body(body).await?;
        Ok(Entered { caller, body, _place: place })
    }

    async fn answer_entered(&self, endpoint: Endpoint, caller: &Caller, head: &Parts, body: &[u8]) -> Reply {
        match endpoint.takes() {
            Takes::Json => self.answer_json(endpoint, caller, &head.headers, body).await,
            Takes::Parameters => {
                let parameters = Parameters::parse(head.uri.query(), form(&head.headers, body));
                Box::pin(self.answer_parameters(endpoint, caller, &parameters)).await.into()
            }
        }
    }

    /// Who calls, where that matters.
    fn caller(&self, call: Call, peer: Peer, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Failure> {
        match (call.endpoint.about(), call.by_token) {
            (About::Nobody, _) => Ok(Caller::Unasked),
            (About::User, false) => self.identity.caller(peer, headers, now),
            (About::User, true) => self.identity.known_caller(peer, headers, now),
        }
    }

    async fn read_body(&self, body: Incoming) -> Result<Bytes, Code> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let mut reading = pin!(joined(Limited::new(body, self.bounds.body_max_bytes)));
        let read = if let Some(read) = at_hand(reading.as_mut()).await {
            read
        } else {
            tokio::select! {
                read = timeout(self.bounds.body_timeout, reading) => read.map_err(|_| Code::BodyTooSlow)?,
                () = self.drained() => return Err(Code::BodyTooSlow),
            }
        };
        // Whoever has gone or broke the protocol does not read this answer.
        read.map_err(|error| if error.is::<LengthLimitError>() { Code::BodyTooLarge } else { Code::IllegalParameter })
    }

    /// Waits until a body that is not there yet has had its time, because the server stops.
    async fn drained(&self) {
        self.edge.stop.draining().await;
        sleep(DRAINING_BODY_TIMEOUT).await;
    }

    async fn answer_json(&self, endpoint: Endpoint, caller: &Caller, headers: &HeaderMap, body: &[u8]) -> Reply {
        let fields = Fields::parse(body);
        if endpoint == Endpoint::Draw {
            return self.answer_draw(caller, headers, fields).await;
        }
        match fields {
            Ok(fields) => Box::pin(self.answer_fields(endpoint, caller, &fields)).await.into(),
            Err(failure) => Err(failure).into(),
        }
    }

    /// All that takes JSON but draws. (In a box, as the other reads are: else each draw's future is
    /// as large as theirs, and is copied several times on its way.)
    async fn answer_fields(&self, endpoint: Endpoint, caller: &Caller, fields: &Fields<'_>) -> Outcome {
        if let (About::User, Ok(user)) = (endpoint.about(), fields.user(caller)) {
            self.admit_user(endpoint, &user, fields.activity().ok(), Timestamp::now())?;
        }
        match endpoint {
            Endpoint::Account => activity::account(&self.shards, caller, fields).await,
            Endpoint::AwardList => strategy::award_list(&self.shards, caller, fields).await,
            Endpoint::StrategyAwardList => strategy::strategy_award_list(&self.shards, fields),
            Endpoint::RuleWeight => strategy::rule_weight(&self.shards, caller, fields).await,
            Endpoint::RandomRaffle => strategy::random_raffle(&self.shards, fields, &mut *self.random()),
            other => unreachable!("{} takes parameters", other.label()),
        }
    }

    async fn answer_parameters(&self, endpoint: Endpoint, caller: &Caller, parameters: &Parameters) -> Outcome {
        if let (About::User, Ok(user)) = (endpoint.about(), parameters.user(caller)) {
            self.admit_user(endpoint, &user, None, Timestamp::now())?;
        }
        match endpoint {
            Endpoint::DrawRecord => activity::draw_record(&self.shards, caller, parameters).await,
            Endpoint::Armory => activity::armory(&self.shards, parameters),
            Endpoint::Stage => activity::stage(&self.shards, parameters),
            Endpoint::StrategyArmory => strategy::armory(&self.shards, parameters),
            other => unreachable!("{} takes JSON", other.label()),
        }
    }

    async fn answer_draw(&self, caller: &Caller, headers: &HeaderMap, fields: Result<Fields<'_>, Failure>) -> Reply {
        let (request, checked) = self.draw_key(headers, fields.as_ref().ok());
        let drawn = match checked.and(fields) {
            Ok(fields) => self.draw(caller, &fields, request.clone()).await,
            Err(failure) => Err(failure),
        };
        let (outcome, draws) = match drawn {
            Ok((data, draws)) => (Ok(data), draws),
            Err(failure) => (Err(failure), 0),
        };
        Reply { outcome, request: Some(request), draws }
    }

    /// The layers that need the user and the activity; answers how many draws were made too.
    async fn draw(&self, caller: &Caller, fields: &Fields<'_>, request: RequestId) -> Result<(Data, usize), Failure> {
        let (user, activity, asked) = (fields.user(caller)?, fields.activity()?, fields.count()?);
        let draw = Draw { user, activity, request, count: asked.unwrap_or(DrawCount::ONE) };
        let now = Timestamp::now();
        // The word of operations comes before all rules, and costs a hash.
        self.obey_switches(&draw, now)?;
        // One user's taps must not become many batches. A tap is a call, whatever it asks for.
        self.admit_user(Endpoint::Draw, &draw.user, Some(draw.activity), now)?;
        // Then, in `Shards::draw`: the shard of the user, its breaker (a shard that hangs is not
        // waited for), its share of the places in flight, the bound of the lane's queue, and the
        // deadline of whoever waits there.
        let orders = self.shards.draw(draw).await?;
        Ok((activity::drawn(&orders, asked.is_some()), orders.len()))
    }

    /// The request id that the answer to a draw names: the caller's, from the header or the
    /// body, or a new one; and whether the caller's was as it should be.
    fn draw_key(&self, headers: &HeaderMap, fields: Option<&Fields<'_>>) -> (RequestId, Result<(), Failure>) {
        let key = match (header_key(headers), fields.map_or(Ok(None), Fields::request)) {
            (Ok(Some(header)), Ok(Some(field))) if header != field => {
                Err(Failure::field("requestId", "differs from the header Idempotency-Key"))
            }
            (Ok(header), Ok(field)) => Ok(header.or(field)),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
        match key {
            Ok(key) => (key.unwrap_or_else(|| self.new_request_id()), Ok(())),
            Err(failure) => (self.new_request_id(), Err(failure)),
        }
    }

    /// A key of 128 random bits.
    fn new_request_id(&self) -> RequestId {
        let halves = {
            let mut random = self.random();
            [hexadecimal(random.next_u64()), hexadecimal(random.next_u64())]
        };
        let text = str::from_utf8(halves.as_flattened()).expect("ASCII");
        RequestId::new(text).expect("hexadecimal digits are visible")
    }

    fn random(&self) -> std::sync::MutexGuard<'_, OsRandom> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, endpoint: Option<Endpoint>, reply: &Reply) -> HttpResponse {
        let mut response = respond(&reply.outcome, reply.request.as_ref(), self.bounds.always_200);
        let code = code_of(&reply.outcome);
        if code.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, self.identity.challenge(code));
        }
        match endpoint {
            Some(endpoint) if code == Code::MethodNotAllowed => allow(response, endpoint.takes().methods()),
            _ => response,
        }
    }
}

fn code_of(outcome: &Outcome) -> Code {
    outcome.as_ref().map_or_else(|failure| failure.code, |_| Code::Success)
}

/// What `future` comes to, if it can be had at the second look. Most bodies come with their head, and
/// hyper hands them over once they were asked for: a timer would be made and dropped for nothing.
async fn at_hand<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut second = false;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if second => Poll::Ready(None),
        Poll::Pending => {
            second = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// The bytes of a body. Copied together as they come, unless they come as one: kept as they are, frames
/// of one byte take forty times as much, which tiny chunks would turn into gigabytes.
async fn joined(mut body: Limited<Incoming>) -> Result<Bytes, <Limited<Incoming> as Body>::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if bytes.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// The body, where it is a form.
fn form<'a>(headers: &HeaderMap, body: &'a [u8]) -> &'a [u8] {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") { body } else { &[] }
}

/// Any page may call the API: identity does not rest on cookies.
fn preflight() -> HttpResponse {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let allowed = HeaderValue::from_static("Content-Type, Authorization, Idempotency-Key");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn page() -> HttpResponse {
    let mut response = Response::new(Full::new(Bytes::from_static(PAGE.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
