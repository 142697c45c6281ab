//! Programs that run to their end, and their output.
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::timeout;

/// No subcommand takes this long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server that cannot start may take to refuse.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote there.
    pub stdout: String,
    /// What it wrote there.
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
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

    /// The report of `drawbridge audit --json`, which must be green.
    #[track_caller]
    pub fn green_report(self) -> serde_json::Value {
        let text = self.ok();
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report["ok"], true, "{text}");
        report
    }

    /// Total, issued and left of a prize, read from the output of `drawbridge stock show`.
    #[track_caller]
    pub fn stock(self, activity: u64, award: u64) -> (u64, u64, u64) {
        self.stock_of(activity, &format!("award {award}"))
    }

    /// The same of `award ID` or `sku ID`.
    #[track_caller]
    pub fn stock_of(self, activity: u64, item: &str) -> (u64, u64, u64) {
        let text = self.ok();
        let of_item = |line: &str| {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let numbers = words.strip_prefix(&format!("{activity} {item} "))?;
            let numbers = numbers.split(' ').map(|word| word.parse().ok());
            numbers.collect::<Option<Vec<u64>>>()
        };
        match text.lines().find_map(of_item).as_deref() {
            Some(&[total, issued, left]) => (total, issued, left),
            _ => panic!("no {item} of activity {activity} in:\n{text}"),
        }
    }

    /// Standard error of a server that must refuse to start, at once.
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

/// The same for a command whose input and outputs are set already. It does not outlive the
/// caller.
pub async fn run_as_it_is(command: Command) -> Ran {
    run_within(COMMAND_TIMEOUT, command).await
}

/// The same with another limit of time.
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
