//! The servers under test: child processes that end with the value that holds them.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::cli::BenchArgs;
use crate::connection::Connection;
use crate::error::Error;
use crate::request::{Case, Keys, Requests, get};
use crate::response::code_of;
use crate::target::parse_listen;

/// What the load tests draw from.
pub(super) const ACTIVITY: u64 = 200_001;

const HELLO_READY_MAX: Duration = Duration::from_secs(5);
const GATEWAY_READY_MAX: Duration = Duration::from_secs(20);
const CAMPAIGN_LIVE_MAX: Duration = Duration::from_secs(5);
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// The command line of the gateway looks at all rows when it audits.
const COMMAND_MAX: Duration = Duration::from_mins(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A command whose process is killed when its handle is dropped, on whatever path.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The bare server, in a process of its own as the gateway is.
pub(super) struct Hello {
    _child: Child,
    pub(super) address: SocketAddr,
}

impl Hello {
    pub(super) async fn start() -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(|e| Error::io("own program", e))?;
        let mut child = command(&program)
            .args(["hello", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::io("hello", e))?;
        let stdout = child.stdout.take().expect("piped above");
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        match timeout(HELLO_READY_MAX, reader.read_line(&mut line)).await {
            Ok(read) => read.map_err(|e| Error::io("hello", e))?,
            Err(_) => return Err(Error::CannotRun("hello: not ready in time".to_owned())),
        };
        let address = line.trim().strip_prefix("listening ").unwrap_or_default();
        let address = parse_listen(address).map_err(|e| Error::CannotRun(format!("hello: {e}")))?;
        Ok(Self { _child: child, address })
    }
}

/// The gateway over a fresh data folder. The process stands before the folder, so that it is killed
/// before the folder goes.
pub(super) struct Gateway {
    child: Child,
    pub(super) address: SocketAddr,
    admin: SocketAddr,
    program: PathBuf,
    folder: TempDir,
}

impl Gateway {
    /// Starts it, publishes the campaign, and returns when it draws.
    pub(super) async fn start(args: &BenchArgs, parent: &Path) -> Result<Self, Error> {
        let folder = tempfile::tempdir_in(parent).map_err(|e| Error::io(parent.display().to_string(), e))?;
        let (address, admin) = free_addresses()?;
        let log = std::fs::File::create(folder.path().join("log")).map_err(|e| Error::io("the gateway's log", e))?;
        let stdout = log.try_clone().map_err(|e| Error::io("the gateway's log", e))?;
        let child = command(&args.drawbridge)
            .arg("serve")
            .arg("--data")
            .arg(folder.path().join("data"))
            .args(["--listen", &address.to_string()])
            .args(["--admin", &admin.to_string()])
            .stdout(stdout)
            .stderr(log)
            .spawn()
            .map_err(|e| Error::io(args.drawbridge.display().to_string(), e))?;
        let mut gateway = Self { child, address, admin, program: args.drawbridge.clone(), folder };
        gateway.wait_ready().await?;
        gateway.publish(&args.campaign).await?;
        gateway.wait_drawing().await?;
        Ok(gateway)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn wait_ready(&mut self) -> Result<(), Error> {
        let request = get(self.admin, "/readyz");
        let deadline = Instant::now() + GATEWAY_READY_MAX;
        let mut probe = Connection::new(self.admin);
        while Instant::now() < deadline {
            if let Ok(answer) = probe.exchange(&request).await
                && answer.status == 200
            {
                return Ok(());
            }
            match self.child.try_wait() {
                Ok(None) => sleep(POLL_INTERVAL).await,
                Ok(Some(status)) => return Err(self.failed(&format!("ended with {status}"))),
                Err(error) => return Err(Error::io("drawbridge", error)),
            }
        }
        Err(self.failed("not ready in time"))
    }

    async fn publish(&self, campaign: &Path) -> Result<(), Error> {
        let mut publish = command(&self.program);
        publish.args(["campaign", "publish"]).arg(campaign);
        publish.arg("--data").arg(self.data());
        let output = run(publish).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.failed(&format!("campaign publish: {}, {}", output.status, said.trim())))
    }

    async fn wait_drawing(&self) -> Result<(), Error> {
        let deadline = Instant::now() + CAMPAIGN_LIVE_MAX;
        let mut requests = Requests::new(Case::Draw, self.address, ACTIVITY, Keys::new(0, 0));
        let mut probe = Connection::new(self.address);
        let mut last = String::new();
        while Instant::now() < deadline {
            last = match probe.exchange(requests.next(0)).await {
                Ok(answer) if code_of(answer.body) == Some("0000") => return Ok(()),
                Ok(answer) => String::from_utf8_lossy(answer.body).into_owned(),
                Err(error) => error.to_string(),
            };
            sleep(POLL_INTERVAL).await;
        }
        Err(self.failed(&format!("no draw on {ACTIVITY} in time, last answer {last}")))
    }

    /// Drains and stops it, then audits what it left: with nobody writing, no check is skipped.
    pub(super) async fn stop_and_audit(mut self) -> Result<(), Error> {
        self.stop().await?;
        let mut audit = command(&self.program);
        audit.arg("audit").arg("--data").arg(self.data()).arg("--json");
        let output = run(audit).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(Error::DoesNotHold(format!("audit: {}\n{said}{complaint}", output.status)))
    }

    async fn stop(&mut self) -> Result<(), Error> {
        let pid = self.child.id().ok_or_else(|| self.failed("ended by itself"))?;
        // A shell's way to send SIGTERM: the standard library has none without unsafe code.
        let mut kill = command(Path::new("kill"));
        kill.args(["-TERM", &pid.to_string()]);
        run(kill).await?;
        match timeout(DRAIN_MAX, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(&format!("stopped with {status}"))),
            Ok(Err(error)) => Err(Error::io("drawbridge", error)),
            Err(_) => Err(self.failed("did not drain in time")),
        }
    }

    /// The end of its log goes with the message: the folder will be gone.
    fn failed(&self, what: &str) -> Error {
        const LINES: usize = 10;
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
        Error::CannotRun(format!("drawbridge: {what}\n{tail}"))
    }
}

async fn run(mut command: Command) -> Result<Output, Error> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    match timeout(COMMAND_MAX, command.output()).await {
        Ok(output) => output.map_err(|e| Error::io(name, e)),
        Err(_) => Err(Error::CannotRun(format!("{name}: did not end in time"))),
    }
}

/// Two free ports. Both are held until both are known, else they might be the same one.
fn free_addresses() -> Result<(SocketAddr, SocketAddr), Error> {
    let free = || TcpListener::bind("127.0.0.1:0").map_err(|e| Error::io("a free port", e));
    let (first, second) = (free()?, free()?);
    let address = |listener: &TcpListener| listener.local_addr().map_err(|e| Error::io("a free port", e));
    Ok((address(&first)?, address(&second)?))
}
