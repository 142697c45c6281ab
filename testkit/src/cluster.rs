//! A whole cluster of real servers on this machine, started by `deploy/local/cluster`.
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// The shell that runs a cluster. It takes the cluster down when its standard input ends. That
/// happens when the value is dropped and when this process ends, in any way.
const LOOK_AFTER: &str = r#"
script=$1 folder=$2
if "$script" up "$folder" </dev/null 2>&1; then echo "$UP"; else echo "$FAILED"; fi
cat >/dev/null
"$script" down "$folder" >/dev/null
[ -n "$KEEP" ] || rm -rf "$folder"
"#;

/// What the shell writes last.
const UP: &str = "the cluster is up";
const FAILED: &str = "the cluster did not start";

/// A start takes about two seconds, and an end less. But the machine may be busy, and databases
/// may have to recover or to write a lot.
const UP_MAX: Duration = Duration::from_mins(3);
const DOWN_MAX: Duration = Duration::from_mins(3);

/// What to start.
#[derive(Debug)]
pub struct ClusterSetup<'a> {
    /// The script `deploy/local/cluster`.
    pub script: &'a Path,
    /// The program that its gateways run.
    pub drawbridge: &'a Path,
    /// Where its folder is made.
    pub parent: &'a Path,
    /// Variables of the script, such as `SHARDS`.
    pub variables: Vec<(&'static str, String)>,
    /// Keeps the folder at the end.
    pub keep: bool,
}

/// A running cluster. It ends with this value and with this process, in whatever way they end.
#[derive(Debug)]
pub struct LocalCluster {
    folder: PathBuf,
    shell: Child,
    /// Its end tells the shell to end the cluster.
    stdin: Option<ChildStdin>,
}

impl LocalCluster {
    /// Returns when the cluster is up, or why it did not start.
    pub async fn start(setup: &ClusterSetup<'_>) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("cluster-")
            .tempdir_in(setup.parent)?
            // From here on the shell removes it, even after this process has ended.
            .keep();
        let mut shell = Command::new("sh")
            .args(["-c", LOOK_AFTER, "look-after"])
            .args([setup.script, &folder])
            .envs([("UP", UP), ("FAILED", FAILED)])
            .env("KEEP", if setup.keep { "1" } else { "" })
            .env("DRAWBRIDGE", std::path::absolute(setup.drawbridge)?)
            .env_remove("PORT_BASE")
            .env_remove("BINLOG")
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C must not reach the shell, which has to clean up after it.
            .process_group(0)
            .spawn()?;
        let stdin = shell.stdin.take();
        let output = shell.stdout.take().expect("piped above");
        let cluster = Self {
            folder,
            shell,
            stdin,
        };
        let mut lines = BufReader::new(output).lines();
        let mut log = String::new();
        let up = async {
            while let Some(line) = lines.next_line().await? {
                log.extend([&*line, "\n"]);
                if line == UP || line == FAILED {
                    return Ok(line == UP);
                }
            }
            Ok(false)
        };
        match timeout(UP_MAX, up).await {
            Ok(Ok(true)) => Ok(cluster),
            Ok(Err(error)) => Err(error),
            Ok(Ok(false)) => Err(io::Error::other(log)),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, log)),
        }
    }

    /// Its folder, with `cluster.json`, the script `restart`, configurations and logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for LocalCluster {
    /// Blocks, so that the next program finds the machine quiet and the ports free.
    fn drop(&mut self) {
        const PAUSE: Duration = Duration::from_millis(20);
        drop(self.stdin.take());
        let deadline = Instant::now() + DOWN_MAX;
        while let Ok(None) = self.shell.try_wait() {
            if Instant::now() > deadline {
                eprintln!("the cluster in {} does not end", self.folder.display());
                return;
            }
            std::thread::park_timeout(PAUSE);
        }
    }
}
