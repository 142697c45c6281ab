//! The public API: the way of a request through the layers to its answer.
pub mod activity;
mod admission;
pub mod answer;
mod body;
pub mod code;
pub mod cors;
#[cfg(any(test, fuzzing))]
pub mod decoder_rules;
mod drawing;
mod endpoints;
mod fields;
pub mod language;
mod page;
pub mod statuses;
mod strategy;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, HeaderValue, VARY, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use market::RequestId;
use market::random::Randomness;
use shards::{OsRandom, Shards};
use tokio::time::{Instant, sleep};

use self::answer::{Data, Failure, HttpResponse, Look, Outcome};
use self::body::{Content, RequestBody};
use self::code::Code;
use self::cors::AllowedOrigins;
pub use self::endpoints::Endpoint;
use self::endpoints::{About, Call, Unanswered};
use self::fields::Fields;
use self::language::LanguageChoice;
use self::statuses::{PREFERENCE_APPLIED, STATUS_200, Statuses};
use crate::edge::{EdgeView, Handler, InFlight, Peer, Place};
use crate::identity::{Caller, Identity};
use crate::limits::Limits;
use crate::metrics::HttpMetrics;
use crate::trace::{AccessLog, TRACE_HEADER, TraceId};

/// What the API may take on, and how it answers.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// For a request's body to arrive.
    pub body_timeout: Duration,
    /// Requests answered at once.
    pub in_flight_max: usize,
    /// Which answers have HTTP status 200.
    pub statuses: Statuses,
    /// In which language refusals are written.
    pub language: LanguageChoice,
    /// Whose pages may call.
    pub origins: AllowedOrigins,
}

impl ApiConfig {
    /// What of a request's head an answer depends on.
    const fn vary(&self, is_refusal: bool) -> Option<&'static str> {
        match (self.origins.vary(), is_refusal, self.language.vary()) {
            (false, false, _) => None,
            (true, false, _) => Some("Origin"),
            (false, true, false) => Some("Prefer"),
            (false, true, true) => Some("Accept-Language, Prefer"),
            (true, true, false) => Some("Origin, Prefer"),
            (true, true, true) => Some("Origin, Accept-Language, Prefer"),
        }
    }
}

/// The API over some shards.
pub struct Api {
    shards: Arc<Shards>,
    identity: Arc<Identity>,
    config: ApiConfig,
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

/// What a request came to, and the request id that the answers to a draw name.
struct Reply {
    outcome: Result<Found, Failure>,
    request: Option<RequestId>,
    /// Draws that the answer holds.
    draws: usize,
}

/// What a request asked for.
enum Found {
    Data(Data),
    Page,
    Preflight,
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome: outcome.map(Found::Data),
            request: None,
            draws: 0,
        }
    }
}

impl Handler for Api {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> HttpResponse {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let trace = TraceId::of(&head.headers, || self.random().next_u64());
        let mut body = RequestBody::new(body, self.config.body_max_bytes);
        let call = self.accept(&head);
        let reply = match self.process(call, peer, &head, &mut body).await {
            Ok(reply) => reply,
            Err(failure) => self.refuse(call, &head, failure),
        };
        let mut response = self.respond(call, &head, &reply);
        if body.finish().await {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.note(call, &trace, &reply, started.elapsed());
        response
            .headers_mut()
            .insert(TRACE_HEADER, trace.into_value());
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
        config: ApiConfig,
        metrics: HttpMetrics,
        access: Arc<AccessLog>,
    ) -> Self {
        let in_flight = InFlight::new(config.in_flight_max, metrics.in_flight());
        let (since, random) = (Instant::now(), Mutex::default());
        Self {
            shards,
            identity,
            config,
            in_flight,
            limits,
            edge,
            metrics,
            access,
            since,
            random,
        }
    }

    /// What a request asks for. Nothing is refused yet: what is no call of ours goes through the
    /// same layers, so it is counted, logged and limited as calls are.
    fn accept(&self, head: &Parts) -> Call {
        let call = Call::of(head);
        if call.endpoint == Endpoint::Draw {
            self.metrics.received_draw();
        }
        call
    }

    /// The way of a request through the layers, from the cheapest reason to refuse it to the
    /// dearest. (Before this: the bound on connections and their timeouts, in `edge/server.rs`.)
    async fn process(
        &self,
        call: Call,
        peer: Peer,
        head: &Parts,
        body: &mut RequestBody,
    ) -> Result<Reply, Failure> {
        let now = Timestamp::now();
        let _place = self.admit(call, peer, head, now)?;
        let caller = self.identify(call, peer, head, now)?;
        let body = self.read(call, body).await?;
        Ok(self.dispatch(call, &caller, head, &body).await)
    }

    /// The layers that need no more than a request's head and know no user.
    fn admit(
        &self,
        call: Call,
        peer: Peer,
        head: &Parts,
        now: Timestamp,
    ) -> Result<Place<'_>, Failure> {
        // All at once: whatever else goes wrong, the memory for requests is bounded.
        let place = self.in_flight.enter().ok_or(Code::Overloaded)?;
        // Gateway, route, address, widest first, as far as the switch `limits` lets them: a flood
        // is refused before anything is checked, read or looked up for it.
        self.admit_request(call.endpoint, peer, &head.headers, now)?;
        if call.endpoint == Endpoint::Unknown {
            return Err(Code::PathUnknown.into());
        }
        if !call.takes(&head.method) {
            return Err(Code::MethodNotAllowed.into());
        }
        if !self.config.origins.allow(&head.headers) {
            return Err(Code::OriginNotAllowed.into());
        }
        Ok(place)
    }

    /// Who calls, where that matters. Rejects unauthenticated callers before reading their body,
    /// and after the limits: a forged signature costs more than a refusal.
    fn identify(
        &self,
        call: Call,
        peer: Peer,
        head: &Parts,
        now: Timestamp,
    ) -> Result<Caller, Failure> {
        let headers = &head.headers;
        let caller = match (call.endpoint.about(), call.by_token) {
            (About::Nobody, _) => return Ok(Caller::Unasked),
            (About::User, false) => self.identity.caller(peer, headers, now)?,
            (About::User, true) => self.identity.known_caller(peer, headers, now)?,
        };
        let is_change = call.endpoint.unanswered() == Unanswered::MayBeDone;
        if is_change && self.identity.is_ambient() && self.config.origins.may_be_forged(headers) {
            let detail = "send JSON, or have the origin named in http.allowed_origins";
            return Err(Failure::detailed(Code::OriginNotAllowed, detail));
        }
        Ok(caller)
    }

    /// The body, with a bound on its size and one on its time: bodies are the first thing that a
    /// caller can make us hold.
    async fn read(&self, call: Call, body: &mut RequestBody) -> Result<Bytes, Failure> {
        if call.endpoint.takes().is_empty() {
            return Ok(Bytes::new());
        }
        Ok(body.read(self.config.body_timeout, self.drained()).await?)
    }

    /// Waits until a body that is not there yet has had its time, because the server stops.
    async fn drained(&self) {
        self.edge.stop.draining().await;
        sleep(DRAINING_BODY_TIMEOUT).await;
    }

    /// Binds the parameters and asks the endpoint.
    async fn dispatch(&self, call: Call, caller: &Caller, head: &Parts, body: &[u8]) -> Reply {
        let fields = Content::of(head, body)
            .and_then(|content| Fields::read(call.endpoint.takes(), head.uri.query(), content));
        match (call.endpoint, fields) {
            (Endpoint::Draw, fields) => self.answer_draw(call, caller, &head.headers, fields).await,
            (Endpoint::Page, _) => Reply {
                outcome: Ok(Found::Page),
                request: None,
                draws: 0,
            },
            (Endpoint::Preflight, _) => Reply {
                outcome: Ok(Found::Preflight),
                request: None,
                draws: 0,
            },
            // In a box: else each draw's future is as large as that of the largest read, and is
            // copied several times on its way.
            (endpoint, Ok(fields)) => Box::pin(self.answer_read(endpoint, caller, &fields))
                .await
                .into(),
            (_, Err(failure)) => Err(failure).into(),
        }
    }

    async fn answer_read(
        &self,
        endpoint: Endpoint,
        caller: &Caller,
        fields: &Fields<'_>,
    ) -> Outcome {
        if endpoint.about() == About::User
            && let Ok(user) = fields.user(caller)
        {
            self.admit_user(endpoint, &user, fields.known_activity(), Timestamp::now())?;
        }
        let shards = &*self.shards;
        match endpoint {
            Endpoint::DrawRecord => activity::draw_record(shards, caller, fields).await,
            Endpoint::Armory => activity::armory(shards, fields),
            Endpoint::Account => activity::account(shards, caller, fields).await,
            Endpoint::Stage => activity::stage(shards, fields),
            Endpoint::StrategyArmory => strategy::armory(shards, fields),
            Endpoint::AwardList => strategy::award_list(shards, caller, fields).await,
            Endpoint::StrategyAwardList => strategy::strategy_award_list(shards, fields),
            Endpoint::RuleWeight => strategy::rule_weight(shards, caller, fields).await,
            Endpoint::RandomRaffle => strategy::random_raffle(shards, fields, &mut *self.random()),
            Endpoint::Draw | Endpoint::Page | Endpoint::Preflight | Endpoint::Unknown => {
                unreachable!("{} is answered elsewhere", endpoint.label())
            }
        }
    }

    /// A refusal before the parameters are known.
    fn refuse(&self, call: Call, head: &Parts, failure: Failure) -> Reply {
        let names_key = call.endpoint.unanswered() == Unanswered::MayBeDone;
        let request = names_key.then(|| self.draw_key(&head.headers, None).0);
        Reply {
            outcome: Err(failure),
            request,
            draws: 0,
        }
    }

    /// Writes the answer.
    fn respond(&self, call: Call, head: &Parts, reply: &Reply) -> HttpResponse {
        let mut response = match &reply.outcome {
            Ok(Found::Data(data)) => answer::success(data, reply.request.as_ref()),
            Ok(Found::Page) => return page::response(),
            Ok(Found::Preflight) => cors::preflight(),
            Err(failure) => self.refusal(call, head, failure, reply.request.as_ref()),
        };
        self.config
            .origins
            .write(&head.headers, response.headers_mut());
        if let Some(vary) = self.config.vary(reply.outcome.is_err()) {
            response
                .headers_mut()
                .insert(VARY, HeaderValue::from_static(vary));
        }
        response
    }

    fn refusal(
        &self,
        call: Call,
        head: &Parts,
        failure: &Failure,
        request: Option<&RequestId>,
    ) -> HttpResponse {
        let ApiConfig {
            statuses, language, ..
        } = &self.config;
        let (status, is_preferred) = statuses.of(failure.code, &head.headers);
        let look = Look {
            language: language.of(&head.headers),
            status,
        };
        let mut response = answer::refusal(failure, request, look);
        let headers = response.headers_mut();
        if is_preferred {
            headers.insert(PREFERENCE_APPLIED, STATUS_200);
        }
        if failure.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, self.identity.challenge(failure.code));
        }
        if failure.code == Code::MethodNotAllowed {
            headers.insert(
                ALLOW,
                HeaderValue::from_static(call.endpoint.methods().allowed()),
            );
        }
        response
    }

    /// Counts an answer, and writes it into the access log.
    fn note(&self, call: Call, trace: &TraceId, reply: &Reply, took: Duration) {
        let code = reply
            .outcome
            .as_ref()
            .map_or_else(|failure| failure.code, |_| Code::Success);
        self.metrics.answered(call.endpoint, code, took);
        self.access.note(
            trace,
            call.endpoint.label(),
            code,
            took,
            reply.draws,
            self.since.elapsed(),
        );
    }

    fn random(&self) -> std::sync::MutexGuard<'_, OsRandom> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
