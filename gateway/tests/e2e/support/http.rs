//! A small HTTP/1.1 client: it sends whatever bytes a test wants to send.
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No answer takes this long, however busy the machine is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Below this all paths of the API lie.
const BASE: &str = "/api/v1/raffle/";

/// A request, spelled out when it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// A request for any target.
    pub fn raw(method: &'static str, target: &str) -> Self {
        Self {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request without a body to a path of the API.
    pub fn new(method: &'static str, path: &str) -> Self {
        Self::raw(method, &format!("{BASE}{path}"))
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON.
    pub fn json(path: &str, body: &Value) -> Self {
        Self::post(path, "application/json", body.to_string())
    }

    /// A POST of a form.
    pub fn form(path: &str, body: &str) -> Self {
        Self::post(path, "application/x-www-form-urlencoded", body)
    }

    /// A POST of anything.
    pub fn post(path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = Self::new("POST", path).header("Content-Type", content_type);
        Self {
            body: body.into(),
            ..request
        }
    }

    /// A draw under a key, the way the contract shows it.
    pub fn draw(user: &str, activity: u64, key: &str) -> Self {
        Self::keyless_draw(user, activity).header("Idempotency-Key", key)
    }

    pub fn keyless_draw(user: &str, activity: u64) -> Self {
        Self::json(
            "activity/draw",
            &json!({"userId": user, "activityId": activity}),
        )
    }

    /// A call for several draws.
    pub fn draws(user: &str, activity: u64, key: &str, count: u8) -> Self {
        let body = json!({"userId": user, "activityId": activity, "count": count});
        Self::json("activity/draw", &body).header("Idempotency-Key", key)
    }

    /// Asks for a draw that was made. `by` is `requestId` or `orderId`.
    pub fn record(user: &str, by: &str, id: &str) -> Self {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("userId", user)
            .append_pair(by, id)
            .finish();
        Self::get(&format!("activity/draw_record?{query}"))
    }

    /// A user's chances.
    pub fn account(user: &str, activity: u64) -> Self {
        let body = json!({"userId": user, "activityId": activity});
        Self::json("activity/query_user_activity_account", &body)
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(&format!("Content-Length: {}\r\n", self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The same with the body in chunks.
    pub fn chunked_bytes(&self, chunk_size: usize) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked\r\n");
        for chunk in self.body.chunks(chunk_size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    fn head(&self, framing: &str) -> Vec<u8> {
        let Self {
            method,
            target,
            headers,
            body,
        } = self;
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: drawbridge.test\r\n").into_bytes();
        for (name, value) in headers {
            head.extend_from_slice(format!("{name}: ").as_bytes());
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        // A GET as browsers send it says nothing of a body.
        if *method == "POST" || !body.is_empty() {
            head.extend_from_slice(framing.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What every answer of the API is.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub status: u16,
    pub code: String,
    pub info: String,
    pub request: Option<String>,
    pub data: Value,
    pub retry_after_s: Option<u64>,
    /// As it came, for comparisons to the byte.
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the other side closes the connection after this, as nginx does after a thousand
    /// requests.
    pub fn closes(&self) -> bool {
        self.header("Connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The answer as an envelope, whose status tells success from refusal.
    pub fn envelope(&self) -> Envelope {
        let envelope = self.envelope_of_any_status();
        assert_eq!(
            envelope.status == 200,
            envelope.code == "0000",
            "{envelope:?}"
        );
        envelope
    }

    /// The answer as an envelope, whatever its status.
    pub fn envelope_of_any_status(&self) -> Envelope {
        assert_eq!(
            self.header("Access-Control-Allow-Origin"),
            Some("*"),
            "{}",
            self.text()
        );
        self.envelope_for_some_origins()
    }

    /// The same of a server that lets pages of some origins call.
    pub fn envelope_for_some_origins(&self) -> Envelope {
        let body = self.text();
        assert_eq!(
            self.header("Content-Type"),
            Some("application/json"),
            "{body}"
        );
        let Ok(Value::Object(mut fields)) = serde_json::from_str(&body) else {
            panic!("no JSON object: {body}")
        };
        let mut text = |name| {
            fields
                .remove(name)
                .map(|value| value.as_str().expect("a text").to_owned())
        };
        let (code, info, request) = (text("code"), text("info"), text("requestId"));
        let data = fields.remove("data").expect("data");
        assert!(fields.is_empty(), "more than the envelope: {body}");
        let retry_after_s = self
            .header("Retry-After")
            .map(|value| value.parse().expect("seconds"));
        let (code, info) = (code.expect("a code"), info.expect("an info"));
        Envelope {
            status: self.status,
            code,
            info,
            request,
            data,
            retry_after_s,
            body,
        }
    }

    /// The `data` of an answer that must be a success.
    pub fn data(&self) -> Value {
        let envelope = self.envelope();
        assert_eq!(envelope.code, "0000", "{}", envelope.body);
        envelope.data
    }
}

impl Envelope {
    /// Checks status and code of an answer.
    #[track_caller]
    pub fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.code.as_str()),
            (status, code),
            "{}",
            self.body
        );
        self
    }

    pub fn award(&self) -> u64 {
        self.data["awardId"].as_u64().expect("awardId")
    }

    /// Awards and orders of a call that named a count, in the order in which they were drawn.
    pub fn draws(&self) -> Vec<(u64, String)> {
        let drawn = |draw: &Value| {
            assert_eq!(
                draw.as_object().map(serde_json::Map::len),
                Some(4),
                "{draw}"
            );
            let order = draw["orderId"].as_str().expect("orderId").to_owned();
            (draw["awardId"].as_u64().expect("awardId"), order)
        };
        self.data["draws"]
            .as_array()
            .expect("a list")
            .iter()
            .map(drawn)
            .collect()
    }

    pub fn order(&self) -> &str {
        self.data["orderId"].as_str().expect("orderId")
    }

    /// The key that the answer names.
    pub fn key(&self) -> &str {
        self.request
            .as_deref()
            .expect("every answer to a draw names its request id")
    }
}

/// One connection. All waits on it are bounded.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = within(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: Vec::new(),
        })
    }

    /// From an address of this machine's own, such as 127.0.0.2.
    pub async fn open_from(source: &str, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source.parse().expect("an address"), 0))?;
        let stream = within(socket.connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: Vec::new(),
        })
    }

    /// Ends abruptly when dropped, and leaves nothing for the system to remember.
    pub fn reset_when_dropped(&self) {
        self.stream.set_zero_linger().expect("an open socket");
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// The next answer; an error when the connection ends before it is whole.
    pub async fn receive(&mut self) -> io::Result<Response> {
        within(self.read_response(true)).await
    }

    pub async fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        self.send(&request.bytes()).await?;
        within(self.read_response(request.method != "HEAD")).await
    }

    /// Waits for the other side to close; answers what came before that.
    pub async fn closed(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match within(self.stream.read_buf(&mut self.input)).await {
                Ok(0) => return Ok(std::mem::take(&mut self.input)),
                Ok(_) => {}
                // Closed with something of ours unread: that is closed too.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(std::mem::take(&mut self.input));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn read_response(&mut self, with_body: bool) -> io::Result<Response> {
        let head_len = loop {
            if let Some(end) = self
                .input
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break end + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8_lossy(&self.input[..head_len]).into_owned();
        let mut response = parse_head(&head);
        let length = response
            .header("Content-Length")
            .map_or(0, |value| value.parse().expect("a length"));
        // Answers to HEAD tell the length of a body that they do not have.
        let length = if with_body { length } else { 0 };
        while self.input.len() < head_len + length {
            self.read_more().await?;
        }
        response.body = self.input[head_len..head_len + length].to_vec();
        self.input.drain(..head_len + length);
        Ok(response)
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(ANSWER_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn parse_head(head: &str) -> Response {
    let mut lines = head.split("\r\n");
    let status_line = lines.next().expect("a status line");
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    let header = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
    };
    Response {
        status,
        headers: lines.filter_map(header).collect(),
        body: Vec::new(),
    }
}

/// Sends requests to the API over so many connections at once; the answers come in the requests'
/// order.
pub async fn ask_all(
    address: SocketAddr,
    requests: Vec<Request>,
    connections: usize,
) -> Vec<Envelope> {
    let mut shares = vec![Vec::new(); connections];
    for (place, request) in requests.into_iter().enumerate() {
        shares[place % connections].push((place, request));
    }
    let mut workers = JoinSet::new();
    for share in shares {
        workers.spawn(async move {
            let mut connection = Connection::open(address).await.expect("a connection");
            let mut answers = Vec::new();
            for (place, request) in share {
                let answer = connection.exchange(&request).await.expect("an answer");
                answers.push((place, answer.envelope()));
            }
            answers
        });
    }
    let mut answers: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
