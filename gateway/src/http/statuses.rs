//! Which HTTP status an answer has: the honest one, or 200 for clients that drop all others.
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use crate::answer::Code;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Says that `Prefer: status=200` was obeyed.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The preference as it is obeyed.
pub const STATUS_200: HeaderValue = HeaderValue::from_static("status=200");

/// The key `http.always_200`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// Each code has its own.
    Honest,
    /// What the rules refuse is 200: 400, 404, 409 and 422. What proxies and clients must know
    /// (401, 403, 429, 5xx) is honest.
    Rules,
    /// 200 for everything, as in the reference.
    Always,
}

impl Statuses {
    /// The status of an answer, and whether that is so because the caller prefers it.
    pub fn of(self, code: Code, headers: &HeaderMap) -> (StatusCode, bool) {
        let honest = code.status();
        match self {
            Statuses::Always => (StatusCode::OK, false),
            Statuses::Rules if is_rule(honest) => (StatusCode::OK, false),
            Statuses::Honest if is_rule(honest) && prefers_200(headers) => (StatusCode::OK, true),
            Statuses::Rules | Statuses::Honest => (honest, false),
        }
    }
}

/// Whether a status only means that the call was wrong or that a rule refuses it.
const fn is_rule(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 409 | 422)
}

/// Whether a request has `Prefer: status=200` (RFC 7240): of several preferences of one name the
/// first counts.
fn prefers_200(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(list).filter_map(|preference| {
        // Parameters after a semicolon say nothing that is known here.
        let preference = preference.split(';').next()?;
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim()
            .eq_ignore_ascii_case("status")
            .then(|| value.trim().trim_matches('"'))
    });
    preferences.next() == Some("200")
}

/// The entries of a list. A comma inside quotes divides nothing.
fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    value.split(move |char| {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => return true,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, line.parse().expect("a header value"));
        }
        prefers_200(&headers)
    }

    #[test]
    fn preferences_are_read_as_the_rfc_writes_them() {
        for line in [
            "status=200",
            "Status = 200",
            "status=\"200\"",
            "respond-async, status=200",
            "wait=10;x=\"a, b\", status=200; y=1",
            "x=\"\\\", status=404\", status=200",
            "status=200, status=404",
            ",, status=200 ,",
        ] {
            assert!(prefers(&[line]), "{line}");
        }
        for line in [
            "",
            "status",
            "status=404",
            "status=404, status=200",
            "status=2000",
            "xstatus=200",
            "x=\"status=200\"",
            "x=\", status=200\"",
        ] {
            assert!(!prefers(&[line]), "{line}");
        }
        assert!(
            prefers(&["return=minimal", "status=200"]) && !prefers(&["status=500", "status=200"])
        );
        assert!(!prefers(&[]));
    }

    #[test]
    fn only_what_rules_say_may_look_like_a_success() {
        let asks = HeaderMap::from_iter([(PREFER, STATUS_200)]);
        let silent = HeaderMap::new();
        for &code in Code::ALL {
            let honest = code.status();
            let rule = [400, 404, 409, 422].contains(&honest.as_u16());
            let mild = if rule { StatusCode::OK } else { honest };
            assert_eq!(Statuses::Honest.of(code, &silent), (honest, false));
            assert_eq!(Statuses::Honest.of(code, &asks), (mild, rule));
            for headers in [&silent, &asks] {
                assert_eq!(Statuses::Rules.of(code, headers), (mild, false));
                assert_eq!(Statuses::Always.of(code, headers), (StatusCode::OK, false));
            }
        }
    }
}
