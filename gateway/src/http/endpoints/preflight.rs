//! A browser asks what pages of other origins may send.
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, HeaderValue,
};
use hyper::{Response, StatusCode};

use crate::answer::Endpoint;
use crate::edge::{AnswerBody, HttpResponse};
use crate::http::route::{About, EndpointAnswer, Methods, Route, Serve};

/// `OPTIONS` of any path
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Preflight,
    paths: &[],
    methods: Methods::Any,
    takes: &[],
    about: About::NoUser,
    serve: Serve::Look(|_, _| Ok(EndpointAnswer::Preflight)),
};

/// Headers that a page may send.
const SENT: HeaderValue =
    HeaderValue::from_static("Content-Type, Authorization, Idempotency-Key, Prefer");

/// The answer to a browser that asks what pages may send.
pub fn response() -> HttpResponse {
    let mut response = Response::new(AnswerBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, OPTIONS"),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
