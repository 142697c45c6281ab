//! A server process and the shell that looks after it.
use std::fs::Metadata;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The shell takes orders on its standard input: `start`, or the name of a signal for the server.
/// At its end, which comes when the test process is gone, it kills the server (a paused one too)
/// and removes the folder.
const LOOK_AFTER: &str = r#"
folder=$1; shift; pid=
while read -r order; do
    case $order in
        start) "$@" </dev/null >>"$folder/log" 2>&1 & pid=$!; echo "$pid" ;;
        KILL) kill -KILL "$pid"; wait "$pid"; pid=; echo done ;;
        *) kill -"$order" "$pid"; echo done ;;
    esac
done
[ -z "$pid" ] || kill -KILL "$pid"
wait
rm -rf "$folder"
"#;

/// How long a server may take to be there, on a busy machine.
const START_SECONDS_MAX: u64 = 30;

/// A server that can be paused, killed and started again in its place.
#[derive(Debug)]
pub(super) struct Server {
    folder: PathBuf,
    port: u16,
    pid: AtomicU32,
    shell: Mutex<Shell>,
}

#[derive(Debug)]
struct Shell {
    child: Child,
    replies: BufReader<ChildStdout>,
}

impl Server {
    /// A server that is not started yet: `command` is what to run, given its folder and port.
    pub(super) fn new(command: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("drawbridge-")
            .tempdir()
            .expect("a folder")
            .keep();
        let port = free_port();
        let mut child = Command::new("sh")
            .args(["-c", LOOK_AFTER, "look-after"])
            .arg(&folder)
            .args(command(&folder, port))
            .env("PATH", path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What is typed at the terminal of the tests is not meant for the shell.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let replies = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            folder,
            port,
            pid: AtomicU32::new(0),
            shell: Mutex::new(Shell { child, replies }),
        }
    }

    /// Starts it and waits until `ready` says so.
    pub(super) async fn start(&self, ready: impl AsyncFn(&Self) -> bool) {
        let pid = self.order("start").parse().expect("a process id");
        self.pid.store(pid, Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while !ready(self).await {
            assert!(
                Instant::now() < deadline,
                "the server did not start; it says:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it in its tracks: connections stay open and nothing is answered.
    pub(super) fn pause(&self) {
        self.order("STOP");
        // The signal is sent; each thread runs on until it notices.
        while !self.threads().all(|state| state == 'T') {
            std::thread::yield_now();
        }
    }

    /// The states of its threads, as the system writes them: `pid (name) state ...`.
    fn threads(&self) -> impl Iterator<Item = char> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()))
            .expect("it lives")
            .flatten();
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        stats.filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next())
    }

    pub(super) fn resume(&self) {
        self.order("CONT");
    }

    pub(super) fn kill(&self) {
        self.order("KILL");
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    fn order(&self, order: &str) -> String {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(shell.child.stdin.as_ref().expect("piped"), "{order}").expect("the shell lives");
        let mut reply = String::new();
        shell
            .replies
            .read_line(&mut reply)
            .expect("the shell lives");
        reply.trim().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closes the shell's standard input first, which is the order to clean up.
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        shell.child.wait().expect("the shell ends");
    }
}

/// Debian keeps servers where not everybody's path leads.
pub(super) fn path() -> String {
    format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    )
}

/// Whether what is in `folder` belongs to root, which some servers must be told.
pub(super) fn is_root(folder: &Path) -> bool {
    std::fs::metadata(folder)
        .as_ref()
        .map(Metadata::uid)
        .is_ok_and(|uid| uid == 0)
}

/// A port below those that the system gives to outgoing connections, so that it is still free
/// when a killed server comes back. Each process begins elsewhere.
fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let start =
        u16::try_from(u64::from(std::process::id()) * 61 % u64::from(COUNT)).expect("below COUNT");
    let next = || FIRST + (start + TRIED.fetch_add(1, Ordering::Relaxed)) % COUNT;
    std::iter::repeat_with(next)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("an endless iterator")
}
