//! Requests that two readers may cut differently: refused, or read in one way only; and what hides
//! in them is never executed.
use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::cluster::ask;
use crate::support::{Cluster, Connection, Place, Request, Server};

/// The user of the request that hides.
const HIDDEN: &str = "hidden";

/// What becomes of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handling {
    /// One answer with this status, and the connection is closed.
    Answered(u16),
    /// Closed without an answer, or refused with one of 400, 413, 431, 501.
    Refused,
}

use Handling::{Answered, Refused};

/// A draw of the user who hides, whole.
fn hidden() -> String {
    let draw = Request::draw(HIDDEN, LOAD_ACTIVITY, HIDDEN).bytes();
    String::from_utf8(draw).expect("text")
}

/// A head of a draw, and what comes after it.
fn draw(framing: &str, rest: &str) -> String {
    format!(
        "POST /api/v1/raffle/activity/draw HTTP/1.1\r\nHost: x\r\nIdempotency-Key: seen\r\n{framing}\r\n\r\n{rest}"
    )
}

/// The body of a draw that may be made.
fn body() -> String {
    format!("{{\"userId\":\"seen\",\"activityId\":{LOAD_ACTIVITY}}}")
}

/// Bytes as one chunk, its size spelled by `size`.
fn chunk(text: &str, size: impl Fn(usize) -> String) -> String {
    format!("{}\r\n{text}\r\n", size(text.len()))
}

fn hex(size: usize) -> String {
    format!("{size:x}")
}

/// Two ways to give the length of a body, or one that is spelled strangely. The hidden request
/// begins where the other way ends the body.
fn lengths() -> Vec<(&'static str, String, Handling)> {
    let (hidden, body) = (hidden(), body());
    let (short, all) = (body.len(), body.len() + hidden.len());
    let chunked = format!("{}0\r\n\r\n", chunk(&body, hex));
    let both = |first: &str, second: &str| {
        draw(
            &format!("{first}\r\n{second}"),
            &format!("{chunked}{hidden}"),
        )
    };
    let te = "Transfer-Encoding: chunked";
    let length = format!("Content-Length: {}", chunked.len() + hidden.len());
    let spelled = |value: &str| {
        draw(
            &format!("Content-Length: {value}"),
            &format!("{body}{hidden}"),
        )
    };
    let coded = |value: &str| {
        draw(
            &format!("Transfer-Encoding: {value}"),
            &format!("{chunked}{hidden}"),
        )
    };
    vec![
        // RFC 9112, 6.3: the chunks count, and the connection is closed after the answer.
        ("length, then chunks", both(&length, te), Answered(200)),
        ("chunks, then length", both(te, &length), Answered(200)),
        (
            "a short length and chunks",
            both("Content-Length: 4", te),
            Answered(200),
        ),
        (
            "a wrong length and chunks",
            both("Content-Length: x", te),
            Refused,
        ),
        (
            "two lengths, the short one first",
            spelled(&format!("{short}\r\nContent-Length: {all}")),
            Refused,
        ),
        (
            "two lengths, the long one first",
            spelled(&format!("{all}\r\nContent-Length: {short}")),
            Refused,
        ),
        (
            "two lengths in one",
            spelled(&format!("{short}, {all}")),
            Refused,
        ),
        (
            "a length twice in one",
            spelled(&format!("{short}, {short}")),
            Refused,
        ),
        ("a plus", spelled(&format!("+{short}")), Refused),
        ("a minus", spelled(&format!("-{short}")), Refused),
        (
            "a hexadecimal length",
            spelled(&format!("0x{short:x}")),
            Refused,
        ),
        ("a fraction", spelled(&format!("{short}.0")), Refused),
        ("two numbers", spelled(&format!("{short} {all}")), Refused),
        ("no number", spelled(""), Refused),
        (
            "a length of 2^64 and more",
            spelled(&format!("1844674407370955{:04}", 1616 + short)),
            Refused,
        ),
        ("another digit", spelled("٥"), Refused),
        ("a coding after chunks", coded("chunked, identity"), Refused),
        ("no chunks", coded("identity"), Refused),
        ("an unknown coding", coded("xchunked"), Refused),
        ("a quoted coding", coded("\"chunked\""), Refused),
        (
            "a coding with a control character",
            coded("\x0bchunked"),
            Refused,
        ),
        (
            "chunks and another header for identity",
            coded("chunked\r\nTransfer-Encoding: identity"),
            Refused,
        ),
        ("a coding on a second line", coded("\r\n chunked"), Refused),
        (
            "a length on a second line",
            spelled(&format!("\r\n {all}")),
            Refused,
        ),
        (
            "a space before the colon",
            draw("Transfer-Encoding : chunked", &format!("{chunked}{hidden}")),
            Refused,
        ),
        (
            "a tab before the colon",
            draw(
                &format!("Content-Length\t: {all}"),
                &format!("{body}{hidden}"),
            ),
            Refused,
        ),
        (
            "a space before the name",
            draw(
                &format!(" Content-Length: {all}"),
                &format!("{body}{hidden}"),
            ),
            Refused,
        ),
        (
            "a zero byte in the name",
            draw(
                "Transfer-Encoding\0: chunked",
                &format!("{chunked}{hidden}"),
            ),
            Refused,
        ),
        (
            "a carriage return in a value",
            draw(&format!("X: y\rContent-Length: {all}"), &hidden),
            Refused,
        ),
        (
            "chunks in HTTP/1.0",
            coded("chunked").replacen("HTTP/1.1", "HTTP/1.0", 1),
            Refused,
        ),
        (
            "HTTP/2",
            draw("Content-Length: 0", &hidden).replacen("HTTP/1.1", "HTTP/2.0", 1),
            Refused,
        ),
    ]
}

/// Chunks that are spelled strangely. What hides follows the end that another reader might see.
fn chunks() -> Vec<(&'static str, String, Handling)> {
    let (hidden, body) = (hidden(), body());
    let chunked = |first: String| {
        draw(
            "Transfer-Encoding: chunked",
            &format!("{first}0\r\n\r\n{hidden}"),
        )
    };
    let sized = |size: &dyn Fn(usize) -> String| chunked(chunk(&body, size));
    let bare = |text: &str| draw("Transfer-Encoding: chunked", text);
    let length = body.len();
    vec![
        ("a sign", sized(&|size| format!("+{size:x}")), Refused),
        ("a prefix", sized(&|size| format!("0x{size:x}")), Refused),
        (
            "a space before",
            sized(&|size| format!(" {size:x}")),
            Refused,
        ),
        ("letters", sized(&|size| format!("{size:x}g")), Refused),
        (
            "a second number",
            sized(&|size| format!("{size:x} 0")),
            Refused,
        ),
        (
            "a size of 2^64 and more",
            sized(&|size| format!("1{size:016x}")),
            Refused,
        ),
        ("a size below zero", sized(&|_| "-1".to_owned()), Refused),
        ("no size", sized(&|_| String::new()), Refused),
        (
            "a line end in an extension",
            sized(&|size| format!("{size:x};x\ny")),
            Refused,
        ),
        (
            "lines without carriage returns",
            bare(&format!("{length:x}\n{body}\n0\n\n{hidden}")),
            Refused,
        ),
        (
            "a chunk longer than its size",
            bare(&format!("{length:x}\r\n{body}xx\r\n0\r\n\r\n{hidden}")),
            Refused,
        ),
        (
            "a chunk without its end",
            bare(&format!("{length:x}\r\n{body}0\r\n\r\n{hidden}")),
            Refused,
        ),
        (
            "a trailer without a colon",
            bare(&format!("{length:x}\r\n{body}\r\n0\r\nx\r\n\r\n{hidden}")),
            Refused,
        ),
        // Another one is right to answer both.
        (
            "HTTP/1.2",
            draw("Content-Length: 0", &hidden).replacen("HTTP/1.1", "HTTP/1.2", 1),
            Refused,
        ),
    ]
}

/// Targets and bodies that hold a whole request, which is only data.
fn data() -> Vec<(&'static str, String, Handling)> {
    let hidden = hidden();
    let length = hidden.len();
    let with_body = |line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n{hidden}")
    };
    let api = "/api/v1/raffle";
    let end = "Connection: close\r\n";
    vec![
        (
            "a draw's body",
            with_body(&format!("POST {api}/activity/draw"), end),
            Answered(400),
        ),
        (
            "the body of a GET",
            with_body(&format!("GET {api}/activity/armory?activityId=200001"), end),
            Answered(200),
        ),
        (
            "the body of a HEAD",
            with_body(
                &format!("HEAD {api}/activity/armory?activityId=200001"),
                end,
            ),
            Answered(200),
        ),
        (
            "a body for the page",
            with_body("GET /", end),
            Answered(200),
        ),
        (
            "a body for an unknown path",
            with_body("POST /nothing", end),
            Answered(404),
        ),
        (
            "a body with another method",
            with_body(&format!("PUT {api}/activity/draw"), end),
            Answered(405),
        ),
        (
            "a body of a preflight",
            with_body(&format!("OPTIONS {api}/activity/draw"), end),
            Answered(204),
        ),
        (
            "a body that waits for a word",
            with_body(
                "POST /nothing",
                "Expect: 100-continue\r\nConnection: close\r\n",
            ),
            Answered(404),
        ),
        (
            "an upgrade",
            with_body("GET /", "Connection: close, Upgrade\r\nUpgrade: h2c\r\n"),
            Answered(200),
        ),
        ("a tunnel", with_body("CONNECT x:80", end), Answered(404)),
        (
            "another authority",
            with_body(&format!("POST http://elsewhere{api}/activity/draw"), end),
            Answered(400),
        ),
        (
            "an authority alone",
            with_body("POST elsewhere:80", end),
            Answered(404),
        ),
        ("a star", with_body("POST *", end), Answered(404)),
        (
            "a line end in the target",
            format!("GET /\r\n\r\n{hidden}"),
            Refused,
        ),
        (
            "a space in the target",
            format!("GET / {api} HTTP/1.1\r\n\r\n{hidden}"),
            Refused,
        ),
        (
            "a body longer than the bound",
            format!(
                "POST {api}/activity/draw HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{}{hidden}",
                " ".repeat(66_000)
            ),
            Answered(413),
        ),
    ]
}

/// The statuses of all answers in what a connection sent.
fn statuses(answers: &str) -> Vec<u16> {
    let status = |rest: &str| {
        rest.split(' ')
            .next()
            .and_then(|status| status.parse().ok())
    };
    answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|rest| status(rest).expect("a status"))
        .collect()
}

#[tokio::test]
async fn what_hides_in_a_request_is_never_executed() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let mut wrong = Vec::new();
    for (case, bytes, handling) in lengths().into_iter().chain(chunks()).chain(data()) {
        let mut connection = server.connect().await;
        // It may have closed before all is sent.
        let _ = connection.send(bytes.as_bytes()).await;
        let answers = connection
            .closed()
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        let answers = String::from_utf8_lossy(&answers).into_owned();
        let statuses = statuses(&answers);
        let as_expected = match handling {
            Answered(status) => statuses == [status],
            Refused => statuses.is_empty() || matches!(*statuses, [400 | 413 | 431 | 501]),
        };
        if !as_expected {
            wrong.push(format!("{case}: {handling:?}, and not {statuses:?}"));
        }
        let found = server
            .ask(&Request::record(HIDDEN, "requestId", HIDDEN))
            .await;
        assert_eq!((found.status, &*found.code), (404, "ERR_REQ_002"), "{case}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    server.stop().await;
    // The one that its own caller meant, however often.
    assert_eq!(place.audited_at_rest().await, 1);
}

#[tokio::test]
async fn a_key_after_the_body_is_no_key() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let chunks = format!(
        "{}0\r\nIdempotency-Key: late\r\nuserId: other\r\n\r\n",
        chunk(&body(), hex)
    );
    let mut connection = server.connect().await;
    connection
        .send(draw("Transfer-Encoding: chunked", &chunks).as_bytes())
        .await
        .expect("sent");
    let answer = connection
        .receive()
        .await
        .expect("an answer")
        .envelope()
        .expect(200, "0000");
    assert_eq!(answer.key(), "seen");
    server
        .ask(&Request::record("seen", "requestId", "late"))
        .await
        .expect(404, "ERR_REQ_002");
}

#[tokio::test]
async fn what_hides_in_a_request_through_nginx_is_never_executed() {
    let cluster = Cluster::start().await;
    let nginx = cluster.listen("nginx");
    // Chunks end at nginx, which reads them less strictly and passes on a body of a length.
    for (case, bytes, _) in lengths().into_iter().chain(data()) {
        let mut connection = Connection::open(nginx).await.expect("a connection");
        // It may have closed before all is sent.
        let _ = connection.send(bytes.as_bytes()).await;
        let answers = connection
            .closed()
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        let mut statuses = statuses(&String::from_utf8_lossy(&answers));
        statuses.retain(|&status| status != 100);
        assert!(statuses.len() <= 1, "{case}: {statuses:?}");
    }
    for gateway in cluster.gateways() {
        ask(gateway, &Request::record(HIDDEN, "requestId", HIDDEN))
            .await
            .expect(404, "ERR_REQ_002");
    }
    assert!(cluster.audited().await <= 1);
}
