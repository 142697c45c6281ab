//! What a body is said to be.
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use crate::answer::{Code, Failure};

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
    /// with a GET it is ignored.
    pub fn of(head: &Parts, body: &'a [u8]) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::Nothing);
        }
        match MediaType::of(&head.headers) {
            MediaType::Json => Ok(Self::Json(body)),
            MediaType::Unsaid if head.method == Method::POST => Ok(Self::Json(body)),
            MediaType::Unsaid => Ok(Self::Nothing),
            // `curl -d` sends JSON as a form by default.
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
