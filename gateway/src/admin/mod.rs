//! The admin address: health, readiness and metrics for everybody who reaches it; switches,
//! breakers and users who sit out for those with a token.
mod breakers;
mod fleet;
mod gateways;
mod orders;
mod sitting_out;
mod switches;
pub mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use market::switches::{Origin, Setting, Share, Switch};
use prometheus::{Encoder, Registry, TextEncoder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shards::Shards;
use shards::store::StoreError;
use shards::switches::{SwitchChange, SwitchTo};
use tokio::time::timeout;

use self::sitting_out::Revocation;
use self::switches::{Asked, AskedToClear};
use self::token::{Role, Tokens};
use crate::api::answer::HttpResponse;
use crate::edge::{Handler, Peer};
use crate::fleet::Fleet;
use crate::fleet::kinds::ROTATION;
use crate::fleet::registry::OVERRIDES_MAX;
use crate::limits::Limits;
use crate::reload::Reloader;

/// The reference's way to flip a switch.
const DCC_PATH: &str = "/api/v1/raffle/dcc/update_config";

/// What a token opens.
const PATHS: [&str; 8] = [
    "/admin/switches",
    "/admin/switches/history",
    "/admin/breakers",
    "/admin/gateways",
    "/admin/gateways/rotation",
    "/admin/sitting_out",
    "/admin/reload",
    "/admin/trail",
];

const BODY_BYTES_MAX: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the admin address tells.
pub struct Admin {
    registry: Registry,
    shards: Arc<Shards>,
    limits: Arc<Limits>,
    reloader: Arc<Reloader>,
    fleet: Arc<Fleet>,
    tokens: Tokens,
    ready: AtomicBool,
}

impl Handler for Admin {
    async fn handle(&self, _: Peer, request: Request<Incoming>) -> HttpResponse {
        let path = request.uri().path();
        if path.starts_with("/admin/") || path == DCC_PATH {
            return self.authorised(request).await;
        }
        self.page(&request)
    }
}

impl Admin {
    /// Not ready until told so.
    pub fn new(
        registry: Registry,
        shards: Arc<Shards>,
        limits: Arc<Limits>,
        reloader: Arc<Reloader>,
        fleet: Arc<Fleet>,
        tokens: Tokens,
    ) -> Self {
        Self { registry, shards, limits, reloader, fleet, tokens, ready: AtomicBool::new(false) }
    }

    /// Ready means: listening, campaigns loaded, not draining, and nothing of this process's own in
    /// the way of every draw. Whatever shards in a cluster do, else one dead shard would empty the
    /// load balancer.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// What needs a token: the viewer's to look, the operator's to change something.
    async fn authorised(&self, request: Request<Incoming>) -> HttpResponse {
        let Some(role) = self.tokens.role(request.headers()) else {
            return fault(StatusCode::UNAUTHORIZED, "send the token of this server: Authorization: Bearer TOKEN");
        };
        let path = request.uri().path().to_owned();
        let changes = request.method() != Method::GET || path == DCC_PATH;
        if changes && role < Role::Operator {
            return fault(StatusCode::FORBIDDEN, "the viewer's token only looks");
        }
        match (request.method(), path.as_str()) {
            (&Method::GET, "/admin/switches") => self.list_switches(),
            (&Method::POST, "/admin/switches") => self.set_switch(request).await,
            (&Method::DELETE, "/admin/switches") => self.clear_switch(request).await,
            (&Method::GET, "/admin/switches/history") => match self.shards.switch_changes().await {
                Ok(changes) => json(StatusCode::OK, switches::history(&changes)),
                Err(error) => meta_unavailable(&error),
            },
            (&Method::GET, "/admin/breakers") => self.list_breakers(),
            (&Method::POST, "/admin/breakers") => self.order_breaker(request).await,
            (&Method::DELETE, "/admin/breakers") => match read::<breakers::AskedToClear>(request).await {
                Ok(asked) => self.change_fleet(asked.change()).await,
                Err(why) => fault(StatusCode::BAD_REQUEST, &why),
            },
            (&Method::GET, "/admin/gateways") => self.list_gateways(request.uri().query().unwrap_or_default()).await,
            (&Method::DELETE, "/admin/gateways") => self.forget_gateway(request).await,
            (&Method::POST, "/admin/gateways/rotation") => self.rotate(request).await,
            (&Method::GET, DCC_PATH) => self.update_config(request.uri().query().unwrap_or_default()).await,
            (&Method::GET, "/admin/sitting_out") => self.list_sitting_out(),
            (&Method::DELETE, "/admin/sitting_out") => self.revoke(request.uri().query().unwrap_or_default()).await,
            (&Method::POST, "/admin/reload") => self.reload(request).await,
            (&Method::GET, "/admin/trail") => match self.shards.trail().await {
                Ok(entries) => json(StatusCode::OK, orders::list(&entries)),
                Err(error) => meta_unavailable(&error),
            },
            (_, path) if PATHS.contains(&path) || path == DCC_PATH => {
                fault(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
            }
            _ => fault(StatusCode::NOT_FOUND, &format!("try {}", PATHS.join(", "))),
        }
    }

    fn list_switches(&self) -> HttpResponse {
        json(StatusCode::OK, self.switches().to_string())
    }

    fn switches(&self) -> Value {
        switches::list(self.shards.catalogue().switches(), Timestamp::now())
    }

    async fn set_switch(&self, request: Request<Incoming>) -> HttpResponse {
        let asked = read::<Asked>(request).await.and_then(|asked| {
            let here = asked.here;
            Ok((asked.change(Timestamp::now(), &self.shards.catalogue())?, here))
        });
        self.change_switch(asked).await
    }

    async fn clear_switch(&self, request: Request<Incoming>) -> HttpResponse {
        let asked = read::<AskedToClear>(request).await.and_then(|asked| {
            let here = asked.here;
            Ok((asked.change()?, here))
        });
        self.change_switch(asked).await
    }

    async fn change_switch(&self, asked: Result<(SwitchChange, bool), String>) -> HttpResponse {
        match asked {
            Ok((change, true)) => self.override_switch(&change).await,
            Ok((change, false)) => self.apply(change).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    /// This process alone obeys, from memory; the meta database is not needed.
    async fn override_switch(&self, change: &SwitchChange) -> HttpResponse {
        let SwitchChange { to, who, why } = change;
        let (switch, activity) = to.key();
        let count = self
            .shards
            .catalogue()
            .switches()
            .current(Timestamp::now())
            .filter(|(_, origin)| *origin == Origin::Here)
            .count();
        if count >= OVERRIDES_MAX {
            return fault(StatusCode::CONFLICT, "there are too many overrides on this gateway: take some back first");
        }
        tracing::warn!(%switch, value = to.value(), ?activity, who, why, "this gateway alone obeys a switch");
        self.shards.override_switch(to);
        self.fleet.wake();
        let what = format!("switch {switch} {}", to.value());
        let of = activity.map_or("all activities".to_owned(), |activity| format!("activity {activity}"));
        fleet::note_here(&self.fleet, &self.shards, (who, why), &what, &of).await;
        let mut answer = self.switches();
        answer["here"] = self.fleet.name().into();
        json(StatusCode::OK, answer.to_string())
    }

    fn list_breakers(&self) -> HttpResponse {
        json(StatusCode::OK, breakers::list(&self.shards.breakers().list(), Timestamp::now()))
    }

    async fn order_breaker(&self, request: Request<Incoming>) -> HttpResponse {
        match read::<breakers::Asked>(request).await.and_then(breakers::Asked::change) {
            Ok(asked) => self.change_fleet(asked).await,
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        }
    }

    async fn change_fleet(&self, asked: fleet::Asked) -> HttpResponse {
        match fleet::change(&self.fleet, &self.shards, asked).await {
            Ok(answer) => json(StatusCode::OK, answer.to_string()),
            Err((status, why)) => fault(status, &why),
        }
    }

    async fn list_gateways(&self, query: &str) -> HttpResponse {
        let revision = match gateways::asked_revision(query) {
            Ok(revision) => revision,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        match self.shards.gateways().await {
            Ok(list) => json(StatusCode::OK, gateways::list(&list, revision)),
            Err(error) => meta_unavailable(&error),
        }
    }

    async fn forget_gateway(&self, request: Request<Incoming>) -> HttpResponse {
        let gateways::Forget { name, who, reason } = match read(request).await {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let (who, why) = match (orders::Asked { who, reason }).checked() {
            Ok(record) => record,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let list = match self.shards.gateways().await {
            Ok(list) => list,
            Err(error) => return meta_unavailable(&error),
        };
        let instance = match gateways::forgettable(&list, &name) {
            Ok(gateway) => &gateway.report.instance,
            Err(why) => return fault(StatusCode::CONFLICT, &why),
        };
        tracing::info!(name, who, why, "a gateway is forgotten");
        match self.shards.remove_gateway(&name, instance).await {
            Ok(()) => {
                self.shards.note(&who, "gateway forgotten".to_owned(), name, &why).await;
                self.list_gateways("").await
            }
            Err(error) => meta_unavailable(&error),
        }
    }

    async fn rotate(&self, request: Request<Incoming>) -> HttpResponse {
        let gateways::Rotate { name, out, who, reason, for_seconds, here } = match read(request).await {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        if here && name != self.fleet.name() {
            let own = self.fleet.name();
            return fault(StatusCode::BAD_REQUEST, &format!("name: this gateway is {own}; ask {name} itself"));
        }
        if out && !here {
            match self.shards.gateways().await.map(|list| gateways::find(&list, &name).map(drop)) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return fault(StatusCode::BAD_REQUEST, &format!("name: {why}")),
                Err(error) => return meta_unavailable(&error),
            }
        }
        let what = if out { "gateway out of rotation" } else { "gateway in rotation" };
        self.change_fleet(fleet::Asked {
            kind: ROTATION,
            target: name,
            value: out.then_some(Value::Bool(true)),
            for_seconds,
            who,
            why: reason,
            what: what.to_owned(),
            here,
        })
        .await
    }

    /// `dcc/update_config` of the reference: `degradeSwitch` and `rateLimiterSwitch` are `open`
    /// or `close`. An open degrade switch turns draws off, an open limiter switch limits on.
    async fn update_config(&self, query: &str) -> HttpResponse {
        let field = |name: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).unwrap_or_default()
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
            _ => return fault(StatusCode::BAD_REQUEST, "key: expected degradeSwitch or rateLimiterSwitch"),
        };
        let setting = Setting { switch, activity: None, share, observe: false, expires_at: None };
        self.apply(SwitchChange { to: SwitchTo::Set(setting), who: "dcc/update_config".to_owned(), why: key }).await
    }

    async fn apply(&self, change: SwitchChange) -> HttpResponse {
        let SwitchChange { to, who, why } = &change;
        let (switch, activity) = to.key();
        tracing::info!(%switch, value = to.value(), ?activity, who, why, "a switch is changed");
        match self.shards.change_switch(&change).await {
            Ok(revision) => {
                let mut answer = self.switches();
                answer["revision"] = revision.into();
                json(StatusCode::OK, answer.to_string())
            }
            Err(error) => {
                let (status, why) = fleet::unchanged(&error, "the switch");
                fault(status, &why)
            }
        }
    }

    fn list_sitting_out(&self) -> HttpResponse {
        let (count, sitters) = self.limits.sitting_out(sitting_out::SHOWN_MAX);
        json(StatusCode::OK, sitting_out::list(count, &sitters, Timestamp::now()))
    }

    async fn revoke(&self, query: &str) -> HttpResponse {
        let asked = Revocation::parse(query).and_then(|asked| Ok((asked.user, asked.order.checked()?)));
        match asked {
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
            Ok((user, (who, why))) if self.limits.revoke(&user) => {
                tracing::info!(who, why, "a user who sat out may draw again");
                self.shards.note(&who, "sit-out revoke".to_owned(), user.as_str().to_owned(), &why).await;
                self.list_sitting_out()
            }
            Ok(_) => fault(StatusCode::NOT_FOUND, "this user does not sit out on this gateway"),
        }
    }

    async fn reload(&self, request: Request<Incoming>) -> HttpResponse {
        let (who, why) = match read::<orders::Asked>(request).await.and_then(orders::Asked::checked) {
            Ok(asked) => asked,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        match self.reloader.reload() {
            Ok(reloaded) => {
                let told = serde_json::to_string(&reloaded).expect("plain values");
                self.shards.note(&who, "reload".to_owned(), told.clone(), &why).await;
                json(StatusCode::OK, told)
            }
            Err(error) => fault(StatusCode::BAD_REQUEST, &error),
        }
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
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("out of rotation {why}\n"));
        }
        let obstacles = self.shards.readiness().obstacles();
        if obstacles.is_empty() {
            return text(StatusCode::OK, "ready\n");
        }
        text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", obstacles.join("; ")))
    }

    fn metrics(&self) -> HttpResponse {
        self.shards.observe();
        self.limits.observe();
        let mut body = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut body) {
            Ok(()) => {
                let mut response = Response::new(Full::new(Bytes::from(body)));
                let format = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, format);
                response
            }
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written\n")
            }
        }
    }
}

/// The JSON of a body, or what is wrong with it.
async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, String> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let Ok(Ok(body)) = timeout(BODY_TIMEOUT, body).await else {
        return Err("the body is too large or too slow".to_owned());
    };
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}

fn meta_unavailable(error: &StoreError) -> HttpResponse {
    tracing::error!(%error, "the meta database cannot be asked");
    fault(StatusCode::SERVICE_UNAVAILABLE, "the meta database is unavailable: nothing was changed")
}

fn fault(status: StatusCode, why: &str) -> HttpResponse {
    json(status, serde_json::json!({ "error": why }).to_string())
}

fn json(status: StatusCode, body: String) -> HttpResponse {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
