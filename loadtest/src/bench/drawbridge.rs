//! Commands on any gateway, embedded or in a cluster: publish, wait until draws succeed, audit.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::bench::process::{POLL_INTERVAL, command, run};
use crate::connection::Connection;
use crate::error::Error;
use crate::request::{Keys, Requests};
use crate::response::code_of;

const CAMPAIGN_LIVE_MAX: Duration = Duration::from_secs(10);

/// The store of a gateway's draws, as its command line takes it.
#[derive(Clone, Debug)]
pub(super) enum GatewayStore {
    /// The data folder of the embedded default.
    Data(PathBuf),
    /// The configuration of a cluster's gateway.
    Config(PathBuf),
}

/// The gateway's binary, for commands on one store.
#[derive(Clone, Debug)]
pub(super) struct Drawbridge {
    pub(super) program: PathBuf,
    pub(super) store: GatewayStore,
}

impl Drawbridge {
    /// Publishes a campaign; a running gateway reads it soon.
    pub(super) async fn publish(&self, campaign: &Path) -> Result<(), Error> {
        let mut publish = command(&self.program);
        publish.args(["campaign", "publish"]).arg(campaign);
        let output = run(self.at_store(publish)).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::CannotRun(format!(
            "campaign publish: {}, {}",
            output.status,
            said.trim()
        )))
    }

    /// Fails when a check does not hold. Without draws at the same time, no check is skipped.
    pub(super) async fn audit(&self) -> Result<(), Error> {
        let mut audit = command(&self.program);
        audit.args(["audit", "--json"]);
        let output = run(self.at_store(audit)).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(Error::DoesNotHold(format!(
            "audit: {}\n{said}{complaint}",
            output.status
        )))
    }

    /// One of its commands, on that store.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.program);
        command.args(arguments);
        self.at_store(command)
    }

    fn at_store(&self, mut command: Command) -> Command {
        match &self.store {
            GatewayStore::Data(folder) => command.arg("--data").arg(folder),
            GatewayStore::Config(file) => command.arg("--config").arg(file),
        };
        command
    }
}

/// Waits until a draw of `activity` succeeds. The error has the last response.
pub(super) async fn wait_drawing(address: SocketAddr, activity: u64) -> Result<(), String> {
    let deadline = Instant::now() + CAMPAIGN_LIVE_MAX;
    let mut requests = Requests::draws(address, activity, Keys::new(0, 0));
    let mut probe = Connection::new(address);
    let mut last = String::new();
    while Instant::now() < deadline {
        last = match probe.exchange(requests.next(0)).await {
            Ok(answer) if code_of(answer.body) == Some("0000") => return Ok(()),
            Ok(answer) => String::from_utf8_lossy(answer.body).into_owned(),
            Err(error) => error.to_string(),
        };
        sleep(POLL_INTERVAL).await;
    }
    Err(format!(
        "no draw on {activity} in time, last response {last}"
    ))
}
