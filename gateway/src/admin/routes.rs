//! The paths of the admin address, and who may use them.
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::refusals::RefusalReason;
use super::respond::{fault, too_many_wrong_tokens};
use super::state::Admin;
use super::token::{Caller, Role, Unauthenticated};
use crate::edge::{Handler, HttpResponse, Peer};

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
            (&Method::GET, "/admin/switches/history") => self.switch_history().await,
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
}
