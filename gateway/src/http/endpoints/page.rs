//! The wheel and a button, for a first look in a browser.
use bytes::Bytes;
use hyper::Response;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::answer::Endpoint;
use crate::edge::{AnswerBody, HttpResponse};
use crate::http::route::{About, EndpointAnswer, Methods, Route, Serve};

/// `GET /`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Page,
    paths: &[],
    methods: Methods::Show,
    takes: &[],
    about: About::NoUser,
    serve: Serve::Look(|_, _| Ok(EndpointAnswer::Page)),
};

const PAGE: &str = include_str!("../../../page/index.html");

/// No other page may frame it, and links on it send no referrer. What it may load stands in the
/// page itself.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// The page.
pub fn response() -> HttpResponse {
    let mut response = Response::new(AnswerBody::from(Bytes::from_static(PAGE.as_bytes())));
    response.headers_mut().extend(HEADERS);
    response
}
