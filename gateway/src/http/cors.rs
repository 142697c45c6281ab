//! Pages of other origins: who may call, what they may send and read.
use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, ORIGIN,
};

use super::content::MediaType;

const ANY: &str = "*";

/// Headers that a page may read, besides those that it always may.
const READ: HeaderValue = HeaderValue::from_static(
    "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id, Preference-Applied",
);

/// The key `http.allowed_origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Pages of any origin may call.
    Any,
    /// Pages of these.
    These(Vec<HeaderValue>),
}

impl AllowedOrigins {
    /// Those of a list: `*` alone, or origins such as `https://play.example.com`.
    pub fn of(list: &[String]) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected \"*\" alone, or origins as browsers write them, such as \
                                https://play.example.com or http://127.0.0.1:8080";
        if *list == [ANY] {
            return Ok(Self::Any);
        }
        let origin = |text: &String| {
            text.parse()
                .ok()
                .filter(|_| is_origin(text))
                .ok_or(EXPECTED)
        };
        list.iter()
            .map(origin)
            .collect::<Result<_, _>>()
            .map(Self::These)
    }

    /// Whether the origin of a request is allowed. Only browsers send one.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Any => true,
            Self::These(_) => headers.get(ORIGIN).is_none_or(|origin| self.name(origin)),
        }
    }

    /// Whether a page may have sent a request in a user's name without permission: its origin is
    /// not in the list, and it is of a kind that browsers send without a preflight. (A JSON body
    /// needs one.)
    pub fn may_be_forged(&self, headers: &HeaderMap) -> bool {
        headers.get(ORIGIN).is_some_and(|origin| !self.name(origin))
            && MediaType::of(headers) != MediaType::Json
    }

    fn name(&self, origin: &HeaderValue) -> bool {
        matches!(self, Self::These(origins) if origins.contains(origin))
    }

    /// Names in an answer the origins whose pages may read it.
    pub fn write(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let origin = request.get(ORIGIN);
        let allowed = match self {
            Self::Any => HeaderValue::from_static(ANY),
            Self::These(origins) => match origin.filter(|origin| origins.contains(origin)) {
                Some(origin) => origin.clone(),
                None => return,
            },
        };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if origin.is_some() {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        }
    }

    /// Whether answers differ by the origin of their request.
    pub const fn vary(&self) -> bool {
        matches!(self, Self::These(_))
    }
}

/// Whether a string is a scheme, a host and perhaps a port, as browsers write them.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]+".contains(&byte);
    let is_default = matches!(
        (scheme, host.rsplit_once(':')),
        ("http", Some((_, "80"))) | ("https", Some((_, "443")))
    );
    !scheme.is_empty()
        && !host.is_empty()
        && text.len() <= 255
        && scheme.bytes().chain(host.bytes()).all(is_plain)
        && !is_default
}

#[cfg(test)]
mod tests {
    use hyper::header::{CONTENT_TYPE, HeaderName};

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn origins(list: &[&str]) -> Result<AllowedOrigins, &'static str> {
        AllowedOrigins::of(
            &list
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        assert_eq!(origins(&["*"]), Ok(AllowedOrigins::Any));
        assert!(
            origins(&[
                "https://a.example",
                "http://127.0.0.1:8080",
                "http://[::1]:1",
                "capacitor://localhost"
            ])
            .is_ok()
        );
        for bad in [
            "",
            "*",
            "null",
            "a.example",
            "https://",
            "https://A.example",
            "https://a.example/",
            "https://a:443",
            "https://a b",
        ] {
            assert!(origins(&["https://b.example", bad]).is_err(), "{bad}");
        }
        assert!(
            !origins(&[])
                .expect("an empty list")
                .allow(&headers(&[(ORIGIN, "https://a.example")]))
        );
    }

    #[test]
    fn only_listed_origins_are_let_in_and_named_in_answers() {
        let list = origins(&["https://a.example"]).expect("origins");
        let (ours, theirs) = (
            headers(&[(ORIGIN, "https://a.example")]),
            headers(&[(ORIGIN, "null")]),
        );
        let named = |origins: &AllowedOrigins, request: &HeaderMap| {
            let mut answer = HeaderMap::new();
            origins.write(request, &mut answer);
            let exposes = answer.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS);
            answer
                .remove(ACCESS_CONTROL_ALLOW_ORIGIN)
                .map(|value| (value.to_str().expect("ASCII").to_owned(), exposes))
        };
        assert!(list.allow(&ours) && list.allow(&HeaderMap::new()) && !list.allow(&theirs));
        assert_eq!(
            named(&list, &ours),
            Some(("https://a.example".to_owned(), true))
        );
        assert_eq!(
            (named(&list, &theirs), named(&list, &HeaderMap::new())),
            (None, None)
        );
        assert!(AllowedOrigins::Any.allow(&theirs));
        assert_eq!(
            named(&AllowedOrigins::Any, &theirs),
            Some(("*".to_owned(), true))
        );
        assert_eq!(
            named(&AllowedOrigins::Any, &HeaderMap::new()),
            Some(("*".to_owned(), false))
        );
    }

    #[test]
    fn what_browsers_send_unasked_may_be_forged() {
        let list = origins(&["https://a.example"]).expect("origins");
        for (origin, media_type, any, ours) in [
            (Some("https://a.example"), Some(FORM), true, false),
            (Some("https://b.example"), Some(FORM), true, true),
            (Some("null"), None, true, true),
            (Some("null"), Some("text/plain"), true, true),
            (
                Some("https://b.example"),
                Some("application/json"),
                false,
                false,
            ),
            (None, Some(FORM), false, false),
        ] {
            let pairs = [(ORIGIN, origin), (CONTENT_TYPE, media_type)];
            let pairs: Vec<_> = pairs
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            let forged = [&AllowedOrigins::Any, &list]
                .map(|origins| origins.may_be_forged(&headers(&pairs)));
            assert_eq!(forged, [any, ours], "{origin:?} {media_type:?}");
        }
    }
}
