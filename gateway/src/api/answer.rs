//! The envelope of every answer: `{code, info, requestId, data}`.
use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use market::{Refusal, RequestId};
use serde::Serialize;
use shards::{DrawError, ReadError};

use super::code::Code;
use crate::limits::Limited;

/// The headers of draft-ietf-httpapi-ratelimit-headers-06, the last one that had three of them.
const RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// An answer has no more of them: room is made for all at once.
const HEADERS_MAX: usize = 8;

/// A response with its whole body.
pub type HttpResponse = Response<Full<Bytes>>;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its cause.
    pub code: Code,
    /// What the caller is told.
    pub info: Cow<'static, str>,
    /// The limit that refused, where one did.
    pub limited: Option<Limited>,
    /// After how many seconds the same call may succeed, where that is known better than by the
    /// code alone.
    pub retry_after_s: Option<u32>,
}

impl Failure {
    /// A field is wrong: which, and what was expected.
    pub fn field(name: &str, expected: impl std::fmt::Display) -> Self {
        Self {
            code: Code::IllegalParameter,
            info: format!("{name}: {expected}").into(),
            limited: None,
            retry_after_s: None,
        }
    }

    /// The same, for a caller that is to ask again after this time.
    fn retry_after(self, time: Duration) -> Self {
        Self { retry_after_s: Some(whole_seconds(time)), ..self }
    }
}

/// A wait in whole seconds, rounded up, at least one.
pub fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self { code, info: code.info().into(), limited: None, retry_after_s: None }
    }
}

impl From<Limited> for Failure {
    fn from(limited: Limited) -> Self {
        let failure = Self::from(Code::from(limited.kind)).retry_after(limited.wait);
        Self { limited: Some(limited), ..failure }
    }
}

impl From<DrawError> for Failure {
    fn from(error: DrawError) -> Self {
        let failure = Self::from(Code::from(error));
        match error {
            DrawError::BreakerOpen { retry_after } => failure.retry_after(retry_after),
            DrawError::Refused(refusal @ Refusal::RequestCountDiffers) => {
                Self { info: refusal.to_string().into(), ..failure }
            }
            DrawError::ClocksDiffer { .. } => Self { info: error.to_string().into(), ..failure },
            _ => failure,
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let failure = Self::from(Code::from(error));
        match error {
            ReadError::BreakerOpen { retry_after } => failure.retry_after(retry_after),
            _ => failure,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Code::from(refusal).into()
    }
}

/// What an endpoint found: JSON for `data`, or a failure.
pub type Outcome = Result<Data, Failure>;

/// The JSON text of `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(Vec<u8>);

impl Data {
    /// The JSON of `value`.
    pub fn new(value: &impl Serialize) -> Self {
        Self(serde_json::to_vec(value).expect("answers are plain values"))
    }

    /// The JSON itself.
    pub fn into_json(self) -> String {
        String::from_utf8(self.0).expect("JSON is UTF-8")
    }
}

/// Writes the envelope. `request` is named by the answers to a draw.
pub fn respond(outcome: &Outcome, request: Option<&RequestId>, always_200: bool) -> HttpResponse {
    let (code, info, data) = match outcome {
        Ok(data) => (Code::Success, Code::Success.info(), data.0.as_slice()),
        Err(failure) => (failure.code, &*failure.info, b"null".as_slice()),
    };
    let mut body = Vec::with_capacity(data.len() + 160);
    body.extend_from_slice(b"{\"code\":\"");
    body.extend_from_slice(code.as_str().as_bytes());
    body.extend_from_slice(b"\",\"info\":");
    write_text(&mut body, info);
    if let Some(request) = request {
        body.extend_from_slice(b",\"requestId\":");
        write_text(&mut body, request.as_str());
    }
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(data);
    body.push(b'}');
    let mut response = Response::new(Full::new(Bytes::from(body)));
    if !always_200 {
        *response.status_mut() = code.status();
    }
    let headers = response.headers_mut();
    headers.reserve(HEADERS_MAX);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let failure = outcome.as_ref().err();
    if let Some(seconds) = failure.and_then(|failure| failure.retry_after_s).or(code.retry_after_s()) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if let Some(limited) = failure.and_then(|failure| failure.limited) {
        headers.insert(RATE_LIMIT_LIMIT, limited.burst.into());
        headers.insert(RATE_LIMIT_REMAINING, HeaderValue::from_static("0"));
        headers.insert(RATE_LIMIT_RESET, limited.wait_s().into());
    }
    response
}

/// Names the methods that a path takes, on a 405.
pub fn allow(mut response: HttpResponse, methods: &'static str) -> HttpResponse {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn write_text(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("a text can be written to memory");
}
