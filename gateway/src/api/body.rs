//! A request's body: read once, within bounds, and what it is said to be.
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::HeaderMap;
use hyper::Method;
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use tokio::time::timeout;

use super::answer::Failure;
use super::code::Code;
use crate::edge::ask_again;

/// The body of a request.
pub struct RequestBody {
    /// None once it was asked for.
    incoming: Option<Incoming>,
    /// All of it was read, or there is none.
    is_over: bool,
    bytes_max: usize,
}

impl RequestBody {
    /// A body of at most so many bytes.
    pub fn new(incoming: Incoming, bytes_max: usize) -> Self {
        let is_over = incoming.is_end_stream();
        Self {
            incoming: Some(incoming),
            is_over,
            bytes_max,
        }
    }

    /// Reads it, within `time`, or until `cut_off` ends.
    pub async fn read(
        &mut self,
        time: Duration,
        cut_off: impl Future<Output = ()>,
    ) -> Result<Bytes, Code> {
        let Some(incoming) = self.incoming.take().filter(|_| !self.is_over) else {
            return Ok(Bytes::new());
        };
        let mut reading = pin!(joined(Limited::new(incoming, self.bytes_max)));
        let read = if let Some(read) = at_hand(reading.as_mut()).await {
            read
        } else {
            tokio::select! {
                read = timeout(time, reading.as_mut()) => read.map_err(|_| Code::BodyTooSlow)?,
                () = cut_off => return Err(Code::BodyTooSlow),
            }
        };
        self.is_over = read.is_ok();
        // Whoever has gone or broke the protocol does not read this answer.
        read.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Code::BodyTooLarge
            } else {
                Code::IllegalParameter
            }
        })
    }

    /// Lets go of what was not read; answers whether the connection ends for sure with this answer.
    /// Of a body that nobody asked for hyper takes what is at hand, and adds `Connection: close` by
    /// itself when that is not all of it. It finds out when it is given a turn before the answer.
    pub async fn finish(self) -> bool {
        let Self {
            incoming, is_over, ..
        } = self;
        let is_unread = incoming.is_some();
        drop(incoming);
        if !is_over && is_unread {
            yield_once().await;
        }
        !is_over && !is_unread
    }
}

/// Gives the task of this connection one turn.
async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        ask_again(context);
        Poll::Pending
    })
    .await;
}

/// What `future` comes to, if it can be had at the second look. Most bodies come with their head,
/// and hyper hands them over once they were asked for: a timer would be made and dropped for
/// nothing.
async fn at_hand<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut second = false;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if second => Poll::Ready(None),
        Poll::Pending => {
            second = true;
            ask_again(context);
            Poll::Pending
        }
    })
    .await
}

/// The bytes of a body. Copied together as they come, unless they come as one: kept as they are,
/// frames of one byte take forty times as much, which tiny chunks would turn into gigabytes.
async fn joined(
    mut body: Limited<Incoming>,
) -> Result<Bytes, <Limited<Incoming> as hyper::body::Body>::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if bytes.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`, `application/*+json` or `text/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Nothing says what it is.
    Unsaid,
    /// Something else.
    Other,
}

impl MediaType {
    /// As the header `Content-Type` says. Two headers that differ say something else.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut types = headers
            .get_all(CONTENT_TYPE)
            .iter()
            .map(|value| value.to_str().map_or(Self::Other, Self::named));
        let Some(first) = types.next() else {
            return Self::Unsaid;
        };
        if types.all(|other| other == first) {
            first
        } else {
            Self::Other
        }
    }

    fn named(value: &str) -> Self {
        let name = value.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let begins = |prefix: &str| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let ends = |suffix: &str| {
            let start = name.len().checked_sub(suffix.len());
            start
                .and_then(|start| name.get(start..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        };
        match name {
            "" => Self::Unsaid,
            _ if is("application/json") || is("text/json") => Self::Json,
            _ if is("application/x-www-form-urlencoded") => Self::Form,
            _ if begins("application/") && ends("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// A body by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// No parameters.
    Nothing,
    /// Pairs of names and values.
    Form(&'a [u8]),
    /// A JSON object, if it is well-formed.
    Json(&'a [u8]),
}

impl<'a> Content<'a> {
    /// The content of a request's body. A body that is not said to be anything is read as JSON, but
    /// with a GET it says nothing.
    pub fn of(head: &Parts, body: &'a [u8]) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::Nothing);
        }
        match MediaType::of(&head.headers) {
            MediaType::Json => Ok(Self::Json(body)),
            MediaType::Unsaid if head.method == Method::POST => Ok(Self::Json(body)),
            MediaType::Unsaid => Ok(Self::Nothing),
            // `curl -d` sends JSON as a form unless it is told otherwise.
            MediaType::Form if body.trim_ascii_start().starts_with(b"{") => Err(Failure::detailed(
                Code::MediaTypeUnsupported,
                "send JSON with Content-Type: application/json",
            )),
            MediaType::Form => Ok(Self::Form(body)),
            MediaType::Other => Err(Code::MediaTypeUnsupported.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use hyper::header::HeaderValue;

    use super::*;

    fn media_type(values: &[&str]) -> MediaType {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                CONTENT_TYPE,
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        MediaType::of(&headers)
    }

    #[test]
    fn media_types_are_known_by_their_names() {
        for (expected, values) in [
            (
                MediaType::Json,
                &[
                    "application/json",
                    "Application/JSON; charset=utf-8",
                    "text/json",
                    "application/a+JSON",
                ][..],
            ),
            (
                MediaType::Form,
                &[
                    "application/x-www-form-urlencoded",
                    "application/X-WWW-Form-Urlencoded ;charset=UTF-8",
                ],
            ),
            (MediaType::Unsaid, &["", " ", ";charset=utf-8"]),
            (
                MediaType::Other,
                &[
                    "text/plain",
                    "text/plain; application/json",
                    "text/plain+json",
                    "application/json, text/plain",
                    "multipart/form-data; boundary=application/json",
                    "application/jsonp",
                    "application/xml",
                    "é",
                    "x",
                ],
            ),
        ] {
            for value in values {
                assert_eq!(media_type(&[value]), expected, "{value:?}");
            }
        }
        assert_eq!(media_type(&[]), MediaType::Unsaid);
        assert_eq!(
            media_type(&["application/json", "text/json"]),
            MediaType::Json
        );
        assert_eq!(
            media_type(&["application/json", "text/plain"]),
            MediaType::Other
        );
    }

    #[test]
    fn content_is_what_its_media_type_says() {
        let of = |method: Method, media_type: Option<&str>, body: &'static [u8]| {
            let mut request = Request::builder().method(method);
            if let Some(media_type) = media_type {
                request = request.header(CONTENT_TYPE, media_type);
            }
            let (head, ()) = request.body(()).expect("a request").into_parts();
            Content::of(&head, body).map_err(|failure| failure.code)
        };
        let (json, form) = (
            Some("application/json"),
            Some("application/x-www-form-urlencoded"),
        );
        assert_eq!(of(Method::POST, json, b"{}"), Ok(Content::Json(b"{}")));
        assert_eq!(of(Method::POST, None, b"{}"), Ok(Content::Json(b"{}")));
        assert_eq!(of(Method::GET, None, b"{}"), Ok(Content::Nothing));
        assert_eq!(of(Method::GET, form, b"a=b"), Ok(Content::Form(b"a=b")));
        assert_eq!(
            of(Method::POST, form, b" {}"),
            Err(Code::MediaTypeUnsupported)
        );
        assert_eq!(
            of(Method::POST, Some("text/plain"), b"{}"),
            Err(Code::MediaTypeUnsupported)
        );
        assert_eq!(
            of(Method::POST, Some("text/plain"), b""),
            Ok(Content::Nothing)
        );
    }
}
