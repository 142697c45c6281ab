//! The running program.
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::place::Place;
use testkit::eventually;
use testkit::http::{Connection, Envelope, Request, Response};
use testkit::{Program, text_of};

/// A start or a stop takes far less, but the machine may be busy.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A server that is killed when the test ends, however it ends.
#[derive(Debug)]
pub struct Server {
    program: Program,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
}

impl Server {
    /// Starts on the place's data folder and on free ports, and waits until it is ready.
    pub async fn start(place: &Place) -> Self {
        Self::start_with(place, "").await
    }

    /// The same with a configuration.
    pub async fn start_with(place: &Place, config: &str) -> Self {
        let (data, config) = (text_of(&place.data()), place.file("config.toml", config));
        let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command =
            place.command(&[&["serve", "--data", &data, "--config", &config], &free[..]].concat());
        // No load balancer looks at these servers.
        command.env("DRAWBRIDGE_DRAIN_GRACE_MS", "0");
        Self::started(place, command).await
    }

    /// Runs a command, which must be a `serve`, and waits until it is ready.
    pub async fn started(place: &Place, command: Command) -> Self {
        let mut server = Self::spawned(place, command);
        server.await_ready().await;
        server
    }

    /// Waits until it is ready.
    pub async fn await_ready(&mut self) {
        self.await_listening().await;
        eventually("the server is ready", WAIT_MAX, async || {
            (self.readiness().await == Some(200)).then_some(())
        })
        .await;
    }

    /// Waits until it listens. Ports that were free a moment ago may be taken now, so the server
    /// chooses them and says which.
    pub async fn await_listening(&mut self) {
        let announced = eventually("the server says where it listens", WAIT_MAX, async || {
            assert!(
                self.ending().is_none(),
                "the server ended: {}",
                self.stderr()
            );
            announced_addresses(&self.stdout())
        });
        (self.listen, self.admin) = announced.await;
    }

    /// A server that is not waited for; its addresses are not known.
    pub fn spawned(place: &Place, command: Command) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            program: Program::start(command, &place.path("")),
            listen: nowhere,
            admin: nowhere,
        }
    }

    /// Runs `drawbridge switch ...` on it, with the token of its place, and waits until it obeys.
    pub async fn switch(&self, place: &Place, words: &[&str]) {
        let (admin, token) = (
            format!("http://{}", self.admin),
            text_of(&place.data().join("admin-token")),
        );
        let at = ["--admin", &admin, "--token-file", &token, "--reason", "why"];
        place.run(&[&["switch"], words, &at].concat()).await.ok();
    }

    pub fn stdout(&self) -> String {
        self.program.stdout()
    }

    pub fn stderr(&self) -> String {
        self.program.stderr()
    }

    /// Waits until the log has what is looked for: lines are written a moment after they are
    /// logged.
    pub async fn logged<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        eventually(what, WAIT_MAX, async || find(&self.stderr())).await
    }

    /// The status of `/readyz`; `None` without an answer.
    pub async fn readiness(&self) -> Option<u16> {
        let mut connection = Connection::open(self.admin).await.ok()?;
        let response = connection
            .exchange(&Request::raw("GET", "/readyz"))
            .await
            .ok()?;
        Some(response.status)
    }

    pub async fn connect(&self) -> Connection {
        Connection::open(self.listen).await.expect("a connection")
    }

    /// Sends a request on a connection of its own.
    pub async fn send(&self, request: &Request) -> Response {
        self.connect()
            .await
            .exchange(request)
            .await
            .expect("an answer")
    }

    /// The same, for a request to the API.
    pub async fn ask(&self, request: &Request) -> Envelope {
        self.send(request).await.envelope()
    }

    /// The `data` of a request that must succeed.
    pub async fn data(&self, request: &Request) -> serde_json::Value {
        self.send(request).await.data()
    }

    pub async fn ask_admin(&self, method: &'static str, path: &str) -> Response {
        let mut connection = Connection::open(self.admin).await.expect("a connection");
        connection
            .exchange(&Request::raw(method, path))
            .await
            .expect("an answer")
    }

    /// Waits until this number of requests are being answered.
    pub async fn answers_at_once(&self, requests: usize) {
        let line = format!("drawbridge_http_in_flight_requests {requests}");
        eventually("the requests are under way", WAIT_MAX, async || {
            self.ask_admin("GET", "/metrics")
                .await
                .text()
                .lines()
                .any(|found| found == line)
                .then_some(())
        })
        .await;
    }

    /// The value of a metric that is an integer, by its name and labels as they are exposed.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.ask_admin("GET", "/metrics").await.text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no number for {name} in\n{text}"))
    }

    /// The memory that it holds.
    pub fn memory_bytes(&self) -> u64 {
        self.program.memory_bytes()
    }

    /// The most that it ever held.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.program.peak_memory_bytes()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Sends a signal, by the name that `kill` knows.
    pub async fn signal(&self, name: &str) {
        self.program.signal(name).await;
    }

    /// How it ended, if it has.
    pub fn ending(&mut self) -> Option<ExitStatus> {
        self.program.ending()
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("the server ends", WAIT_MAX, async || self.ending()).await
    }

    /// Asks it to stop, and waits until it has done so well.
    pub async fn stop(mut self) {
        self.signal("TERM").await;
        let status = self.ended().await;
        let log = self.stderr();
        assert!(status.success(), "{status}: {log}");
        // Nothing that a test does to a sound server is worth a warning. How many files it may open
        // is the machine's business.
        let warns = |line: &str| line.contains("WARN") || line.contains("ERROR");
        let unexpected = log
            .lines()
            .find(|line| warns(line) && !line.contains("file descriptors"));
        assert_eq!(unexpected, None, "{log}");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.program.kill();
    }
}

fn announced_addresses(stdout: &str) -> Option<(SocketAddr, SocketAddr)> {
    // The last line must be there too, so that all of it is written.
    (stdout.contains("\ntry: ") && stdout.ends_with('\n')).then_some(())?;
    let mut addresses = stdout
        .split("http://")
        .skip(1)
        .filter_map(|rest| rest.split('/').next()?.parse().ok());
    Some((addresses.next()?, addresses.next()?))
}
