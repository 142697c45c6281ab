//! nginx in front, as it is shipped: TLS and HTTP/2 outside, who the caller is, and what nginx
//! says by itself.
mod addresses;
mod answers;
mod identity;
mod spellings;
mod watched;

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::deployment::{shipped, text};
use crate::support::campaign::{LOAD, LOAD_ACTIVITY, unlimited, with};
use crate::support::{Connection, Place, Request, Response, Server, eventually, run, text_of};

const NAME: &str = "draw.example.test";
const CLIENT: &str = "203.0.113.7";

/// The forms that are shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Tls,
    Compose,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Compose];

    const fn file(self) -> &'static str {
        match self {
            Self::Plain => "deploy/nginx/drawbridge.conf.template",
            Self::Tls => "deploy/nginx/drawbridge-tls.conf.template",
            Self::Compose => "deploy/compose/nginx/drawbridge.conf",
        }
    }
}

/// A change of a shipped file: in which one, what, by what.
type Change<'a> = (&'a str, &'a str, &'a str);

/// What a form calls itself.
const FORM: &str = "drawbridge.conf";

/// A form, with what a test puts into it.
struct Form<'a> {
    shape: Shape,
    gateways: Vec<SocketAddr>,
    trusted: &'a str,
    changes: &'a [Change<'a>],
}

impl Form<'_> {
    /// The production form.
    fn of(gateway: SocketAddr) -> Self {
        Self::shaped(Shape::Tls, gateway)
    }

    fn shaped(shape: Shape, gateway: SocketAddr) -> Self {
        Self {
            shape,
            gateways: vec![gateway],
            trusted: "127.0.0.1",
            changes: &[],
        }
    }

    /// The form with its addresses and files written in.
    fn text(
        &self,
        listen: &str,
        status: &str,
        folder: &Path,
        (certificate, key): (&str, &str),
    ) -> String {
        let server =
            |gateway: &SocketAddr| format!("server {gateway} max_fails=3 fail_timeout=2s;");
        let servers = self
            .gateways
            .iter()
            .map(server)
            .collect::<Vec<_>>()
            .join("\n    ");
        let log = text_of(&folder.join(OWN_ANSWERS));
        let values: &[(&str, &str)] = match self.shape {
            Shape::Plain | Shape::Tls => &[
                ("server @GATEWAY@ max_fails=3 fail_timeout=2s;", &servers),
                ("@LISTEN@", listen),
                ("@STATUS@", status),
                ("@NAME@", NAME),
                ("@CERTIFICATE@", certificate),
                ("@KEY@", key),
                ("@TRUSTED@", self.trusted),
                ("/var/log/nginx/drawbridge-own.log", &log),
            ],
            Shape::Compose => &[
                (
                    "server 172.30.91.20:8091 max_fails=3 fail_timeout=2s;",
                    &servers,
                ),
                ("server 172.30.91.21:8091 max_fails=3 fail_timeout=2s;", ""),
                ("listen 8443 ", &format!("listen {listen} ")),
                ("listen 8093;", &format!("listen {status};")),
                ("server_name localhost;", &format!("server_name {NAME};")),
                ("/run/secrets/tls-certificate", certificate),
                ("/run/secrets/tls-key", key),
                ("/dev/stdout", &log),
            ],
        };
        values
            .iter()
            .fold(text(self.shape.file()), |text, (name, value)| {
                text.replace(name, value)
            })
    }
}

/// Where the forms of these tests write what nginx answers itself.
const OWN_ANSWERS: &str = "own-answers.log";

/// A running nginx that ends with its test.
struct Nginx {
    child: Child,
    listen: SocketAddr,
    status: SocketAddr,
    folder: PathBuf,
    /// Where it speaks TLS.
    certificate: Option<String>,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One answer, as curl got it.
struct Answer {
    status: u16,
    version: String,
    headers: String,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        self
    }

    /// What every answer has, whoever gives it.
    #[track_caller]
    fn is_an_envelope(&self) {
        for header in [
            "content-type: application/json\r",
            "access-control-allow-origin: *\r",
        ] {
            assert!(
                self.headers.contains(header),
                "{header} is missing in\n{}",
                self.headers
            );
        }
        assert!(self.headers.contains("x-request-id: "), "{}", self.headers);
        let may_pass = matches!(self.status, 429 | 503 | 504);
        assert_eq!(
            self.headers.contains("retry-after: "),
            may_pass,
            "{}",
            self.headers
        );
        let fields: Vec<_> = self
            .body
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert!(
            fields
                .iter()
                .all(|field| ["code", "info", "requestId", "data"].contains(field)),
            "{fields:?}"
        );
        assert!(
            self.body["info"].is_string() && self.body["data"].is_null(),
            "{}",
            self.body
        );
    }
}

fn nginx(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    // Where Debian puts servers; not everybody's path has it.
    let path = format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    );
    command
        .env("PATH", path)
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "stderr"]);
    command
}

/// Copies what is included into a folder of nginx's own, with the settings of a local cluster.
fn folder_of(place: &Place, name: &str, drawbridge: &str) -> std::path::PathBuf {
    let folder = place.path(name);
    std::fs::create_dir_all(folder.join("drawbridge")).expect("a folder");
    for entry in std::fs::read_dir(shipped("deploy/nginx/drawbridge")).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(
            &path,
            folder
                .join("drawbridge")
                .join(path.file_name().expect("a name")),
        )
        .expect("a copy");
    }
    std::fs::write(folder.join("nginx.conf"), text("deploy/local/nginx.conf")).expect("a file");
    std::fs::write(folder.join("drawbridge.conf"), drawbridge).expect("a file");
    folder
}

/// Writes a certificate for [`NAME`] that signs itself, and its key.
async fn certificate(place: &Place, name: &str) -> (String, String) {
    certificate_of(place, name, NAME).await
}

async fn certificate_of(place: &Place, name: &str, subject: &str) -> (String, String) {
    let file = |kind: &str| text_of(&place.path(&format!("{name}-{kind}.pem")));
    let (certificate, key) = (file("certificate"), file("key"));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    command.args([
        "-keyout",
        &key,
        "-out",
        &certificate,
        "-subj",
        &format!("/CN={subject}"),
    ]);
    command.args(["-addext", &format!("subjectAltName=DNS:{subject}")]);
    run(command).await.ok();
    (certificate, key)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
}

/// Whether it listens, or has ended before.
async fn listens(child: &mut Child, address: SocketAddr) -> bool {
    eventually(
        "nginx listens or ends",
        Duration::from_secs(10),
        async || {
            let ended = child.try_wait().expect("a child").is_some();
            let listens = TcpStream::connect(address).is_ok();
            (ended || listens).then_some(!ended)
        },
    )
    .await
}

impl Nginx {
    async fn start(place: &Place, name: &str, form: &Form<'_>) -> Self {
        let (certificate, key) = match form.shape {
            Shape::Plain => (String::new(), String::new()),
            Shape::Tls | Shape::Compose => certificate(place, name).await,
        };
        for _ in 0..3 {
            // Free now; when somebody else takes one first nginx ends, and others are tried.
            let (listen, status) = (free_address(), free_address());
            let texts = [listen.to_string(), status.to_string()];
            let text = form.text(
                &texts[0],
                &texts[1],
                &place.path(name),
                (&certificate, &key),
            );
            let folder = folder_of(place, name, &text);
            for (file, from, to) in form.changes {
                let path = if *file == FORM {
                    folder.join(file)
                } else {
                    folder.join("drawbridge").join(file)
                };
                let text = std::fs::read_to_string(&path).expect("a file");
                std::fs::write(path, with(&text, from, to)).expect("a file");
            }
            let log = File::create(folder.join("log")).expect("a file");
            let child = nginx(&folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn();
            let mut child = child.expect("nginx");
            if listens(&mut child, listen).await {
                let certificate = Some(certificate).filter(|certificate| !certificate.is_empty());
                return Self {
                    child,
                    listen,
                    status,
                    folder,
                    certificate,
                };
            }
        }
        panic!(
            "nginx does not start: {}",
            std::fs::read_to_string(place.path(name).join("log")).unwrap_or_default()
        );
    }

    /// Sends bytes over a connection of their own; none when it is closed without an answer.
    async fn send_bytes(&self, bytes: &[u8]) -> Option<Response> {
        let mut connection = Connection::open(self.listen).await.expect("a connection");
        // It need not read on once it knows, so the rest may find a closed connection.
        let _ = connection.send(bytes).await;
        connection.receive().await.ok()
    }

    /// What it has answered itself, as far as it has been written.
    fn own_answers(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.join(OWN_ANSWERS)).expect("the log");
        log.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// Asks for a path, with more words for curl.
    async fn ask(&self, path: &str, words: &[&str]) -> Answer {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--dump-header",
            "-",
        ]);
        let port = self.listen.port();
        let scheme = match &self.certificate {
            Some(certificate) => {
                command.args(["--http2", "--cacert", certificate]);
                "https"
            }
            None => "http",
        };
        command.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
        command
            .args(["--write-out", "\n%{http_version} %{http_code}"])
            .args(words);
        command.arg(format!("{scheme}://{NAME}:{port}/api/v1/raffle/{path}"));
        let told = run(command).await.ok();
        let (rest, numbers) = told.rsplit_once('\n').expect("what curl adds");
        let (headers, body) = rest.rsplit_once("\r\n\r\n").expect("a head");
        let (version, status) = numbers.split_once(' ').expect("two numbers");
        let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let headers = format!("{}\r\n", headers.to_lowercase());
        Answer {
            status: status.parse().expect("a status"),
            version: version.to_owned(),
            headers,
            body,
        }
    }

    /// A draw without a key, by a client that says where it comes from.
    async fn draw(&self, user: &str, client: &str, words: &[&str]) -> Answer {
        let body = json!({"userId": user, "activityId": LOAD_ACTIVITY}).to_string();
        let forwarded = format!("X-Forwarded-For: {client}");
        let draw = [
            "--data",
            &body,
            "--header",
            "Content-Type: application/json",
            "--header",
            &forwarded,
        ];
        self.ask("activity/draw", &[&draw, words].concat()).await
    }
}

async fn started(config: &str) -> (Place, Server) {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(
        &place,
        &format!("[http]\ntrusted_proxies = [\"127.0.0.1\"]\n{config}"),
    )
    .await;
    (place, server)
}

#[tokio::test]
async fn nginx_accepts_each_form_that_is_shipped() {
    let place = Place::new();
    let (certificate, key) = certificate(&place, "any").await;
    let gateway = SocketAddr::from(([127, 0, 0, 1], 8091));
    let [plain, tls, compose] = Shape::ALL.map(|shape| {
        let form = Form::shaped(shape, gateway);
        form.text(
            "127.0.0.1:8443",
            "127.0.0.1:8093",
            &place.path(""),
            (&certificate, &key),
        )
    });
    // The main file that containers use leaves temporary files where the system has them.
    let local = text("deploy/local/nginx.conf");
    let folders = local
        .lines()
        .filter(|line| line.contains("_temp_path"))
        .collect::<Vec<_>>()
        .join("\n");
    let main = text("deploy/nginx/nginx.conf");
    assert!(main.contains("http {\n"));
    let main = format!(
        "pid nginx.pid;\n{}",
        main.replace("http {\n", &format!("http {{\n{folders}\n"))
    );
    let forms = [
        (&plain, &local),
        (&tls, &local),
        (&tls, &main),
        (&compose, &main),
    ];
    for (number, (form, main)) in forms.into_iter().enumerate() {
        assert!(
            !form
                .lines()
                .any(|line| !line.trim().starts_with('#') && line.contains('@')),
            "{form}"
        );
        let folder = folder_of(&place, &format!("form-{number}"), form);
        std::fs::write(folder.join("nginx.conf"), main).expect("a file");
        let mut command = nginx(&folder);
        command.arg("-t");
        let ran = run(command).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(!ran.stderr.contains("[warn]"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn draws_come_through_tls_and_http_2_and_keep_few_connections_inside() {
    let (place, server) = started("").await;
    let nginx = Nginx::start(&place, "nginx", &Form::of(server.listen)).await;
    let key = ["--header", "Idempotency-Key: through-tls"];
    let told = nginx.draw("u", CLIENT, &key).await.expect(200, "0000");
    assert_eq!(
        (told.version.as_str(), &told.body["requestId"]),
        ("2", &json!("through-tls"))
    );
    // The same draw, asked for past nginx.
    let direct = server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "through-tls"))
        .await;
    assert_eq!(direct.data, told.body["data"]);
    let trace = told
        .headers
        .split("x-request-id: ")
        .nth(1)
        .and_then(|rest| rest.split('\r').next());
    assert_eq!(
        trace.map(str::len),
        Some(32),
        "the name that nginx gave: {}",
        told.headers
    );
    for _ in 0..10 {
        nginx.draw("u", CLIENT, &[]).await.expect(200, "0000");
    }
    let open = server.metric("drawbridge_http_connections").await;
    assert!(open <= 2, "{open} connections for one caller after another");
    server.stop().await;
}

#[tokio::test]
async fn a_caller_is_who_a_trusted_balancer_says_and_nobody_elses_word_counts() {
    let limits = "[limits.address]\nper_second = 0.001\nburst = 2\n";
    let (place, server) = started(limits).await;
    let nginx = Nginx::start(&place, "trusting", &Form::of(server.listen)).await;
    for client in [CLIENT, CLIENT, "203.0.113.8"] {
        nginx.draw("u", client, &[]).await.expect(200, "0000");
    }
    // Those in the chain whom nobody trusts are callers, whatever they say before themselves.
    let refused = nginx
        .draw("u", &format!("198.51.100.1, {CLIENT}"), &[])
        .await
        .expect(429, "ERR_GW_012");
    refused.is_an_envelope();
    let wary = Form {
        trusted: "192.0.2.1",
        ..Form::of(server.listen)
    };
    let wary = Nginx::start(&place, "wary", &wary).await;
    for client in ["203.0.113.1", "203.0.113.2"] {
        wary.draw("u", client, &[]).await.expect(200, "0000");
    }
    wary.draw("u", "203.0.113.3", &[])
        .await
        .expect(429, "ERR_GW_012");
    server.stop().await;
}

#[tokio::test]
async fn what_nginx_refuses_itself_is_the_envelope_of_all_answers() {
    let (place, mut server) = started("").await;
    let nginx = Nginx::start(&place, "nginx", &Form::of(server.listen)).await;
    let body = place.file("large", " ".repeat(5_000));
    let large = [
        "--header",
        "Idempotency-Key: large",
        "--data-binary",
        &format!("@{body}"),
    ];
    let refused = nginx
        .ask("activity/draw", &large)
        .await
        .expect(413, "ERR_REQ_006");
    refused.is_an_envelope();
    assert_eq!(refused.body["requestId"], "large");

    let low = [
        ("zones.conf", "rate=1000r/s", "rate=1r/m"),
        ("limits.conf", "burst=2000", "burst=1"),
    ];
    let strict = Form {
        changes: &low,
        ..Form::of(server.listen)
    };
    let strict = Nginx::start(&place, "strict", &strict).await;
    for _ in 0..2 {
        strict.draw("u", CLIENT, &[]).await.expect(200, "0000");
    }
    strict
        .draw("u", CLIENT, &[])
        .await
        .expect(429, "ERR_GW_012")
        .is_an_envelope();
    strict
        .draw("u", "203.0.113.8", &[])
        .await
        .expect(200, "0000");

    server.kill();
    // Nobody knows what became of it: the answer says under which key to ask again.
    let made = nginx.draw("u", CLIENT, &[]).await.expect(504, "ERR_GW_006");
    made.is_an_envelope();
    assert_eq!(
        made.body["requestId"].as_str().map(str::len),
        Some(32),
        "{}",
        made.body
    );
    let own = ["--header", "Idempotency-Key: mine"];
    assert_eq!(
        nginx
            .draw("u", CLIENT, &own)
            .await
            .expect(504, "ERR_GW_006")
            .body["requestId"],
        "mine"
    );
    let in_body =
        json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "in-the-body"}).to_string();
    let told = nginx
        .ask("activity/draw", &["--data", &in_body])
        .await
        .expect(504, "ERR_GW_006");
    assert_eq!(told.body["requestId"], "in-the-body");
    // What cannot be told in JSON as it stands is left out.
    let quote = ["--header", "Idempotency-Key: a\"b\\c"];
    let told = nginx
        .draw("u", CLIENT, &quote)
        .await
        .expect(504, "ERR_GW_006");
    assert_eq!(told.body.get("requestId"), None);
    let read = nginx
        .ask("activity/armory?activityId=1", &[])
        .await
        .expect(503, "ERR_GW_009");
    read.is_an_envelope();
    assert_eq!(read.body.get("requestId"), None);
}

#[test]
fn nginx_says_nothing_that_the_api_does_not_document() {
    let documented = text("docs/api.md");
    let answers = text("deploy/nginx/drawbridge/answers.conf");
    let answers: Vec<_> = answers
        .lines()
        .filter_map(|line| line.trim().strip_prefix("return "))
        .collect();
    assert_eq!(answers.len(), 9);
    for answer in answers {
        let (status, rest) = answer
            .split_once(" '{\"code\":\"")
            .expect("a status and a code");
        let code = rest.split('"').next().expect("a code");
        assert!(
            documented.contains(&format!("| `{code}` | {status} |")),
            "{status} {code}"
        );
    }
}

#[tokio::test]
async fn a_token_that_the_sample_script_makes_lets_its_user_draw() {
    let place = Place::with_campaigns(&[&unlimited(LOAD_ACTIVITY)]).await;
    let folder = place.path("compose");
    std::fs::create_dir(&folder).expect("a folder");
    let script = |name: &str| {
        std::fs::copy(shipped("deploy/compose").join(name), folder.join(name)).expect("a copy");
        Command::new(folder.join(name))
    };
    run(script("make-secrets")).await.ok();
    let mut make_token = script("make-token");
    make_token.arg("u1");
    let token = run(make_token).await.ok();
    let key = text_of(&folder.join("secrets/token-key"));
    let config = format!("[identity]\nkind = \"jwt\"\nkey_file = {key:?}\nalgorithm = \"HS256\"\n");
    let server = Server::start_with(&place, &config).await;
    let draw = |user| {
        Request::draw(user, LOAD_ACTIVITY, "k")
            .header("Authorization", format!("Bearer {}", token.trim()))
    };
    server.ask(&draw("u1")).await.expect(200, "0000");
    server.ask(&draw("u2")).await.expect(403, "ERR_ID_004");
    server.stop().await;
}
