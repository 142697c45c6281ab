//! The key of a command: what makes a call that is sent again the same call.
use hyper::HeaderMap;
use hyper::header::HeaderName;
use market::RequestId;

use super::fields::{FieldName, Fields};
use crate::answer::Failure;
use crate::trace::hexadecimal;

/// Returns the key that the answers to a command name, and whether the caller's was valid. It is
/// the caller's, from the header or the parameters, or one that a proxy lends, or a new one of
/// `random` numbers.
pub fn command_key(
    headers: &HeaderMap,
    fields: Option<&Fields<'_>>,
    random: impl FnMut() -> u64,
) -> (RequestId, Result<(), Failure>) {
    let in_fields = fields.map_or(Ok(None), Fields::request);
    let key = match (header_key(headers), in_fields) {
        (Ok(Some(header)), Ok(Some(field))) if header != field => Err(Failure::field(
            FieldName::Request.as_str(),
            "differs from the header Idempotency-Key",
        )),
        (Ok(header), Ok(field)) => Ok(header.or(field)),
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    };
    let made = || lent_key(headers).unwrap_or_else(|| new_key(random));
    match key {
        Ok(key) => (key.unwrap_or_else(made), Ok(())),
        Err(failure) => (made(), Err(failure)),
    }
}

/// A key of 128 random bits.
fn new_key(mut random: impl FnMut() -> u64) -> RequestId {
    let halves = [hexadecimal(random()), hexadecimal(random())];
    let digits = str::from_utf8(halves.as_flattened()).expect("ASCII");
    RequestId::new(digits).expect("hexadecimal digits are visible")
}

/// The key in the header `Idempotency-Key`. An empty header is none, as for proxies, which cannot
/// tell them apart; two are refused, as proxies make one wrong key of them.
pub fn header_key(headers: &HeaderMap) -> Result<Option<RequestId>, Failure> {
    const NAME: &str = "Idempotency-Key";
    const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Failure::field(NAME, "comes twice"));
    }
    if value.is_empty() {
        return Ok(None);
    }
    let text = value
        .to_str()
        .map_err(|_| Failure::field(NAME, "must be 1 to 64 visible ASCII characters"))?;
    RequestId::new(text)
        .map(Some)
        .map_err(|error| Failure::field(NAME, error))
}

/// The key that a proxy lends to a draw which has none: when it sends the draw to a second gateway,
/// both make the same one. (A caller that sends it could as well send a key.)
fn lent_key(headers: &HeaderMap) -> Option<RequestId> {
    const HEADER: HeaderName = HeaderName::from_static("idempotency-key-fallback");
    let text = headers.get(HEADER)?.to_str().ok()?;
    RequestId::new(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        let failure = result.expect_err("a failure");
        failure.detail.expect("a detail").into_owned()
    }

    #[test]
    fn keys_in_the_header_are_checked() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("idempotency-key", value.parse().expect("a header value"));
            }
            headers
        };
        assert_eq!(header_key(&headers(&[])), Ok(None));
        assert_eq!(
            header_key(&headers(&[""])),
            Ok(None),
            "a proxy cannot tell an empty header from none"
        );
        assert_eq!(
            header_key(&headers(&["k"])).map(|key| key.is_some()),
            Ok(true)
        );
        for bad in [
            &["k", "k"][..],
            &["k", "K"],
            &["", ""],
            &["a b"],
            &["ú"],
            &[&"k".repeat(65)],
        ] {
            assert!(
                detail(header_key(&headers(bad))).starts_with("Idempotency-Key: "),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_lent_key_is_a_key_or_none() {
        let lent = |value: &str| {
            let headers = [(
                HeaderName::from_static("idempotency-key-fallback"),
                value.parse().expect("a value"),
            )];
            lent_key(&headers.into_iter().collect())
        };
        assert_eq!(lent("k").as_ref().map(RequestId::as_str), Some("k"));
        for none in ["", "a b", &"k".repeat(65)] {
            assert_eq!(lent(none), None, "{none}");
        }
        assert_eq!(lent_key(&HeaderMap::new()), None);
    }
}
