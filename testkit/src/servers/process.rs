//! A server process and the shell that runs it.
use std::fs::Metadata;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::ports::free_port;

/// The shell takes orders on its standard input: `start`, or the name of a signal for the server.
/// Its input ends when the value is dropped, and when the test process is gone. Then it kills the
/// server (a paused one too) and removes the folder.
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

/// The file in its folder that a server writes the id of its process into, unless it is told
/// another name.
pub const PID_FILE: &str = "pid";

/// How long a server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A server with a port and a folder of its own. It can be paused, killed and started again. What
/// is particular to one program (its command line, its files) is in the module named after it.
///
/// It ends with this value and with the test process, in whatever way they end.
#[derive(Debug)]
pub struct ServerProcess {
    folder: PathBuf,
    pid_file: &'static str,
    port: u16,
    pid: AtomicU32,
    shell: Mutex<Shell>,
}

#[derive(Debug)]
struct Shell {
    child: Child,
    replies: BufReader<ChildStdout>,
}

impl ServerProcess {
    /// A server that is not started yet: `command` returns what to run, given its folder and port.
    /// The server must write the id of its process into the file [`PID_FILE`] of its folder.
    pub fn new(command: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
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
            .env("PATH", server_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Keys such as Ctrl-C at the terminal of the tests must not reach the shell.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let replies = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            folder,
            pid_file: PID_FILE,
            port,
            pid: AtomicU32::new(0),
            shell: Mutex::new(Shell { child, replies }),
        }
    }

    /// The same with a file of this name instead of [`PID_FILE`].
    #[must_use]
    pub fn with_pid_file(mut self, pid_file: &'static str) -> Self {
        self.pid_file = pid_file;
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(&self) {
        if let Err(why) = self.try_start().await {
            panic!("the server {why}; its log:\n{}", self.log());
        }
    }

    /// Starts it again after [`ServerProcess::kill`], on the same port and with what its folder
    /// has.
    pub async fn restart(&self) {
        self.start().await;
    }

    /// Starts it where that may fail, for instance because another process has taken a port.
    pub async fn try_start(&self) -> Result<(), &'static str> {
        let pid = self.order("start").parse().expect("a process id");
        self.pid.store(pid, Ordering::Relaxed);
        let deadline = Instant::now() + START_MAX;
        while !self.listens().await {
            if self.has_ended() {
                return Err("has ended");
            }
            if Instant::now() > deadline {
                return Err("did not start in time");
            }
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// Stops all its threads: connections stay open and nothing is answered.
    pub fn pause(&self) {
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
        stats.filter_map(|stat| state_in(&stat))
    }

    /// Whether it has ended by itself. The shell waits for it only after killing it, so until then
    /// it is a zombie.
    fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        stat.map_or(true, |stat| state_in(&stat) == Some('Z'))
    }

    /// Lets it go on after [`ServerProcess::pause`].
    pub fn resume(&self) {
        self.order("CONT");
    }

    /// `kill -9`; returns when it has ended.
    pub fn kill(&self) {
        self.order("KILL");
    }

    /// Where its data and its log are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it listens, also after a restart.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The id of its process; another one after a restart.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Whether the process itself takes connections, and not another server that has its port.
    async fn listens(&self) -> bool {
        let id = std::fs::read_to_string(self.folder.join(self.pid_file)).unwrap_or_default();
        id.trim() == self.pid().to_string() && TcpStream::connect(self.address()).await.is_ok()
    }

    /// What it has written to its outputs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
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
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Closes the shell's standard input first, which is the order to clean up.
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        shell.child.wait().expect("the shell ends");
    }
}

/// The state of a process or thread in its `stat` file.
fn state_in(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The search path for servers: Debian keeps them in folders that not every user's path has.
pub fn server_path() -> String {
    format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    )
}

/// Whether the folder belongs to root. Some servers need an option then.
pub(super) fn is_root(folder: &Path) -> bool {
    std::fs::metadata(folder)
        .as_ref()
        .map(Metadata::uid)
        .is_ok_and(|uid| uid == 0)
}
