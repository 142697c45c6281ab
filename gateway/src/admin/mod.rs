//! The admin address: health, readiness and metrics for all callers; switches, breakers, limits,
//! cooldowns and chances for callers with a token.
mod audit_log;
mod breakers;
pub mod chances;
mod cooldowns;
mod fleet;
mod gateways;
mod jobs;
mod limits;
mod log;
pub mod look_ups;
pub mod metrics;
mod probes;
pub mod refusals;
mod reload;
mod switches;
pub mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use market::switches::{Setting, Share, Switch};
use serde::de::DeserializeOwned;
use shards::meta::{SwitchChange, SwitchTo};
use shards::store::StoreError;
use shards::{ReadError, Shards};
use tokio::time::timeout;

use self::look_ups::{AccountQuestion, OrderQuestion};
use self::metrics::Scrape;
pub use self::probes::Probes;
use self::refusals::{RefusalReason, Refusals};
use self::token::{Caller, Role, TokenStore, Unauthenticated};
use crate::answer::whole_seconds;
use crate::edge::{AnswerBody, Handler, HttpResponse, Peer};
use crate::fleet::Fleet;
use crate::limits::RateLimits;
use crate::reload::Reloader;

/// The reference's way to flip a switch.
const DCC_PATH: &str = "/api/v1/raffle/dcc/update_config";

/// The paths that need a token.
const PATHS: [&str; 15] = [
    "/admin/switches",
    "/admin/switches/history",
    "/admin/breakers",
    "/admin/gateways",
    "/admin/gateways/rotation",
    "/admin/jobs",
    "/admin/cooldowns",
    "/admin/chances",
    "/admin/limits",
    "/admin/log",
    "/admin/reload",
    "/admin/audit_log",
    "/admin/config",
    "/admin/orders",
    "/admin/accounts",
];

const BODY_BYTES_MAX: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the admin address serves.
pub struct Admin {
    scrape: Scrape,
    shards: Arc<Shards>,
    limits: Arc<RateLimits>,
    reloader: Arc<Reloader>,
    fleet: Arc<Fleet>,
    tokens: Arc<TokenStore>,
    refusals: Refusals,
    ready: AtomicBool,
}

impl Handler for Admin {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> HttpResponse {
        let has_body = !request.body().is_end_stream();
        let reads_body = request.method() != Method::GET;
        let path = request.uri().path();
        let mut response = if path.starts_with("/admin/") || path == DCC_PATH {
            self.authorised(peer, request).await
        } else {
            self.page(&request)
        };
        // A handler that has not read the body does not know whether all of it has arrived. The
        // connection then ends with this response, which says so.
        if has_body && !(reads_body && response.status().is_success()) {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Admin {
    /// Not ready until [`Admin::set_ready`].
    pub fn new(
        scrape: Scrape,
        shards: Arc<Shards>,
        limits: Arc<RateLimits>,
        reloader: Arc<Reloader>,
        fleet: Arc<Fleet>,
        tokens: Arc<TokenStore>,
        refusals: Refusals,
    ) -> Self {
        Self {
            scrape,
            shards,
            limits,
            reloader,
            fleet,
            tokens,
            refusals,
            ready: AtomicBool::new(false),
        }
    }

    /// Ready means: listening, campaigns loaded, not draining, and no obstacle of this process's own
    /// to every draw. The state of a cluster's shards does not count: one dead shard would empty
    /// the load balancer.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Serves the paths that need a token: a viewer's to read, an operator's to change.
    async fn authorised(&self, peer: Peer, request: Request<Incoming>) -> HttpResponse {
        let caller = match self.caller(peer, request.headers()).await {
            Ok(caller) => caller,
            Err(refusal) => return refusal,
        };
        let path = request.uri().path().to_owned();
        let changes = request.method() != Method::GET || path == DCC_PATH;
        if changes && caller.role < Role::Operator {
            self.refusals
                .note(RefusalReason::Viewer, peer, &caller.name);
            return fault(
                StatusCode::FORBIDDEN,
                "the viewer's token only looks: this needs an operator's",
            );
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        match (request.method(), path.as_str()) {
            (&Method::GET, "/admin/switches") => self.list_switches(),
            (&Method::POST, "/admin/switches") => self.set_switch(&caller, request).await,
            (&Method::DELETE, "/admin/switches") => self.clear_switch(&caller, request).await,
            (&Method::GET, "/admin/switches/history") => match self.shards.switch_changes().await {
                Ok(changes) => json(StatusCode::OK, switches::history(&changes)),
                Err(error) => meta_unavailable(&error),
            },
            (&Method::GET, "/admin/breakers") => self.list_breakers(),
            (&Method::POST, "/admin/breakers") => self.set_breaker(&caller, request).await,
            (&Method::DELETE, "/admin/breakers") => self.clear_breaker(&caller, request).await,
            (&Method::GET, "/admin/gateways") => self.list_gateways(&query).await,
            (&Method::DELETE, "/admin/gateways") => self.forget_gateway(&caller, request).await,
            (&Method::POST, "/admin/gateways/rotation") => self.rotate(&caller, request).await,
            (&Method::GET, "/admin/jobs") => self.list_jobs().await,
            (&Method::GET, DCC_PATH) => self.update_config(&caller, &query).await,
            (&Method::GET, "/admin/cooldowns") => self.list_cooldowns().await,
            (&Method::POST, "/admin/cooldowns") => self.set_cooldown(&caller, request).await,
            (&Method::DELETE, "/admin/cooldowns") => self.clear_cooldown(&caller, request).await,
            (&Method::POST, "/admin/chances") => self.give_chances(&caller, request).await,
            (&Method::GET, "/admin/limits") => self.list_limits(),
            (&Method::POST, "/admin/limits") => self.set_limit(&caller, request).await,
            (&Method::DELETE, "/admin/limits") => self.clear_limit(&caller, request).await,
            (&Method::GET, "/admin/log") => self.show_log(),
            (&Method::POST, "/admin/log") => self.set_log(&caller, request).await,
            (&Method::DELETE, "/admin/log") => self.clear_log(&caller, request).await,
            (&Method::POST, "/admin/reload") => self.reload(&caller, request).await,
            (&Method::GET, "/admin/config") => self.show_config(),
            (&Method::GET, "/admin/audit_log") => self.list_audit_log().await,
            (&Method::GET, "/admin/orders") => self.look_up_orders(&caller, &query).await,
            (&Method::GET, "/admin/accounts") => self.look_up_account(&caller, &query).await,
            (_, path) if PATHS.contains(&path) || path == DCC_PATH => fault(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method",
            ),
            _ => fault(StatusCode::NOT_FOUND, &format!("try {}", PATHS.join(", "))),
        }
    }

    /// The caller, or the response for a request without one.
    async fn caller(&self, peer: Peer, headers: &HeaderMap) -> Result<Caller, HttpResponse> {
        // First: wrong tokens from the same address must not keep an operator out.
        let unauthenticated = match self.tokens.caller(headers) {
            Ok(caller) => return Ok(caller),
            Err(unauthenticated) => unauthenticated,
        };
        if let Some(wait) = self.refusals.wait(peer) {
            self.refusals.note(RefusalReason::Slowed, peer, "");
            return Err(too_many_wrong_tokens(wait));
        }
        match unauthenticated {
            Unauthenticated::Missing => self.refusals.note(RefusalReason::Missing, peer, ""),
            Unauthenticated::Unknown => {
                self.refusals.note(RefusalReason::Unknown, peer, "");
                self.refusals.slow(peer).await;
            }
        }
        Err(fault(
            StatusCode::UNAUTHORIZED,
            "send a token of this server: Authorization: Bearer TOKEN",
        ))
    }

    fn show_config(&self) -> HttpResponse {
        json(
            StatusCode::OK,
            serde_json::to_string(&self.reloader.shown()).expect("plain values"),
        )
    }

    async fn list_audit_log(&self) -> HttpResponse {
        match self.shards.audit_log().await {
            Ok(entries) => json(StatusCode::OK, audit_log::list(&entries)),
            Err(error) => meta_unavailable(&error),
        }
    }

    async fn look_up_orders(&self, caller: &Caller, query: &str) -> HttpResponse {
        let OrderQuestion { user, key } = match OrderQuestion::parse(query) {
            Ok(question) => question,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        tracing::info!(who = caller.name, "orders of a user are looked up");
        match self.shards.orders(&user, key.clone()).await {
            Ok(orders) => match look_ups::order_json(&key, &orders, &self.shards.catalogue()) {
                Some(found) => json(StatusCode::OK, found),
                None => fault(StatusCode::NOT_FOUND, "this user has no such order"),
            },
            Err(error) => shard_unavailable(error),
        }
    }

    async fn look_up_account(&self, caller: &Caller, query: &str) -> HttpResponse {
        let AccountQuestion { user, activity } = match AccountQuestion::parse(query) {
            Ok(question) => question,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let Some(published) = self.shards.catalogue().activity(activity).cloned() else {
            return fault(
                StatusCode::NOT_FOUND,
                &format!("activityId: no activity {activity} is published"),
            );
        };
        tracing::info!(who = caller.name, "an account of a user is looked up");
        match self.shards.account(&user, activity).await {
            Ok(stored) => json(StatusCode::OK, look_ups::account_json(&published, stored)),
            Err(error) => shard_unavailable(error),
        }
    }

    fn list_breakers(&self) -> HttpResponse {
        json(
            StatusCode::OK,
            breakers::list(&self.shards.breakers().list(), Timestamp::now()),
        )
    }

    /// `dcc/update_config` of the reference: `degradeSwitch` and `rateLimiterSwitch` are `open`
    /// or `close`. An open degrade switch turns draws off, an open limiter switch limits on.
    async fn update_config(&self, caller: &Caller, query: &str) -> HttpResponse {
        let field = |name: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let key = field("key");
        let (switch, share) = match (key.as_str(), field("value").as_str()) {
            ("degradeSwitch", "open") => (Switch::Draw, Share::OFF),
            ("degradeSwitch", "close") => (Switch::Draw, Share::ON),
            ("rateLimiterSwitch", "open") => (Switch::Limits, Share::ON),
            ("rateLimiterSwitch", "close") => (Switch::Limits, Share::OFF),
            ("degradeSwitch" | "rateLimiterSwitch", _) => {
                return fault(StatusCode::BAD_REQUEST, "value: expected open or close");
            }
            _ => {
                return fault(
                    StatusCode::BAD_REQUEST,
                    "key: expected degradeSwitch or rateLimiterSwitch",
                );
            }
        };
        let setting = Setting {
            switch,
            activity: None,
            share,
            observe: false,
            expires_at: None,
        };
        let change = SwitchChange {
            to: SwitchTo::Set(setting),
            who: caller.who(Some("dcc/update_config")),
            why: key,
        };
        self.change_switch(change).await
    }

    fn page(&self, request: &Request<Incoming>) -> HttpResponse {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/metrics" => self.metrics(),
            _ => text(StatusCode::NOT_FOUND, "try /healthz, /readyz or /metrics\n"),
        }
    }

    fn readiness(&self) -> HttpResponse {
        if !self.ready.load(Ordering::Acquire) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n");
        }
        if let Some(why) = self.fleet.out_because() {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("out of rotation {why}\n"),
            );
        }
        let obstacles = self.shards.readiness().obstacles();
        if obstacles.is_empty() {
            return text(StatusCode::OK, "ready\n");
        }
        text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {}\n", obstacles.join("; ")),
        )
    }

    fn metrics(&self) -> HttpResponse {
        match self.scrape.text(|| self.shards.observe()) {
            Ok(text) => {
                let mut response = Response::new(AnswerBody::from(text));
                let format = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, format);
                response
            }
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "metrics cannot be written\n",
                )
            }
        }
    }
}

/// Reads the JSON of a body; the error says what is wrong with it.
async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, String> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let Ok(Ok(body)) = timeout(BODY_TIMEOUT, body).await else {
        return Err("the body is too large or too slow".to_owned());
    };
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}

fn meta_unavailable(error: &StoreError) -> HttpResponse {
    tracing::error!(%error, "the meta database cannot be asked");
    fault(
        StatusCode::SERVICE_UNAVAILABLE,
        "the meta database, which knows this, is unavailable",
    )
}

fn shard_unavailable(error: ReadError) -> HttpResponse {
    fault(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

fn too_many_wrong_tokens(wait: Duration) -> HttpResponse {
    let mut refusal = fault(
        StatusCode::TOO_MANY_REQUESTS,
        "too many wrong tokens came from this address: wait",
    );
    refusal
        .headers_mut()
        .insert(RETRY_AFTER, whole_seconds(wait).into());
    refusal
}

fn fault(status: StatusCode, why: &str) -> HttpResponse {
    json(status, serde_json::json!({ "error": why }).to_string())
}

fn json(status: StatusCode, body: String) -> HttpResponse {
    let mut response = Response::new(AnswerBody::from(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    let mut response = Response::new(AnswerBody::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
