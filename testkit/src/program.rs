//! A program that runs beside a test, and its logs.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::command::run;

/// A running program. It is killed when this value is dropped; when its test fails, its log is
/// shown.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Program {
    /// Starts a program. Its output goes to files in `folder`: a pipe that is not read would block
    /// it at some time.
    pub fn start(mut command: Command, folder: &Path) -> Self {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let start = STARTS.fetch_add(1, Ordering::Relaxed);
        let path = |name| folder.join(format!("{name}-{start}"));
        let (stdout, stderr) = (path("stdout"), path("stderr"));
        let file = |path| File::create(path).expect("a file can be made");
        command
            .stdin(Stdio::null())
            .stdout(file(&stdout))
            .stderr(file(&stderr));
        Self {
            child: command.spawn().expect("the program can be run"),
            stdout,
            stderr,
        }
    }

    /// What it has written to standard output.
    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).expect("its output")
    }

    /// What it has written to standard error, where programs log.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("its log")
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by the name that `kill` knows.
    pub async fn signal(&self, name: &str) {
        // The shell has `kill` built in, so it need not be installed.
        let mut command = Command::new("sh");
        command.args(["-c", &format!("kill -{name} {}", self.pid())]);
        run(command).await.ok();
    }

    /// How it ended, if it has.
    pub fn ending(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// `kill -9`; returns when it has ended.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The memory that it holds.
    pub fn memory_bytes(&self) -> u64 {
        self.status_bytes("VmRSS")
    }

    /// The most memory that it has held.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.status_bytes("VmHWM")
    }

    fn status_bytes(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("the program's status");
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib = value
            .and_then(|value| value.trim().strip_suffix(" kB"))
            .expect("a number of kB");
        kib.parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.stderr).unwrap_or_default();
            eprintln!("the program's log:\n{log}");
        }
    }
}
