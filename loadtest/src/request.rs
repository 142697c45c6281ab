//! The requests of a closed loop's connections.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use testkit::random::SplitMix64;

use crate::call::{Call, UserPattern};

/// The kind of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequestCase {
    /// A draw, with a key of its own.
    Draw,
    /// The user's chances in the activity.
    Account,
}

impl RequestCase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Draw => "draw",
            Self::Account => "account",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Draw => "/api/v1/raffle/activity/draw",
            Self::Account => "/api/v1/raffle/activity/query_user_activity_account",
        }
    }
}

/// Makes the keys of one connection: 24 hexadecimal digits, 10 of the run, 4 of the connection, 10
/// of the request. The run's part differs between runs. Otherwise a second run over the same data
/// would measure replays of the first one's draws.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    run: u64,
    connection: u16,
    next: u64,
}

impl Keys {
    pub(crate) fn new(run: u64, connection: u16) -> Self {
        let run = run & 0xff_ffff_ffff;
        Self {
            run,
            connection,
            next: 0,
        }
    }

    fn write_next(&mut self, key: &mut String) {
        key.clear();
        // Writing to a String cannot fail.
        let _ = write!(
            key,
            "{:010x}{:04x}{:010x}",
            self.run, self.connection, self.next
        );
        self.next += 1;
    }
}

/// A number that almost certainly no other run has: the time in nanoseconds, mixed with the process
/// id.
pub(crate) fn run_tag() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let nanos = u64::from(now.subsec_nanos());
    let seed = now
        .as_secs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(nanos);
    SplitMix64::stream(seed, u64::from(std::process::id())).next_u64()
}

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Requests {
    case: RequestCase,
    keys: Keys,
    call: Call,
    key: String,
    buffer: Vec<u8>,
}

impl Requests {
    /// `count` is the count of draws that each request has, if it has one.
    pub(crate) fn new(
        case: RequestCase,
        address: SocketAddr,
        activity: u64,
        count: Option<u8>,
        keys: Keys,
    ) -> Self {
        Self {
            case,
            keys,
            call: Call::new(address, case.path(), &UserPattern::usual(), activity, count),
            key: String::with_capacity(24),
            buffer: Vec::with_capacity(512),
        }
    }

    /// The whole next request, for the user `u<user>`.
    pub(crate) fn next(&mut self, user: u64) -> &[u8] {
        if self.case == RequestCase::Draw {
            self.keys.write_next(&mut self.key);
        }
        let key = (self.case == RequestCase::Draw).then_some(&*self.key);
        self.call.write(user, key, &mut self.buffer);
        &self.buffer
    }

    /// The key of the last request.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

/// A GET without a body.
pub(crate) fn get(address: SocketAddr, path_and_query: &str) -> Vec<u8> {
    format!("GET {path_and_query} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(case: RequestCase) -> Requests {
        let address = "127.0.0.1:1".parse().expect("an address");
        Requests::new(case, address, 200_001, None, Keys::new(0xabc, 0x10))
    }

    #[test]
    fn a_draw_is_complete_and_its_length_right_for_every_number_of_digits() {
        let mut requests = requests(RequestCase::Draw);
        for user in [0, 9, 10, 999_999, 1_000_000] {
            let text = String::from_utf8(requests.next(user).to_vec()).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a body");
            assert_eq!(
                body,
                format!(r#"{{"userId":"u{user}","activityId":200001}}"#)
            );
            assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
            assert!(head.starts_with(
                "POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
            ));
            assert!(head.contains(&format!("\r\nIdempotency-Key: {}\r\n", requests.key())));
        }
    }

    #[test]
    fn a_call_for_several_draws_has_their_count() {
        let address = "127.0.0.1:1".parse().expect("an address");
        let mut requests = Requests::new(RequestCase::Draw, address, 7, Some(10), Keys::new(1, 1));
        let text = String::from_utf8(requests.next(5).to_vec()).expect("text");
        assert!(
            text.ends_with("\r\n\r\n{\"userId\":\"u5\",\"activityId\":7,\"count\":10}"),
            "{text}"
        );
    }

    #[test]
    fn keys_are_24_characters_and_differ() {
        let mut requests = requests(RequestCase::Draw);
        requests.next(1);
        assert_eq!(requests.key(), "0000000abc00100000000000");
        requests.next(1);
        assert_eq!(requests.key(), "0000000abc00100000000001");
    }

    #[test]
    fn a_query_has_no_key() {
        let mut requests = requests(RequestCase::Account);
        let text = String::from_utf8(requests.next(5).to_vec()).expect("text");
        assert!(text.starts_with("POST /api/v1/raffle/activity/query_user_activity_account "));
        assert!(!text.contains("Idempotency-Key"));
    }
}
