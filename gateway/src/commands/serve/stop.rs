//! How a server stops: it leaves the load balancer, answers the requests that it has accepted,
//! commits them, and only then releases its storage.
use std::sync::Arc;

use shards::Serving;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::doors::Doors;
use super::signals::Signals;
use crate::admin::Admin;
use crate::config::DrainConfig;
use crate::fleet::Fleet;
use crate::reload::Reloader;

/// How a server ended after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerEnding {
    /// All that it had taken on is done.
    Clean,
    /// Something was not done by the deadline.
    Cut,
}

/// A server that serves.
pub(super) struct RunningServer {
    doors: Doors,
    admin: Arc<Admin>,
    reloader: Arc<Reloader>,
    fleet: Arc<Fleet>,
    storage: Serving,
    stop_fleet: watch::Sender<bool>,
    obeying: JoinHandle<()>,
}

impl RunningServer {
    /// Has it follow the settings for all gateways, and be ready.
    pub(super) fn begin(
        doors: Doors,
        (admin, reloader, fleet): (Arc<Admin>, Arc<Reloader>, Arc<Fleet>),
        storage: Serving,
    ) -> Self {
        let (stop_fleet, fleet_stops) = watch::channel(false);
        let obeying = tokio::spawn(fleet.clone().run(fleet_stops));
        admin.set_ready(true);
        Self {
            doors,
            admin,
            reloader,
            fleet,
            storage,
            stop_fleet,
            obeying,
        }
    }

    /// Waits for a stop, and carries it out. A second signal cuts the grace short.
    pub(super) async fn until_stopped(
        self,
        mut signals: Signals,
        drain: DrainConfig,
    ) -> ServerEnding {
        signals.stop(|| self.reload()).await;
        self.admin.set_ready(false);
        self.doors.close_after_answers();
        tracing::info!(grace = ?drain.grace, "not ready any more");
        let _ = timeout(drain.grace, signals.stop(|| ())).await;
        self.drain(drain).await
    }

    /// Reloads the configuration. The log says how that went: a signal has no answer.
    fn reload(&self) {
        let reloaded = self.reloader.reload();
        self.fleet
            .reloaded(reloaded.is_ok_and(|reloaded| reloaded.is_whole()));
    }

    async fn drain(self, drain: DrainConfig) -> ServerEnding {
        let Self {
            mut doors,
            admin,
            reloader,
            fleet,
            storage,
            stop_fleet,
            obeying,
        } = self;
        tracing::info!("draining");
        let deadline = Instant::now() + drain.deadline;
        let requests_cut = doors.drain_public().await;
        let drained = timeout_at(deadline, storage.drain()).await;
        if drained.is_err() {
            // No answered request is lost: what is cut off here was never answered.
            tracing::error!("the shards did not end before the deadline");
        }
        stop_fleet.send_replace(true);
        let _ = obeying.await;
        fleet.leave().await;
        doors.drain_admin().await;
        // With them go the last connections to the files.
        drop((reloader, admin, fleet));
        let ending = if requests_cut == 0 && drained.is_ok() {
            ServerEnding::Clean
        } else {
            ServerEnding::Cut
        };
        if let Ok(drained) = drained {
            drained.let_go().await;
        }
        tracing::info!(clean = ending == ServerEnding::Clean, "stopped");
        ending
    }
}
