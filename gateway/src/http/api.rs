//! The public API: the life of a request, step by step.
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, HeaderValue, VARY, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use market::RequestId;
use market::random::Randomness as _;
use shards::OsRandom;
use tokio::time::{Instant, sleep};

use super::body::RequestBody;
use super::content::Content;
use super::cors::AllowedOrigins;
use super::endpoints::{page, preflight};
use super::fields::Fields;
use super::key::command_key;
use super::language::LanguageChoice;
use super::metrics::HttpMetrics;
use super::respond::{self, RefusalLook};
use super::route::{About, EndpointAnswer, EndpointRequest, RoutedCall, Serve};
use super::statuses::{PREFERENCE_APPLIED, STATUS_200, Statuses};
use super::table;
use crate::answer::{Code, Endpoint, Failure};
use crate::desk::{Arrival, CallerCheck, Claim, Desk};
use crate::edge::{Handler, HttpResponse, InFlightRequest, ListenerStop, Peer};
use crate::identity::Caller;
use crate::trace::{AccessLog, TRACE_HEADER, TraceId};

/// What the API may take on, and how it answers.
#[derive(Debug, Clone)]
pub struct HttpApiConfig {
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// For a request's body to arrive.
    pub body_timeout: Duration,
    /// Which answers have HTTP status 200.
    pub statuses: Statuses,
    /// In which language refusals are written.
    pub language: LanguageChoice,
    /// Whose pages may call.
    pub origins: AllowedOrigins,
}

impl HttpApiConfig {
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

/// The public API over a desk.
pub struct HttpApi {
    desk: Desk,
    config: HttpApiConfig,
    /// Says when the server drains.
    stop: ListenerStop,
    metrics: HttpMetrics,
    access: Arc<AccessLog>,
    since: Instant,
}

thread_local! {
    /// For keys and names of requests. (One for all threads would need a lock.)
    static RANDOM: RefCell<OsRandom> = RefCell::default();
}

/// For a body to arrive once the server drains: a stop must not wait for a caller that sends
/// nothing.
const DRAINING_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// The header `WWW-Authenticate` for an application.
const APP_CHALLENGE: &str = r#"AppSignature realm="drawbridge""#;

impl Handler for HttpApi {
    /// The life of a request. (Before it: the bound on connections and their timeouts, in
    /// `edge/server.rs`.) Reasons to refuse it stand in the order of what they cost.
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> HttpResponse {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let trace = TraceId::of(&head.headers, random_number);
        let mut body = RequestBody::new(body, self.config.body_max_bytes);
        let mut key = None;

        // Accept: method and path name the endpoint. Nothing is refused yet, so a request that is
        // no call of ours takes the same way, and is counted, logged and limited as calls are.
        let call = self.accept(&head);
        let arrival = Arrival {
            endpoint: call.route.endpoint,
            caller: call.caller(),
            peer,
            headers: &head.headers,
            at: Timestamp::now(),
        };
        let result = async {
            // Admit: what the head alone decides. Overload and floods are refused before anything
            // is checked, read or looked up for them.
            let _in_flight = self.admit(call, &arrival, &head)?;
            // Identify: before the body, because strangers must not make us hold theirs; after the
            // limits, because a forged signature costs more than a refusal.
            let claim = self.identify(call, &arrival)?;
            // Read: with a bound on the size and one on the time. Bodies are the first thing that a
            // caller can make us hold.
            let body = self.read(call, &mut body).await?;
            // Prove: applications sign the bytes of their bodies. Nothing of these is parsed before
            // their signature is checked.
            let caller = self.desk.prove(claim, &body)?;
            // Dispatch: binds the parameters and calls the endpoint, which asks the desk.
            self.dispatch(call, caller, &head, &body, &mut key).await
        }
        .await;
        // Answer: in the caller's language, with the status that clients of the reference expect.
        let mut response = self.answer(call, &head, &result, key);

        if body.finish().await {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        self.note(call, &trace, &result, started.elapsed());
        let headers = response.headers_mut();
        headers.insert(TRACE_HEADER, trace.into_value());
        response
    }
}

impl HttpApi {
    /// The API over `desk`, until `stop` says that the server drains.
    pub fn new(
        desk: Desk,
        stop: ListenerStop,
        config: HttpApiConfig,
        metrics: HttpMetrics,
        access: Arc<AccessLog>,
    ) -> Self {
        Self {
            desk,
            config,
            stop,
            metrics,
            access,
            since: Instant::now(),
        }
    }

    fn accept(&self, head: &Parts) -> RoutedCall {
        let call = table::call(head);
        if call.route.is_command() {
            self.metrics.received_command();
        }
        call
    }

    fn admit(
        &self,
        call: RoutedCall,
        arrival: &Arrival<'_>,
        head: &Parts,
    ) -> Result<InFlightRequest<'_>, Failure> {
        let in_flight = self.desk.admit(arrival)?;
        if call.route.endpoint == Endpoint::Unknown {
            return Err(Code::PathUnknown.into());
        }
        if !call.route.methods.allow(&head.method) {
            return Err(Code::MethodNotAllowed.into());
        }
        if !self.config.origins.allow(&head.headers) {
            return Err(Code::OriginNotAllowed.into());
        }
        Ok(in_flight)
    }

    fn identify(&self, call: RoutedCall, arrival: &Arrival<'_>) -> Result<Claim, Failure> {
        let claim = self.desk.identify(arrival)?;
        // A page of any origin may send some requests, and the browser adds the user's identity.
        if call.route.is_command()
            && call.route.about == About::User
            && self.desk.identity().is_ambient()
            && self.config.origins.may_be_forged(arrival.headers)
        {
            let detail = "send JSON, or have the origin named in http.allowed_origins";
            return Err(Failure::detailed(Code::OriginNotAllowed, detail));
        }
        Ok(claim)
    }

    async fn read(&self, call: RoutedCall, body: &mut RequestBody) -> Result<Bytes, Failure> {
        if call.route.takes.is_empty() {
            return Ok(Bytes::new());
        }
        Ok(body.read(self.config.body_timeout, self.drained()).await?)
    }

    /// Waits until a body that is not there yet has had its time, because the server stops.
    async fn drained(&self) {
        self.stop.draining().await;
        sleep(DRAINING_BODY_TIMEOUT).await;
    }

    /// `key` becomes the key of a command, which each answer to it names.
    async fn dispatch(
        &self,
        call: RoutedCall,
        caller: Caller,
        head: &Parts,
        body: &[u8],
        key: &mut Option<RequestId>,
    ) -> Result<EndpointAnswer, Failure> {
        // The signature of an application is about the body alone.
        let query = head.uri.query().filter(|_| call.route.about != About::App);
        let fields = Content::of(head, body)
            .and_then(|content| Fields::read(call.route.takes, query, content));
        let asked = |fields| EndpointRequest {
            call,
            caller,
            fields,
        };
        match call.route.serve {
            Serve::Command(serve) => {
                // The key first: an answer that says what else is wrong names it too.
                let (request, checked) = Self::key(head, fields.as_ref().ok());
                *key = Some(request.clone());
                checked?;
                serve(&self.desk, &asked(fields?), request).await
            }
            Serve::Report(serve) | Serve::Read(serve) => serve(&self.desk, &asked(fields?)).await,
            Serve::Look(serve) => serve(&self.desk, &asked(fields?)),
        }
    }

    /// The key of a command, and whether the caller gave it as it should be.
    fn key(head: &Parts, fields: Option<&Fields<'_>>) -> (RequestId, Result<(), Failure>) {
        command_key(&head.headers, fields, random_number)
    }

    fn answer(
        &self,
        call: RoutedCall,
        head: &Parts,
        result: &Result<EndpointAnswer, Failure>,
        key: Option<RequestId>,
    ) -> HttpResponse {
        let mut response = match result {
            Ok(EndpointAnswer::Json { data, .. }) => respond::success(data, key.as_ref()),
            // It is for this origin alone.
            Ok(EndpointAnswer::Page) => return page::response(),
            Ok(EndpointAnswer::Preflight) => preflight::response(),
            Err(failure) => self.refusal(call, head, failure, key),
        };
        let headers = response.headers_mut();
        self.config.origins.write(&head.headers, headers);
        if let Some(vary) = self.config.vary(result.is_err()) {
            headers.insert(VARY, HeaderValue::from_static(vary));
        }
        response
    }

    fn refusal(
        &self,
        call: RoutedCall,
        head: &Parts,
        failure: &Failure,
        key: Option<RequestId>,
    ) -> HttpResponse {
        // A command that was refused before its parameters were read has a key all the same.
        let early = || call.route.has_key().then(|| Self::key(head, None).0);
        let key = key.or_else(early);
        let HttpApiConfig {
            statuses, language, ..
        } = &self.config;
        let (status, is_preferred) = statuses.of(failure.code, &head.headers);
        let look = RefusalLook {
            language: language.of(&head.headers),
            status,
        };
        let mut response = respond::refusal(failure, key.as_ref(), look);
        let headers = response.headers_mut();
        if is_preferred {
            headers.insert(PREFERENCE_APPLIED, STATUS_200);
        }
        if failure.code.status() == StatusCode::UNAUTHORIZED {
            let challenge = match call.caller() {
                CallerCheck::App => HeaderValue::from_static(APP_CHALLENGE),
                _ => self.desk.identity().challenge(failure.code),
            };
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if failure.code == Code::MethodNotAllowed {
            let allowed = call.route.methods.allowed();
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }

    /// Counts an answer, and writes it into the access log.
    fn note(
        &self,
        call: RoutedCall,
        trace: &TraceId,
        result: &Result<EndpointAnswer, Failure>,
        took: Duration,
    ) {
        let (code, draws) = match result {
            Ok(EndpointAnswer::Json { draws, .. }) => (Code::Success, *draws),
            Ok(EndpointAnswer::Page | EndpointAnswer::Preflight) => (Code::Success, 0),
            Err(failure) => (failure.code, 0),
        };
        let endpoint = call.route.endpoint;
        self.metrics.answered(endpoint, code, took);
        let uptime = self.since.elapsed();
        self.access
            .note(trace, endpoint.label(), code, took, draws, uptime);
    }
}

fn random_number() -> u64 {
    RANDOM.with_borrow_mut(OsRandom::next_u64)
}
