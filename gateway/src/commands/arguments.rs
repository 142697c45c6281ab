//! Values of arguments and options: each parser says what it expects in words of its own, whatever the
//! parser beneath it says.
use hyper::Uri;
use jiff::SignedDuration;
use market::UserId;

/// No prize has more units; what all shards count together stays far below 63 bits.
const UNITS_MAX: u64 = 1_000_000_000_000;

/// A reason: it says something, and is one line in the record.
pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        return Err("expected a few words that say why, for whoever reads the record");
    }
    one_line(text)
}

/// Who makes a change.
pub(super) fn who(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        return Err("expected a name, for whoever reads the record; leave --who out for your own");
    }
    one_line(text)
}

fn one_line(text: &str) -> Result<String, &'static str> {
    if text.chars().any(char::is_control) {
        return Err("expected one line without control characters");
    }
    Ok(text.to_owned())
}

/// A time such as `10m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, &'static str> {
    let lasts = text.parse::<SignedDuration>().ok().and_then(|lasts| u64::try_from(lasts.as_secs()).ok());
    lasts.filter(|&seconds| seconds > 0).ok_or("expected a time of at least one second, such as 90s, 10m or 2h")
}

/// Units of a prize.
pub(super) fn units(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|units| (1..=UNITS_MAX).contains(units));
    number.ok_or_else(|| format!("expected an integer from 1 to {UNITS_MAX}"))
}

/// A user id. It is shown escaped: a space at its end would not be seen.
pub(super) fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| format!("a user id {error}"))
}

/// The admin address of a server, whose port has no default.
pub(super) fn admin_address(text: &str) -> Result<Uri, &'static str> {
    const EXPECTED: &str = "expected the admin address of a server, such as http://127.0.0.1:8092";
    let address: Uri = text.parse().map_err(|_| EXPECTED)?;
    let is_bare = matches!(address.path(), "" | "/") && address.query().is_none();
    let is_http = address.scheme_str().is_none_or(|scheme| scheme == "http");
    let has_port = address.authority().is_some_and(|authority| authority.port_u16().is_some());
    if is_bare && is_http && has_port { Ok(address) } else { Err(EXPECTED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parser_takes_what_it_names() {
        assert_eq!((seconds("90s"), seconds("10m"), seconds("2h")), (Ok(90), Ok(600), Ok(7_200)));
        assert_eq!((units("1").as_ref(), units("1000000000000").as_ref()), (Ok(&1), Ok(&1_000_000_000_000)));
        for good in ["http://127.0.0.1:8092", "http://gateway-0:8092/", "localhost:8092", "http://[::1]:8092"] {
            assert!(admin_address(good).is_ok(), "{good}");
        }
        assert!(reason("a slip").is_ok() && who("alice").is_ok() && user("u 1").is_ok());
    }

    #[test]
    fn and_nothing_else() {
        for bad in ["", "10", "10x", "-5m", "0s", "100ms"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        for bad in ["", "0", "-1", "1.5", "x", "1000000000001", "99999999999999999999"] {
            assert!(units(bad).is_err(), "{bad}");
        }
        for bad in ["", "nonsense", "/readyz", "http://127.0.0.1", "ftp://h:1", "http://h:8092/metrics", "http://h:x"] {
            assert!(admin_address(bad).is_err(), "{bad}");
        }
        for bad in ["", " ", "\t", "two\nlines", "\u{1b}[31mred"] {
            assert!(reason(bad).is_err() && who(bad).is_err(), "{bad:?}");
        }
    }
}
