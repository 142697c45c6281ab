//! The requests of a closed loop's connections.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use testkit::random::SplitMix64;

use crate::call::{Call, UserPattern};
use crate::mix::{self, CallKind};
use crate::signed::{AppKey, SignedReports};

/// What requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequestCase {
    /// A draw, with a key of its own.
    Draw,
    /// The user's chances in the activity.
    Account,
    /// A sign-in, by a user who has never been there.
    SignIn,
    /// A purchase of chances, by a user who has signed in over the same connection.
    Exchange,
    /// A behaviour that an application reports.
    Report,
    /// 70 draws, 20 queries and 10 sign-ins, purchases and reports in a hundred.
    Mixed,
}

impl RequestCase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            one => one.kind().name(),
        }
    }

    /// Whether it has reports of an application.
    pub(crate) fn reports(self) -> bool {
        matches!(self, Self::Report | Self::Mixed)
    }

    /// Whether it has purchases, whose users must have signed in before.
    fn buys(self) -> bool {
        matches!(self, Self::Exchange | Self::Mixed)
    }

    /// The kind of all its calls, or of most.
    fn kind(self) -> CallKind {
        match self {
            Self::Draw | Self::Mixed => CallKind::Draw,
            Self::Account => CallKind::Account,
            Self::SignIn => CallKind::SignIn,
            Self::Exchange => CallKind::Exchange,
            Self::Report => CallKind::Report,
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

/// The fixed parts of all calls of a run, which its connections share.
#[derive(Debug)]
pub(crate) struct Calls {
    /// In the order of [`CallKind::ALL`]. That of reports is not used.
    by_kind: Vec<Call>,
    reports: Option<SignedReports>,
}

/// What calls are about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) activity: u64,
    /// The count of draws that each draw call has, if it has one.
    pub(crate) count: Option<u8>,
    /// The sku that is bought.
    pub(crate) sku: u64,
    /// For cases with reports.
    pub(crate) app_key: Option<AppKey>,
}

impl Subject {
    /// For cases without purchases and reports.
    pub(crate) fn draws(activity: u64) -> Self {
        Self {
            activity,
            count: None,
            sku: 0,
            app_key: None,
        }
    }
}

impl Calls {
    pub(crate) fn new(address: SocketAddr, subject: Subject) -> Self {
        let call = |kind: CallKind| {
            let count = subject.count.map(|count| ("count", u64::from(count)));
            let more = match kind {
                CallKind::Draw => count,
                CallKind::Exchange => Some(("sku", subject.sku)),
                _ => None,
            };
            let users = UserPattern::usual();
            Call::new(
                address,
                &kind.path(),
                &users,
                subject.activity,
                more.as_slice(),
            )
        };
        Self {
            by_kind: CallKind::ALL.into_iter().map(call).collect(),
            reports: subject.app_key.map(|key| SignedReports::new(address, key)),
        }
    }
}

/// The users who sign in over one connection, each once, and buy afterwards. They are no users of
/// other connections and runs, and have numbers far above those of the users who draw.
#[derive(Clone, Debug)]
struct Visitors {
    first: u64,
    signed_in: u64,
}

impl Visitors {
    fn new(run: u64, connection: u16) -> Self {
        let run = (run & 0x7f_ffff) | 0x80_0000;
        Self {
            first: run << 40 | u64::from(connection) << 26,
            signed_in: 0,
        }
    }

    /// One who has not been there.
    fn next(&mut self) -> u64 {
        self.signed_in += 1;
        self.first + self.signed_in - 1
    }

    /// One who has signed in.
    fn any(&self, random: &mut SplitMix64) -> u64 {
        self.first + random.below(self.signed_in)
    }
}

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Requests {
    case: RequestCase,
    calls: Arc<Calls>,
    keys: Keys,
    visitors: Visitors,
    /// So many users sign in before others buy.
    buyers: u64,
    /// Chooses kinds of calls, and who buys.
    random: SplitMix64,
    kind: CallKind,
    key: String,
    buffer: Vec<u8>,
}

impl Requests {
    /// In a case with purchases the first `buyers` requests are sign-ins.
    pub(crate) fn new(case: RequestCase, calls: Arc<Calls>, keys: Keys, buyers: u64) -> Self {
        Self {
            case,
            calls,
            visitors: Visitors::new(keys.run, keys.connection),
            buyers: if case.buys() { buyers.max(1) } else { 0 },
            random: SplitMix64::stream(keys.run, u64::from(keys.connection)),
            kind: case.kind(),
            key: String::with_capacity(24),
            buffer: Vec::with_capacity(512),
            keys,
        }
    }

    /// Draws in an activity, and nothing else.
    pub(crate) fn draws(address: SocketAddr, activity: u64, keys: Keys) -> Self {
        let calls = Arc::new(Calls::new(address, Subject::draws(activity)));
        Self::new(RequestCase::Draw, calls, keys, 0)
    }

    /// The whole next request. It is of the user `u<user>`, unless its kind has users of its own.
    pub(crate) fn next(&mut self, user: u64) -> &[u8] {
        self.kind = match self.case {
            _ if self.visitors.signed_in < self.buyers => CallKind::SignIn,
            RequestCase::Mixed => mix::choose(&mut self.random),
            one => one.kind(),
        };
        let user = match self.kind {
            CallKind::SignIn => self.visitors.next(),
            CallKind::Exchange => self.visitors.any(&mut self.random),
            _ => user,
        };
        let has_key = self.kind.is_command();
        if has_key {
            self.keys.write_next(&mut self.key);
        }
        if self.kind == CallKind::Report
            && let Some(reports) = &self.calls.reports
        {
            reports.write(user, &self.key, &mut self.buffer);
        } else {
            let call = &self.calls.by_kind[self.kind.index()];
            call.write(user, has_key.then_some(&self.key), &mut self.buffer);
        }
        &self.buffer
    }

    /// The kind of the last request.
    pub(crate) fn kind(&self) -> CallKind {
        self.kind
    }

    /// The key of the last command.
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

    fn calls(count: Option<u8>) -> Arc<Calls> {
        let address = "127.0.0.1:1".parse().expect("an address");
        let subject = Subject {
            count,
            sku: 9,
            ..Subject::draws(200_001)
        };
        Arc::new(Calls::new(address, subject))
    }

    fn requests(case: RequestCase) -> Requests {
        Requests::new(case, calls(None), Keys::new(0xabc, 0x10), 2)
    }

    fn next(requests: &mut Requests, user: u64) -> (CallKind, String) {
        let text = String::from_utf8(requests.next(user).to_vec()).expect("text");
        (requests.kind(), text)
    }

    /// The user of a request.
    fn user_of(text: &str) -> u64 {
        let id = text.split("\"userId\":\"u").nth(1).expect("a user");
        let id = id.split('"').next().expect("an id");
        id.parse().expect("a number")
    }

    #[test]
    fn a_draw_is_complete_and_its_length_right_for_every_number_of_digits() {
        let mut requests = requests(RequestCase::Draw);
        for user in [0, 9, 10, 999_999, 1_000_000] {
            let (_, text) = next(&mut requests, user);
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
        let mut requests = Requests::new(RequestCase::Draw, calls(Some(10)), Keys::new(1, 1), 0);
        let (_, text) = next(&mut requests, 5);
        assert!(
            text.ends_with("\r\n\r\n{\"userId\":\"u5\",\"activityId\":200001,\"count\":10}"),
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
        let (_, text) = next(&mut requests, 5);
        assert!(text.starts_with("POST /api/v1/raffle/activity/query_user_activity_account "));
        assert!(!text.contains("Idempotency-Key"));
    }

    #[test]
    fn each_user_signs_in_once_and_is_no_user_of_another_connection_or_run() {
        let mut users = std::collections::HashSet::new();
        for (run, connection) in [(1, 0), (1, 1), (2, 0), (0, 10_000)] {
            let keys = Keys::new(run, connection);
            let mut requests = Requests::new(RequestCase::SignIn, calls(None), keys, 0);
            for _ in 0..100 {
                let (kind, text) = next(&mut requests, 5);
                assert_eq!(kind, CallKind::SignIn);
                assert!(users.insert(user_of(&text)), "{text}");
                assert!(user_of(&text) > 1_000_000_000);
            }
        }
    }

    #[test]
    fn only_users_who_have_signed_in_buy() {
        for case in [RequestCase::Exchange, RequestCase::Mixed] {
            let mut requests = requests(case);
            let mut signed_in = std::collections::HashSet::new();
            let mut bought = 0;
            for number in 0..5_000 {
                let (kind, text) = next(&mut requests, 5);
                assert!(number >= 2 || kind == CallKind::SignIn, "{kind:?}");
                match kind {
                    CallKind::SignIn => assert!(signed_in.insert(user_of(&text))),
                    CallKind::Exchange => {
                        bought += 1;
                        assert!(text.ends_with(",\"sku\":9}"), "{text}");
                        assert!(signed_in.contains(&user_of(&text)));
                    }
                    // Without an application's key reports are not signed.
                    _ => assert_eq!(user_of(&text), 5),
                }
            }
            assert!(bought > 50, "{case:?}: {bought}");
        }
    }
}
