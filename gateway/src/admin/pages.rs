//! The pages that need no token: health, readiness and metrics.
use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::respond::text;
use super::state::Admin;
use crate::edge::{AnswerBody, HttpResponse};

impl Admin {
    pub(super) fn page(&self, request: &Request<Incoming>) -> HttpResponse {
        let page = match request.uri().path() {
            "/healthz" => |_: &Self| text(StatusCode::OK, "ok\n"),
            "/readyz" => Self::readiness,
            "/metrics" => Self::metrics,
            _ => return text(StatusCode::NOT_FOUND, "try /healthz, /readyz or /metrics\n"),
        };
        if request.method() == Method::GET || request.method() == Method::HEAD {
            return page(self);
        }
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        refusal
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
