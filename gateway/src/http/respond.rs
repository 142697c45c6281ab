//! Answers as HTTP: the envelope with its status and headers.
use bytes::Bytes;
use hyper::header::{
    CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use market::RequestId;

use crate::answer::{Code, Data, Failure, Language, envelope};
use crate::edge::{AnswerBody, HttpResponse};

/// The headers of draft-ietf-httpapi-ratelimit-headers-06, the last one that had three of them.
const RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// No answer has more of them: room is made for all at once.
const HEADERS_MAX: usize = 8;
const REFUSAL_HEADERS_MAX: usize = 12;

/// The answer of an endpoint that did what it was called for. It reads the same in all languages,
/// so that a repeated command gets the same bytes. `request` is the key of a command.
pub fn success(data: &Data, request: Option<&RequestId>) -> HttpResponse {
    let info = Code::Success.text(Language::English);
    let body = envelope(Code::Success, info, request, data.as_bytes());
    json(body, HEADERS_MAX)
}

/// How a refusal looks to its caller.
#[derive(Debug, Clone, Copy)]
pub struct RefusalLook {
    /// Its language.
    pub language: Language,
    /// Its status.
    pub status: StatusCode,
}

/// A refusal.
pub fn refusal(failure: &Failure, request: Option<&RequestId>, look: RefusalLook) -> HttpResponse {
    let info = failure.info(look.language);
    let body = envelope(failure.code, &info, request, b"null");
    let mut response = json(body, REFUSAL_HEADERS_MAX);
    *response.status_mut() = look.status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_LANGUAGE,
        HeaderValue::from_static(look.language.tag()),
    );
    if let Some(seconds) = failure.retry_after_s.or(failure.code.retry_after_s()) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if let Some(limited) = failure.limited {
        headers.insert(RATE_LIMIT_LIMIT, limited.burst.into());
        headers.insert(RATE_LIMIT_REMAINING, HeaderValue::from_static("0"));
        headers.insert(RATE_LIMIT_RESET, limited.wait_s.into());
    }
    response
}

fn json(body: Bytes, headers_max: usize) -> HttpResponse {
    let mut response = Response::new(AnswerBody::from(body));
    let headers = response.headers_mut();
    headers.reserve(headers_max);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
