//! The envelope of every answer: `{code, info, requestId, data}`.
use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use market::{Refusal, RequestId};
use serde::Serialize;
use shards::{CommandError, ReadError};

use super::code::Code;
use super::language::Language;
use crate::limits::Limited;

/// The headers of draft-ietf-httpapi-ratelimit-headers-06, the last one that had three of them.
const RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// No answer has more of them: room is made for all at once.
const HEADERS_MAX: usize = 8;
const REFUSAL_HEADERS_MAX: usize = 12;

/// A response with its whole body.
pub type HttpResponse = Response<Full<Bytes>>;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its cause.
    pub code: Code,
    /// What is known beyond the code, in English.
    pub detail: Option<Cow<'static, str>>,
    /// The limit that refused, where one did.
    pub limited: Option<Limited>,
    /// After how many seconds the same call may succeed, where that is known better than by the
    /// code alone.
    pub retry_after_s: Option<u32>,
}

impl Failure {
    /// A failure of which more is known than its code.
    pub fn detailed(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..code.into()
        }
    }

    /// A field is wrong: which, and what was expected.
    pub fn field(name: &str, expected: impl std::fmt::Display) -> Self {
        Self::detailed(Code::IllegalParameter, format!("{name}: {expected}"))
    }

    /// The same, for a caller that is to ask again after this time.
    fn retry_after(self, time: Duration) -> Self {
        Self {
            retry_after_s: Some(whole_seconds(time)),
            ..self
        }
    }

    /// What the caller reads.
    fn info(&self, language: Language) -> Cow<'static, str> {
        let text = self.code.text(language);
        match (&self.detail, language) {
            (None, _) => text.into(),
            (Some(detail), Language::English) => format!("{text}: {detail}").into(),
            (Some(detail), Language::Chinese) => format!("{text}：{detail}").into(),
        }
    }
}

/// A wait in whole seconds, rounded up, at least one.
pub fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            limited: None,
            retry_after_s: None,
        }
    }
}

impl From<Limited> for Failure {
    fn from(limited: Limited) -> Self {
        let failure = Self::from(Code::from(limited.kind)).retry_after(limited.wait);
        Self {
            limited: Some(limited),
            ..failure
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let failure = Self::from(Code::from(error));
        match error {
            CommandError::BreakerOpen { retry_after } => failure.retry_after(retry_after),
            CommandError::Refused(
                refusal @ (Refusal::RequestIdReused | Refusal::RequestCountDiffers),
            ) => Self {
                detail: Some(refusal.to_string().into()),
                ..failure
            },
            CommandError::ClocksDiffer { .. } => Self {
                detail: Some(error.to_string().into()),
                ..failure
            },
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

/// The answer of an endpoint that did what it was asked for. It reads the same in all languages, so
/// that a repeated draw is answered by the same bytes. `request` is named by the answers to a draw.
pub fn success(data: &Data, request: Option<&RequestId>) -> HttpResponse {
    let text = Code::Success.text(Language::English);
    respond(Code::Success, text, request, &data.0, HEADERS_MAX)
}

/// How a refusal looks to its caller.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Its language.
    pub language: Language,
    /// Its status.
    pub status: StatusCode,
}

/// A refusal.
pub fn refusal(failure: &Failure, request: Option<&RequestId>, look: Look) -> HttpResponse {
    let info = failure.info(look.language);
    let mut response = respond(failure.code, &info, request, b"null", REFUSAL_HEADERS_MAX);
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
        headers.insert(RATE_LIMIT_RESET, limited.wait_s().into());
    }
    response
}

/// Writes the envelope.
fn respond(
    code: Code,
    info: &str,
    request: Option<&RequestId>,
    data: &[u8],
    headers_max: usize,
) -> HttpResponse {
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
    let headers = response.headers_mut();
    headers.reserve(headers_max);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn write_text(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("a text can be written to memory");
}
