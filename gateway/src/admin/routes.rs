//! Serves requests to the admin address: tells pages from endpoints, and authenticates the callers
//! of endpoints.
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::call::AdminCall;
use super::endpoints::{NoEndpoint, find, needs_token, paths};
use super::refusals::RefusalReason;
use super::respond::{fault, no_method, no_path, too_many_wrong_tokens};
use super::state::Admin;
use super::token::{AdminCaller, Unauthenticated};
use crate::edge::{Handler, HttpResponse, Peer};

impl Handler for Admin {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> HttpResponse {
        let has_body = !request.body().is_end_stream();
        let reads_body = request.method() != Method::GET;
        let mut response = if needs_token(request.uri().path()) {
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
        let endpoint = match find(request.method(), request.uri().path()) {
            Ok(endpoint) => endpoint,
            Err(NoEndpoint::Path) => return no_path(&paths()),
            Err(NoEndpoint::Method(allowed)) => return no_method(&allowed),
        };
        if caller.role < endpoint.role {
            self.refusals
                .note(RefusalReason::Viewer, peer, &caller.name);
            return fault(
                StatusCode::FORBIDDEN,
                "a viewer's token only reads: this needs an operator's",
            );
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        let call = AdminCall {
            caller,
            query,
            request,
        };
        (endpoint.handle)(self, call).await
    }

    /// The caller, or the response for a request without one.
    async fn caller(&self, peer: Peer, headers: &HeaderMap) -> Result<AdminCaller, HttpResponse> {
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
