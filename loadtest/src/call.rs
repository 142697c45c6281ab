//! The draw call as bytes, for the gateway and for other implementations of the reference's API.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::str::FromStr;

/// Makes a user's id of the user's number: a string with one `{}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserPattern {
    before: String,
    after: String,
}

const PATTERN_CHARS_MAX: usize = 64;

impl FromStr for UserPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
        match text.split_once("{}") {
            Some((before, after))
                if !after.contains("{}")
                    && text.chars().all(plain)
                    && text.len() <= PATTERN_CHARS_MAX =>
            {
                Ok(Self {
                    before: before.to_owned(),
                    after: after.to_owned(),
                })
            }
            _ => Err(format!(
                "must have {{}} once, and be at most {PATTERN_CHARS_MAX} visible ASCII characters without quotes and \
                 backslashes"
            )),
        }
    }
}

impl UserPattern {
    /// `u0`, `u1`, ...
    pub(crate) fn usual() -> Self {
        Self {
            before: "u".to_owned(),
            after: String::new(),
        }
    }

    pub(crate) fn name(&self, user: u64) -> String {
        format!("{}{user}{}", self.before, self.after)
    }
}

/// Reads the path of a call.
pub(crate) fn parse_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("must begin with / and be visible ASCII characters".to_owned())
}

/// Makes the key of each arrival of a run: 24 hexadecimal digits, 10 of the run and 14 of the
/// arrival. All keys of a run have one prefix, so its rows can be counted in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunKeys(u64);

impl RunKeys {
    pub(crate) fn new(run: u64) -> Self {
        Self(run & 0xff_ffff_ffff)
    }

    /// The prefix of all keys.
    pub(crate) fn prefix(self) -> String {
        format!("{:010x}", self.0)
    }

    pub(crate) fn write(self, arrival: u64, key: &mut String) {
        key.clear();
        // Writing to a String or a Vec cannot fail, here and below.
        let _ = write!(key, "{:010x}{arrival:014x}", self.0);
    }
}

/// The fixed parts of a call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    head: Vec<u8>,
    before_user: Vec<u8>,
    after_user: Vec<u8>,
}

impl Call {
    /// `more` are the numbers that each call has beside its user and activity.
    pub(crate) fn new(
        address: SocketAddr,
        path: &str,
        users: &UserPattern,
        activity: u64,
        more: &[(&str, u64)],
    ) -> Self {
        let mut fields = String::new();
        for (name, number) in more {
            // Writing to a String cannot fail.
            let _ = write!(fields, r#","{name}":{number}"#);
        }
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
        );
        Self {
            head: head.into_bytes(),
            before_user: format!(r#"{{"userId":"{}"#, users.before).into_bytes(),
            after_user: format!(r#"{}","activityId":{activity}{fields}}}"#, users.after)
                .into_bytes(),
        }
    }

    /// Writes the whole request. Sending it again is a retry with the same key.
    pub(crate) fn write(&self, user: u64, key: Option<&str>, request: &mut Vec<u8>) {
        request.clear();
        request.extend_from_slice(&self.head);
        if let Some(key) = key {
            let _ = write!(request, "Idempotency-Key: {key}\r\n");
        }
        let digits = user.checked_ilog10().unwrap_or(0) as usize + 1;
        let body_len = self.before_user.len() + digits + self.after_user.len();
        let _ = write!(request, "Content-Length: {body_len}\r\n\r\n");
        request.extend_from_slice(&self.before_user);
        let _ = write!(request, "{user}");
        request.extend_from_slice(&self.after_user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, pattern: &str, user: u64, key: Option<&str>) -> String {
        let pattern = pattern.parse().expect(pattern);
        let call = Call::new(
            "127.0.0.1:1".parse().expect("an address"),
            path,
            &pattern,
            7,
            &[],
        );
        let mut request = Vec::new();
        call.write(user, key, &mut request);
        String::from_utf8(request).expect("text")
    }

    #[test]
    fn a_call_has_its_path_user_and_key() {
        for user in [0, 9, 10, 1_000_000] {
            let text = text("/draw?x=1", "load-{}@x", user, Some("K"));
            let (head, body) = text.split_once("\r\n\r\n").expect("a body");
            assert_eq!(
                body,
                format!(r#"{{"userId":"load-{user}@x","activityId":7}}"#)
            );
            assert!(
                head.starts_with("POST /draw?x=1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"),
                "{head}"
            );
            assert!(head.contains("\r\nIdempotency-Key: K\r\n"), "{head}");
            assert!(
                head.ends_with(&format!("Content-Length: {}", body.len())),
                "{head}"
            );
        }
        assert!(!text("/", "u{}", 1, None).contains("Idempotency-Key"));
    }

    #[test]
    fn patterns_and_paths_that_break_a_request_are_refused() {
        for pattern in ["u", "", "{}{}", "a b{}", "\"{}", "\\{}", "é{}", "u\n{}"] {
            assert!(pattern.parse::<UserPattern>().is_err(), "{pattern:?}");
        }
        assert!(
            format!("{}{{}}", "x".repeat(63))
                .parse::<UserPattern>()
                .is_err()
        );
        for path in ["", "draw", "/a b", "/a\r\nX: y"] {
            assert!(parse_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn keys_of_a_run_have_one_prefix_and_end_with_the_arrival() {
        let keys = RunKeys::new(0xff_0000_0abc_def0);
        let mut key = String::new();
        keys.write(255, &mut key);
        assert_eq!(key, "00000abcdef0000000000000ff"[2..]);
        assert!(key.len() == 24 && key.starts_with(&keys.prefix()));
    }
}
