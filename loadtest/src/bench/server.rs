//! The servers under test: child processes that end with the value that holds them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use testkit::servers::free_address;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::bench::drawbridge::{Drawbridge, GatewayStore, wait_drawing};
use crate::bench::options::{ACTIVITY, Programs};
use crate::bench::process::{POLL_INTERVAL, command, last_lines, run, terminate};
use crate::connection::Connection;
use crate::cpu::Watched;
use crate::error::Error;
use crate::request::get;
use crate::target::parse_listen;

const HELLO_READY_MAX: Duration = Duration::from_secs(5);
const GATEWAY_READY_MAX: Duration = Duration::from_secs(20);
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// The bare server, in a process of its own as the gateway is.
pub(super) struct Hello {
    child: Child,
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
        Ok(Self { child, address })
    }

    pub(super) fn watched(&self) -> Watched {
        Watched::new(vec![("hello", self.child.id().into_iter().collect())])
    }
}

/// The gateway over a new data folder. The process is the first field, so that it is killed before
/// the folder is removed.
pub(super) struct Gateway {
    child: Child,
    pub(super) address: SocketAddr,
    admin: SocketAddr,
    drawbridge: Drawbridge,
    folder: TempDir,
}

impl Gateway {
    /// Starts it with these settings in its environment, publishes the campaign, and returns when
    /// draws succeed.
    pub(super) async fn start(
        programs: &Programs,
        parent: &Path,
        settings: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let folder =
            tempfile::tempdir_in(parent).map_err(|e| Error::io(parent.display().to_string(), e))?;
        let (address, admin) = (free_address(), free_address());
        let data = folder.path().join("data");
        let log = std::fs::File::create(folder.path().join("log"))
            .map_err(|e| Error::io("the gateway's log", e))?;
        let stdout = log
            .try_clone()
            .map_err(|e| Error::io("the gateway's log", e))?;
        let child = command(&programs.drawbridge)
            .arg("serve")
            .arg("--data")
            .arg(&data)
            .args(["--listen", &address.to_string()])
            .args(["--admin", &admin.to_string()])
            .envs(settings.iter().copied())
            .stdout(stdout)
            .stderr(log)
            .spawn()
            .map_err(|e| Error::io(programs.drawbridge.display().to_string(), e))?;
        let drawbridge = Drawbridge {
            program: programs.drawbridge.clone(),
            store: GatewayStore::Data(data),
        };
        let mut gateway = Self {
            child,
            address,
            admin,
            drawbridge,
            folder,
        };
        gateway.wait_ready().await?;
        gateway.drawbridge.publish(&programs.campaign).await?;
        wait_drawing(address, ACTIVITY)
            .await
            .map_err(|why| gateway.failed(&why))?;
        Ok(gateway)
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

    pub(super) fn watched(&self) -> Watched {
        Watched::new(vec![("gateway", self.child.id().into_iter().collect())])
    }

    /// Runs an operator's command through its admin address.
    pub(super) async fn order(&self, words: &[&str]) -> Result<(), Error> {
        let mut order = command(&self.drawbridge.program);
        order.args(words).args([
            "--reason",
            "a benchmark",
            "--admin",
            &format!("http://{}", self.admin),
        ]);
        order
            .arg("--token-file")
            .arg(self.folder.path().join("data/admin-token"));
        let output = run(order).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(self.failed(&format!(
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    /// Drains and stops it, then audits its data.
    pub(super) async fn stop_and_audit(mut self) -> Result<(), Error> {
        self.stop().await?;
        self.drawbridge.audit().await
    }

    async fn stop(&mut self) -> Result<(), Error> {
        let pid = self
            .child
            .id()
            .ok_or_else(|| self.failed("ended by itself"))?;
        terminate(pid).await?;
        match timeout(DRAIN_MAX, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(&format!("stopped with {status}"))),
            Ok(Err(error)) => Err(Error::io("drawbridge", error)),
            Err(_) => Err(self.failed("did not drain in time")),
        }
    }

    fn failed(&self, what: &str) -> Error {
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        Error::CannotRun(format!("drawbridge: {what}\n{}", last_lines(&log)))
    }
}
