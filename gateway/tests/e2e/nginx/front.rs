//! An nginx as it is shipped, in front of gateways of a test, and curl as its caller.
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::servers;

use crate::deployment::{shipped, text};
use crate::support::campaign::{LOAD_ACTIVITY, with};
use crate::support::{Connection, Place, Response, run, text_of};

/// The name that callers know.
pub const NAME: &str = "draw.example.test";

/// The forms that are shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Plain,
    Tls,
    Compose,
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Compose];

    pub const fn file(self) -> &'static str {
        match self {
            Self::Plain => "deploy/nginx/drawbridge.conf.template",
            Self::Tls => "deploy/nginx/drawbridge-tls.conf.template",
            Self::Compose => "deploy/compose/nginx/drawbridge.conf",
        }
    }
}

/// A change of a shipped file: in which one, what, by what.
pub type Change<'a> = (&'a str, &'a str, &'a str);

/// What a form calls itself.
pub const FORM: &str = "drawbridge.conf";

/// A form, with what a test puts into it.
pub struct Form<'a> {
    pub shape: Shape,
    pub gateways: Vec<SocketAddr>,
    pub trusted: &'a str,
    pub changes: &'a [Change<'a>],
}

impl Form<'_> {
    /// Makes the changes in the files of a folder.
    fn change_files(&self, folder: &Path) {
        for (file, from, to) in self.changes {
            let path = if *file == FORM {
                folder.join(file)
            } else {
                folder.join("drawbridge").join(file)
            };
            let text = std::fs::read_to_string(&path).expect("a file");
            std::fs::write(path, with(&text, from, to)).expect("a file");
        }
    }

    /// The production form.
    pub fn of(gateway: SocketAddr) -> Self {
        Self::shaped(Shape::Tls, gateway)
    }

    pub fn shaped(shape: Shape, gateway: SocketAddr) -> Self {
        Self {
            shape,
            gateways: vec![gateway],
            trusted: "127.0.0.1",
            changes: &[],
        }
    }

    /// The form with its addresses and files written in.
    pub fn text(
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
pub const OWN_ANSWERS: &str = "own-answers.log";

/// A running nginx that ends with its test.
pub struct Nginx {
    server: servers::Nginx,
    pub listen: SocketAddr,
    pub status: SocketAddr,
    /// Where it speaks TLS.
    certificate: Option<String>,
}

/// One answer, as curl got it.
pub struct Answer {
    pub status: u16,
    pub version: String,
    pub headers: String,
    pub body: Value,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        self
    }

    /// What every answer has, from nginx or a gateway.
    #[track_caller]
    pub fn is_an_envelope(&self) {
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

/// Writes what is included into a folder of nginx's own, with the settings of a local cluster.
pub fn write_files(folder: &Path, drawbridge: &str) {
    std::fs::create_dir_all(folder.join("drawbridge")).expect("a folder");
    for entry in std::fs::read_dir(shipped("deploy/nginx/drawbridge")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, folder.join("drawbridge").join(name)).expect("a copy");
    }
    std::fs::write(folder.join("nginx.conf"), text("deploy/local/nginx.conf")).expect("a file");
    std::fs::write(folder.join(FORM), drawbridge).expect("a file");
}

/// Makes a certificate for [`NAME`] that signs itself, and its key.
pub fn certificate(place: &Place, name: &str) -> (String, String) {
    certificate_of(place, name, NAME)
}

pub fn certificate_of(place: &Place, name: &str, subject: &str) -> (String, String) {
    let file = |kind: &str| text_of(&place.path(&format!("{name}-{kind}.pem")));
    let (certificate, key) = (file("certificate"), file("key"));
    servers::request(
        &place.path(""),
        &format!(
            "-keyout {key} -out {certificate} -subj /CN={subject} -addext subjectAltName=DNS:{subject}"
        ),
    );
    (certificate, key)
}

impl Nginx {
    pub async fn start(place: &Place, name: &str, form: &Form<'_>) -> Self {
        let (certificate, key) = match form.shape {
            Shape::Plain => (String::new(), String::new()),
            Shape::Tls | Shape::Compose => certificate(place, name),
        };
        let server = servers::Nginx::start(|folder, addresses| {
            let [listen, status] = [addresses.listen, addresses.status].map(|a| a.to_string());
            let text = form.text(&listen, &status, folder, (&certificate, &key));
            write_files(folder, &text);
            form.change_files(folder);
        })
        .await;
        Self {
            listen: server.listen(),
            status: server.status(),
            server,
            certificate: Some(certificate).filter(|certificate| !certificate.is_empty()),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// Sends bytes over a connection of their own; none when it is closed without an answer.
    pub async fn send_bytes(&self, bytes: &[u8]) -> Option<Response> {
        let mut connection = Connection::open(self.listen).await.expect("a connection");
        // It need not read on once it knows, so the rest may find a closed connection.
        let _ = connection.send(bytes).await;
        connection.receive().await.ok()
    }

    /// What it has answered itself, as far as it has been written.
    pub fn own_answers(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder().join(OWN_ANSWERS)).expect("the log");
        log.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// Asks for a path, with more arguments for curl.
    pub async fn ask(&self, path: &str, words: &[&str]) -> Answer {
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
        let reported = run(command).await.ok();
        let (rest, numbers) = reported.rsplit_once('\n').expect("what curl adds");
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
    pub async fn draw(&self, user: &str, client: &str, words: &[&str]) -> Answer {
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
