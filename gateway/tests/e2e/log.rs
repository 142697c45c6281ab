//! The log on standard error: its last lines, and readers that take none.
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Place, Request, Server, ask_all, eventually, text_of};

const WAIT_MAX: Duration = Duration::from_secs(20);

/// Every request has a line.
const ALL_LINES: &str = "[log]\nformat = \"json\"\naccess_lines_per_second_max = 100000\n";

/// More lines than a pipe and the queue hold: 64 KiB and twice 1 MiB.
const FLOOD: usize = 10_000;

/// The lines of a log, each of which must be a JSON object.
fn lines(log: &str) -> Vec<Value> {
    assert!(log.ends_with('\n'), "{log}");
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    log.lines().map(line).collect()
}

fn message(line: &Value) -> &str {
    line["fields"]["message"].as_str().expect("a message")
}

#[tokio::test]
async fn a_stop_writes_every_line_to_the_last() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let mut server = Server::start_with(&place, ALL_LINES).await;
    let calls = (0..300).map(|number| Request::draw(&format!("u{number}"), LOAD_ACTIVITY, "k"));
    ask_all(server.listen, calls.collect(), 8).await;
    server.signal("TERM").await;
    assert!(server.ended().await.success(), "{}", server.stderr());
    let lines = lines(&server.stderr());
    let answered = lines.iter().filter(|line| message(line) == "answered");
    assert_eq!(answered.count(), 300);
    assert_eq!(lines.last().map(message), Some("stopped"));
}

#[tokio::test]
async fn a_server_that_cannot_start_logs_first_and_says_why_last() {
    let place = Place::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    // Over a network, of which the log warns.
    let listen = format!(
        "0.0.0.0:{}",
        taken.local_addr().expect("its address").port()
    );
    let data = text_of(&place.data());
    let mut arguments = vec!["serve", "--data", &data, "--listen", &listen];
    arguments.extend(["--admin", "127.0.0.1:0"]);
    let mut command = place.command(&arguments);
    command.env("DRAWBRIDGE_IDENTITY_OPEN_TO_NETWORK", "true");
    let mut server = Server::spawned(&place, command);
    assert_eq!(server.ended().await.code(), Some(2));
    let log = server.stderr();
    let lines: Vec<&str> = log.lines().collect();
    let [warnings @ .., why] = &lines[..] else {
        panic!("{log}")
    };
    assert!(why.starts_with("drawbridge: cannot listen on"), "{log}");
    let warned = |line: &&str| line.contains("identity.kind is open");
    assert!(warnings.iter().any(warned), "{log}");
}

/// A pipe that a server logs to, and that is read when the test says so.
struct LogPipe {
    reader: File,
    path: String,
}

impl LogPipe {
    fn new(place: &Place) -> Self {
        let path = text_of(&place.path("log-pipe"));
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo can be run").success());
        // For both, because the other end is not there yet.
        let reader = OpenOptions::new().read(true).write(true).open(&path);
        Self {
            reader: reader.expect("the pipe"),
            path,
        }
    }

    /// The program, with standard error into the pipe.
    fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let program = place.command(arguments);
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" \"$@\" 2>\"$LOG_PIPE\""])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("PATH", "/usr/bin:/bin")
            .env("LOG_PIPE", &self.path)
            .env("DRAWBRIDGE_DRAIN_GRACE_MS", "0")
            .current_dir(place.path(""));
        command
    }

    /// Reads on until a line says what is looked for, and then closes the pipe. (On a thread: a
    /// server that does not write must not hold up its test.)
    fn read_until(mut self, message_of_last: &'static str) -> JoinHandle<String> {
        std::thread::spawn(move || {
            let (mut log, mut bytes) = (Vec::new(), vec![0; 65_536]);
            loop {
                let read = self.reader.read(&mut bytes).expect("bytes");
                log.extend_from_slice(&bytes[..read]);
                let text = String::from_utf8_lossy(&log);
                let whole = &text[..=text.rfind('\n').unwrap_or(0)];
                if whole.contains(message_of_last) {
                    return whole.to_owned();
                }
            }
        })
    }
}

#[tokio::test]
async fn a_reader_of_the_log_that_stalls_or_goes_stops_no_answer() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let pipe = LogPipe::new(&place);
    let (data, config) = (text_of(&place.data()), place.file("config.toml", ALL_LINES));
    let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let arguments = [&["serve", "--data", &data, "--config", &config], &free[..]].concat();
    let mut server = Server::started(&place, pipe.command(&place, &arguments)).await;
    let unknown = || Request::get("nowhere").header("X-Request-Id", "x".repeat(64));
    let lost = "drawbridge_log_lines_lost_total{reason=\"full\"}";
    assert_eq!(server.metric(lost).await, 0);

    // No reader: everything is answered, and what has no room is lost.
    let answers = ask_all(server.listen, vec![unknown(); FLOOD], 8).await;
    assert!(answers.iter().all(|answer| answer.code == "ERR_REQ_004"));
    let draw = Request::draw("u", LOAD_ACTIVITY, "k");
    server.ask(&draw).await.expect(200, "0000");
    let lines_lost = server.metric(lost).await;
    assert!(lines_lost > 0);

    // There is a reader again, and it learns how many are missing.
    let read = pipe.read_until("lines of the log were lost");
    let log = tokio::task::spawn_blocking(|| read.join().expect("no panic"));
    let lines = lines(&log.await.expect("no panic"));
    let report = lines.last().expect("lines");
    assert_eq!(report["fields"]["in_all"], lines_lost, "{report}");
    let answered = lines.iter().filter(|line| message(line) == "answered");
    assert_eq!(answered.count() as u64 + lines_lost, FLOOD as u64 + 1);

    // The reader goes: the same.
    let draws = (0..50).map(|number| Request::draw(&format!("u{number}"), LOAD_ACTIVITY, "k"));
    let answers = ask_all(server.listen, draws.collect(), 2).await;
    assert!(answers.iter().all(|answer| answer.code == "0000"));
    let failed = "drawbridge_log_lines_lost_total{reason=\"failed\"}";
    eventually("lines that cannot be written", WAIT_MAX, async || {
        (server.metric(failed).await > 0).then_some(())
    })
    .await;
    server.signal("TERM").await;
    assert!(server.ended().await.success());
}
