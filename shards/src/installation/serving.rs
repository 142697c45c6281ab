//! A running gateway.
use std::sync::Arc;

use jiff::Timestamp;
use market::UserId;
use prometheus::Registry;

use super::assembly::Purpose;
use super::cluster::Cluster;
use super::embedded::{EmbeddedOptions, Folder, Held, StartError};
use super::error::InstallationError;
use super::opened::Installation;
use super::options::InstallationOptions;
use super::sizes::GatewaySizes;
use crate::jobs::Runner;
use crate::service::Shards;

/// The publisher of the first campaigns, for the records.
const PUBLISHER: &str = "drawbridge serve";

/// A running gateway. Dropping it without [`Serving::drain`] loses nothing: what was answered is in
/// the databases.
pub struct Serving {
    /// The shards, for commands and reads.
    pub shards: Arc<Shards>,
    runner: Runner,
    kept: Kept,
}

/// What a running gateway keeps alive.
pub(crate) enum Kept {
    Embedded(Held),
    Cluster(#[expect(dead_code, reason = "closes grants until it is dropped")] Cluster),
}

/// What is left of a gateway that has drained.
pub struct Drained(Option<Held>);

impl Installation {
    /// Serves from an installation. One that has a folder of its own and no campaign yet begins
    /// with `first_campaigns`.
    pub async fn serve(
        options: &InstallationOptions,
        sizes: GatewaySizes,
        registry: &Registry,
        first_campaigns: &[&str],
    ) -> Result<Serving, InstallationError> {
        match options {
            InstallationOptions::Embedded(options) => {
                let held = options.hold().await?;
                publish_first(&held, first_campaigns).await?;
                let running = held.serve(options, sizes, registry).await?;
                Ok(Serving::new(running, Kept::Embedded(held)))
            }
            InstallationOptions::Cluster(options) => {
                let cluster = options.open().await?;
                let running = cluster.serve(sizes, registry).await?;
                Ok(Serving::new(running, Kept::Cluster(cluster)))
            }
        }
    }

    /// Starts the lane of a user's rows, for commands of this user and no others. It runs beside
    /// the gateways of a cluster. A data folder must not be held by a server.
    pub async fn serve_user(
        options: &InstallationOptions,
        sizes: GatewaySizes,
        user: &UserId,
    ) -> Result<Serving, InstallationError> {
        let (registry, purpose) = (Registry::new(), Purpose::CommandsOf(user));
        match options {
            InstallationOptions::Embedded(options) => {
                let folder = Folder::existing(&options.data)?;
                let options = options.as_laid_out(&folder).await?;
                let held = folder.hold().await?;
                let running = held.start(&options, sizes, &registry, purpose).await?;
                Ok(Serving::new(running, Kept::Embedded(held)))
            }
            InstallationOptions::Cluster(options) => {
                let cluster = options.open().await?;
                let running = cluster.start(sizes, &registry, purpose).await?;
                Ok(Serving::new(running, Kept::Cluster(cluster)))
            }
        }
    }
}

impl EmbeddedOptions {
    /// These options with the layout of the folder, so that a command does not need the server's
    /// configuration.
    async fn as_laid_out(&self, folder: &Folder) -> Result<Self, InstallationError> {
        let found = folder.meta_for_reading().layout().slot_map().await?;
        let (_, shards, tables) = found.ok_or(InstallationError::NotOffered(
            "no server has served from this data folder yet",
        ))?;
        Ok(Self {
            shards,
            tables,
            ..self.clone()
        })
    }
}

impl Serving {
    pub(crate) fn new((shards, runner): (Shards, Runner), kept: Kept) -> Self {
        Self {
            shards: Arc::new(shards),
            runner,
            kept,
        }
    }

    /// Commits what is queued and ends everything. A data folder is still held.
    pub async fn drain(self) -> Drained {
        self.shards.drain().await;
        // After the lanes, so that the last snapshot of the stock is the final one.
        self.runner.stop().await;
        match self.kept {
            Kept::Embedded(held) => {
                held.note_stop(self.shards.map.shards()).await;
                Drained(Some(held))
            }
            Kept::Cluster(_) => Drained(None),
        }
    }
}

impl Drained {
    /// Releases a data folder: from now on its database files alone are everything. All connections
    /// to them must have been dropped.
    pub async fn let_go(self) {
        if let Some(held) = self.0 {
            held.let_go().await;
        }
    }
}

/// A new server gets some campaigns to try.
async fn publish_first(held: &Held, campaigns: &[&str]) -> Result<(), InstallationError> {
    let meta = held.meta();
    // Each publication raises the revision.
    if meta.revision().await.map_err(StartError::from)? == 0 {
        meta.campaigns()
            .publish(campaigns, PUBLISHER, Timestamp::now())
            .await
            .map_err(InstallationError::FirstCampaigns)?;
    }
    Ok(())
}
