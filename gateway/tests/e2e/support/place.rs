//! A folder of a test's own, and the program run in it.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::timeout;

/// No subcommand takes this long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server that cannot start may take to say so.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// A setting of servers: each scrape shows what is so now.
pub const METRICS_AGE_MAX: (&str, &str) = ("DRAWBRIDGE_METRICS_AGE_MAX_MS", "0");

/// A temporary folder with a data folder in it, gone at the test's end.
#[derive(Debug)]
pub struct Place(TempDir);

/// How a subcommand ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Place {
    pub fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("drawbridge-e2e-")
                .tempdir()
                .expect("a temporary folder"),
        )
    }

    /// A place with campaigns published in it, so that a server there has no demo ones.
    pub async fn with_campaigns(texts: &[&str]) -> Self {
        let place = Self::new();
        for text in texts {
            place.publish(text).await.ok();
        }
        place
    }

    /// Leaves the folder there for somebody to look at.
    pub fn keep(&mut self) {
        self.0.disable_cleanup(true);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file and answers its path.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file can be written");
        text_of(&path)
    }

    /// The program with arguments, and with nothing of the caller's environment that it reads.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawbridge"));
        // In the folder: what a default such as ./data leaves behind goes with it.
        command
            .args(arguments)
            .env_clear()
            .env("USER", "e2e-operator")
            .current_dir(self.0.path());
        // Tests look at metrics right before and right after what they do.
        command.env(METRICS_AGE_MAX.0, METRICS_AGE_MAX.1);
        command
    }

    /// Runs a subcommand to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments)).await
    }

    /// The same, about this place's data folder.
    pub async fn run_here(&self, arguments: &[&str]) -> Ran {
        let data = text_of(&self.data());
        self.run(&[arguments, &["--data", &data]].concat()).await
    }

    pub async fn publish(&self, campaign: &str) -> Ran {
        let file = self.file("campaign.toml", campaign);
        self.run_here(&["campaign", "publish", &file]).await
    }

    /// Total, issued and left of a prize, as `stock show` says.
    pub async fn stock(&self, activity: u64, award: u64) -> (u64, u64, u64) {
        self.run_here(&["stock", "show", "--activity", &activity.to_string()])
            .await
            .stock(activity, award)
    }

    /// The audit's JSON, of an audit that must be green.
    pub async fn audited(&self) -> serde_json::Value {
        self.run_here(&["audit", "--json"]).await.green_report()
    }

    /// The same at rest, where nothing need be skipped. Answers how many orders there are.
    pub async fn audited_at_rest(&self) -> u64 {
        orders_in(&self.audited().await)
    }
}

/// How many orders an audit has seen that skipped nothing.
#[track_caller]
pub fn orders_in(report: &serde_json::Value) -> u64 {
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["ok"] == true), "{report}");
    let orders = checks
        .iter()
        .find(|check| check["name"] == "one_order_per_request");
    orders.expect("the check of orders")["checked"]
        .as_u64()
        .expect("a number")
}

impl Ran {
    /// Standard output of a command that must succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Standard error of a command that must end with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.trim().is_empty(), "{self:?}");
        self.stderr
    }

    /// The report of `audit --json`, which must be green.
    #[track_caller]
    pub fn green_report(self) -> serde_json::Value {
        let text = self.ok();
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report["ok"], true, "{text}");
        report
    }

    /// Total, issued and left of a prize, out of what `stock show` says.
    #[track_caller]
    pub fn stock(self, activity: u64, award: u64) -> (u64, u64, u64) {
        let text = self.ok();
        let numbers = |line: &str| {
            line.split_whitespace()
                .map_while(|word| word.parse().ok())
                .collect::<Vec<u64>>()
        };
        let found = text
            .lines()
            .map(numbers)
            .find(|numbers| numbers.starts_with(&[activity, award]));
        match found.as_deref() {
            Some(&[_, _, total, issued, left]) => (total, issued, left),
            _ => panic!("no award {award} of activity {activity} in:\n{text}"),
        }
    }

    /// Standard error of a server that must not start, and say so at once.
    #[track_caller]
    pub fn refused_at_once(self) -> String {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        assert!(self.took < REFUSED_WITHIN, "{self:?}");
        assert!(!self.stderr.trim().is_empty(), "{self:?}");
        self.stderr
    }
}

/// Runs a command to its end, and reads what it writes.
pub async fn run(mut command: Command) -> Ran {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    run_as_it_is(command).await
}

/// The same for a command whose input and outputs are chosen already. It does not outlive the
/// caller.
pub async fn run_as_it_is(command: Command) -> Ran {
    run_within(COMMAND_TIMEOUT, command).await
}

/// The same for a command that may take its time.
pub async fn run_within(limit: Duration, command: Command) -> Ran {
    let begun = Instant::now();
    let mut command = tokio::process::Command::from(command);
    let child = command
        .kill_on_drop(true)
        .spawn()
        .expect("the program can be run");
    // Our copies of the ends that it was given must not keep them open.
    drop(command);
    let output = timeout(limit, child.wait_with_output()).await;
    let output = output.expect("a subcommand ends").expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Ran {
        code: output.status.code(),
        stdout,
        stderr,
        took: begun.elapsed(),
    }
}

pub fn text_of(path: &Path) -> String {
    path.to_str()
        .expect("temporary folders have plain names")
        .to_owned()
}
