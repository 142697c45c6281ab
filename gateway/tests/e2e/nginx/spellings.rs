//! One list of spellings, sent to a gateway alone, through nginx, and through nginx while the
//! gateway stands still: what is a draw for one of them is a draw for the other, and under the same
//! key.
use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::*;
use crate::support::Envelope;

const ACTIVITY: u64 = 200_003;
const BASE: &str = "/api/v1/raffle/";

/// In targets and bodies stands this for the user of a case.
const USER: &str = "USER";

/// What nginx can know of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A draw, whose key can be named.
    Draw,
    /// A draw whose key cannot be named: nothing in nginx could decode or escape it.
    Untold,
    /// It changes nothing.
    Read,
    /// A report of an application, whose key no answer names.
    Report,
    /// nginx cannot know what it does.
    Unknown,
    /// nginx itself refuses it.
    Refused,
}

/// A spelling of a call.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    kind: Kind,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    /// Sent in chunks of this number of bytes.
    chunk: Option<usize>,
}

impl Case {
    fn post(name: &'static str, kind: Kind, target: &str, body: impl Into<String>) -> Self {
        let headers = vec![("Content-Type", "application/json")];
        Self {
            name,
            kind,
            method: "POST",
            target: target.to_owned(),
            headers,
            body: body.into(),
            chunk: None,
        }
    }

    /// A call by another path, with the body of a draw.
    fn path(target: &'static str, kind: Kind) -> Self {
        Self::post(target, kind, &format!("{BASE}{target}"), plain_body())
    }

    fn draw(name: &'static str, kind: Kind, body: impl Into<String>) -> Self {
        Self::post(name, kind, &format!("{BASE}activity/draw"), body)
    }

    fn keyed(name: &'static str, kind: Kind, keys: &[&'static str]) -> Self {
        let mut case = Self::draw(name, kind, plain_body());
        case.headers
            .extend(keys.iter().map(|key| ("Idempotency-Key", *key)));
        case
    }

    fn get(target: &'static str, kind: Kind) -> Self {
        let target = format!("{BASE}{target}");
        Self {
            name: "get",
            kind,
            method: "GET",
            target,
            headers: Vec::new(),
            body: String::new(),
            chunk: None,
        }
    }

    fn chunked(self, size: usize) -> Self {
        Self {
            chunk: Some(size),
            ..self
        }
    }

    fn bytes(&self, user: &str) -> Vec<u8> {
        let request = Request::raw(self.method, &self.target.replace(USER, user));
        let headers = self.headers.iter();
        let request = headers.fold(request, |request, (name, value)| {
            request.header(name, *value)
        });
        let request = request.with_body(self.body.replace(USER, user));
        self.chunk
            .map_or_else(|| request.bytes(), |size| request.chunked_bytes(size))
    }
}

fn plain_body() -> String {
    json!({"userId": USER, "activityId": ACTIVITY}).to_string()
}

/// The body of a draw with more in it, as it is spelled.
fn body_with(more: &str) -> String {
    format!("{{\"userId\":\"{USER}\",\"activityId\":{ACTIVITY},{more}}}")
}

/// The body of a draw with this number of bytes, for users whose names have the length of the
/// placeholder.
fn body_of(bytes: usize) -> String {
    let bare = body_with("\"x\":\"\"");
    body_with(&format!("\"x\":\"{}\"", "x".repeat(bytes - bare.len())))
}

fn paths() -> Vec<Case> {
    use Kind::{Draw, Read, Report, Unknown};
    let draws = [
        "activity/draw",
        "activity/draw/",
        "activity/draw?x=1",
        "activity/draw/?x",
        "activity/draw#x",
    ];
    let by_token = ["activity/draw_by_token", "activity/draw_by_token/"];
    let others = [
        "activity/draw//",
        "/activity/draw",
        "activity//draw",
        "./activity/draw",
        "x/../activity/draw",
        "activity/%64raw",
        "activity%2Fdraw",
        "activity/draw%2F",
        "activity/draw%20",
        "activity/draw;x",
        "activity/DRAW",
        "Activity/draw",
        "activity/draws",
        "activity/drawten",
        "draw",
    ];
    let reads = [
        "activity/query_user_activity_account",
        "activity/query_user_activity_account/",
        "strategy/query_raffle_award_list",
    ];
    let mut cases: Vec<_> = draws
        .into_iter()
        .chain(by_token)
        .map(|path| Case::path(path, Draw))
        .collect();
    cases.extend(others.map(|path| Case::path(path, Unknown)));
    cases.extend(reads.map(|path| Case::path(path, Read)));
    cases.extend(["rebate/rebate", "rebate/rebate/"].map(|path| Case::path(path, Report)));
    let gets = [
        "activity/draw_record?userId=USER&requestId=none",
        "activity/draw_record/?userId=USER&requestId=none",
        "activity/draw_record?userId=USER&requestId=none&requestId=none",
        "activity/draw_record?userId=USER&userId=other&requestId=none",
        "activity/armory?activityId=200003",
        "activity/draw",
        "nowhere",
    ];
    cases.extend(gets.map(|path| Case::get(path, Read)));
    let absolute = format!("http://drawbridge.test{BASE}activity/draw");
    cases.push(Case::post("absolute", Draw, &absolute, plain_body()));
    cases
}

fn keys() -> Vec<Case> {
    use Kind::{Draw, Untold};
    const LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123";
    let quoted = |key: &str| format!("\"requestId\":{key}");
    let headers: [(_, _, &[&str]); 9] = [
        ("a key", Draw, &["key"]),
        ("a long key", Draw, &[LONG]),
        ("a key twice", Draw, &["key", "key"]),
        ("two keys", Draw, &["key", "other"]),
        ("an empty key", Draw, &[""]),
        (
            "too long a key",
            Draw,
            &["01234567890123456789012345678901234567890123456789012345678901234"],
        ),
        ("a key with a space", Draw, &["a b"]),
        ("a key that is not ASCII", Draw, &["\u{fa}"]),
        ("a key with a quote and a backslash", Untold, &["a\"b\\c"]),
    ];
    let bodies: [(_, _, &str); 14] = [
        ("a key in the body", Draw, "\"key\""),
        ("a number for a key", Draw, "17"),
        ("a number with a fraction for a key", Draw, "1.50"),
        ("an escaped key", Draw, "\"\\u006b\\/\\\"\\\\\""),
        ("no key", Draw, "null"),
        ("an empty key in the body", Untold, "\"\""),
        ("a key with a space in the body", Untold, "\"a b\""),
        ("a list for a key", Untold, "[1]"),
        (
            "a key twice in the body",
            Draw,
            "\"key\",\"requestId\":\"key\"",
        ),
        (
            "two keys in the body",
            Draw,
            "\"key\",\"requestId\":\"other\"",
        ),
        ("a key behind null", Draw, "null,\"requestId\":\"key\""),
        (
            "a key behind another object",
            Draw,
            "\"key\",\"x\":{\"requestId\":\"other\"}",
        ),
        ("white space around a key", Draw, " \n\t\"key\" \r\n"),
        (
            "too long a key in the body",
            Untold,
            &format!("\"{LONG}4\""),
        ),
    ];
    let mut cases: Vec<_> = headers
        .into_iter()
        .map(|(name, kind, keys)| Case::keyed(name, kind, keys))
        .collect();
    cases.extend(bodies.map(|(name, kind, key)| Case::draw(name, kind, body_with(&quoted(key)))));
    let spelled = [
        (
            "a key inside another object",
            Draw,
            "\"x\":{\"requestId\":\"other\"}",
        ),
        (
            "a key far inside",
            Untold,
            "\"x\":{\"y\":{\"requestId\":\"other\"}}",
        ),
        (
            "a key inside a string",
            Draw,
            "\"x\":\"\\\"requestId\\\":\\\"other\\\"\"",
        ),
        (
            "a key by an escaped name",
            Untold,
            "\"request\\u0049d\":\"key\"",
        ),
        ("a key by another name", Draw, "\"requestid\":\"other\""),
    ];
    cases.extend(spelled.map(|(name, kind, more)| Case::draw(name, kind, body_with(more))));
    for (name, key) in [
        ("the same key in both", "\"key\""),
        ("another key in the body", "\"other\""),
    ] {
        let case = Case::keyed(name, Draw, &["key"]);
        cases.push(Case {
            body: body_with(&quoted(key)),
            ..case
        });
    }
    cases
}

fn bodies() -> Vec<Case> {
    use Kind::{Draw, Refused, Untold};
    let keyed = body_with("\"requestId\":\"key\"");
    vec![
        Case::draw("no body", Draw, ""),
        Case::draw("no body, in chunks", Draw, "").chunked(1),
        Case::draw("chunks", Draw, &*keyed).chunked(7),
        Case::draw("chunks of one byte", Draw, &*keyed).chunked(1),
        Case::draw("a byte order mark", Draw, format!("\u{feff}{keyed}")),
        Case::draw(
            "a byte order mark and no key",
            Draw,
            format!("\u{feff}{}", plain_body()),
        ),
        Case::draw(
            "two byte order marks",
            Draw,
            format!("\u{feff}\u{feff}{}", plain_body()),
        ),
        Case::draw("no JSON", Draw, "no JSON"),
        Case::draw("a list", Draw, "[1]"),
        Case::draw("half an object", Untold, "{\"userId\":\"USER\""),
        Case::draw("a user twice", Draw, body_with("\"userId\":\"USER\"")),
        Case::draw("two users", Draw, body_with("\"userId\":\"other\"")),
        Case::draw("as large as may be", Draw, body_of(4096)),
        Case::draw("too large", Refused, body_of(4097)),
        Case::draw("too large, in chunks", Refused, body_of(4097)).chunked(1000),
    ]
}

fn cases() -> Vec<Case> {
    let cases = [paths(), keys(), bodies()].concat();
    // Each has a user of its own: as long as the placeholder, for the sizes of bodies.
    assert!(cases.len() < 100);
    cases
}

/// The user of a case at one of the places, as long as the placeholder.
fn user(place: char, number: usize) -> String {
    format!("{place}{number:03}")
}

/// What must not differ.
fn essence(answer: &Response) -> (u16, String, bool) {
    let Envelope {
        status,
        code,
        request,
        ..
    } = answer.envelope_of_any_status();
    (status, code, request.is_some())
}

#[tokio::test]
async fn a_call_is_the_same_through_nginx_however_it_is_spelled() {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let server = Server::start_with(&place, "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n").await;
    let short = [(
        "server.conf",
        "proxy_read_timeout 6s;",
        "proxy_read_timeout 2s;",
    )];
    let form = Form {
        changes: &short,
        ..Form::shaped(Shape::Plain, server.listen)
    };
    let nginx = Nginx::start(&place, "plain", &form).await;
    let cases = cases();
    let mut drawn = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut alone = server.connect().await;
        let _ = alone.send(&case.bytes(&user('a', number))).await;
        let alone = alone.receive().await.expect("an answer");
        let through = nginx
            .send_bytes(&case.bytes(&user('b', number)))
            .await
            .expect("an answer");
        assert_eq!(
            essence(&through),
            essence(&alone),
            "{}: {case:?}: {} {}",
            case.name,
            through.text(),
            alone.text()
        );
        let (reported, alone) = (through.envelope(), alone.envelope());
        if reported.code == "0000" && reported.request.is_some() {
            drawn.push(number);
            let record = Request::record(&user('b', number), "requestId", reported.key());
            server.ask(&record).await.expect(200, "0000");
        }
        // A key of the caller's is the caller's for both; one that was made is another each time.
        if reported.request.as_ref().is_some_and(|key| key.len() != 32) {
            assert_eq!(reported.request, alone.request, "{case:?}");
        }
    }
    assert!(drawn.len() > 25, "{drawn:?}");
    frozen(&server, &nginx, &cases, &drawn).await;
    server.stop().await;
}

/// The same calls while the gateway stands still, and what has become of them once it goes on.
async fn frozen(server: &Server, nginx: &Nginx, cases: &[Case], drawn: &[usize]) {
    server.signal("STOP").await;
    let mut calls = JoinSet::new();
    for (number, case) in cases.iter().enumerate() {
        let (address, bytes) = (nginx.listen, case.bytes(&user('c', number)));
        calls.spawn(async move {
            let mut connection = Connection::open(address).await.expect("a connection");
            let _ = connection.send(&bytes).await;
            (
                number,
                connection.receive().await.expect("an answer").envelope(),
            )
        });
    }
    let answers: BTreeMap<_, _> = calls.join_all().await.into_iter().collect();
    server.signal("CONT").await;
    for (number, answer) in &answers {
        let case = &cases[*number];
        let reported = (
            answer.status,
            answer.code.as_str(),
            answer.request.is_some(),
        );
        let expected = match case.kind {
            Kind::Draw | Kind::Unknown => (504, "ERR_GW_006", true),
            Kind::Untold | Kind::Report => (504, "ERR_GW_006", false),
            Kind::Read => (503, "ERR_GW_009", false),
            Kind::Refused => (413, "ERR_REQ_006", true),
        };
        assert_eq!(reported, expected, "{case:?}: {}", answer.body);
    }
    // The answers do not say so, but they are drawn: each under the key that its answer names.
    for number in drawn {
        let Some(key) = &answers[number].request else {
            continue;
        };
        let record = Request::record(&user('c', *number), "requestId", key);
        let what = format!("{:?} is drawn under {key}", cases[*number]);
        eventually(&what, Duration::from_secs(20), async || {
            (server.ask(&record).await.code == "0000").then_some(())
        })
        .await;
    }
}
