//! The storage of a server while it runs.
use std::sync::Arc;

use jiff::Timestamp;
use prometheus::Registry;
use shards::Shards;
use shards::cluster::Cluster;
use shards::embedded::{Embedded, Folder, Held, StartError};

use super::error::ServeError;
use crate::config::{Config, StorageConfig};

/// The campaigns of a server that has none.
const DEMO_CAMPAIGNS: [&str; 2] = [
    include_str!("../../../../deploy/campaigns/100301.toml"),
    include_str!("../../../../deploy/campaigns/100401.toml"),
];

/// The storage that serves.
pub(super) enum Running {
    Embedded(Embedded),
    Cluster(Cluster),
}

impl Running {
    pub(super) fn shards(&self) -> &Arc<Shards> {
        match self {
            Running::Embedded(embedded) => &embedded.shards,
            Running::Cluster(cluster) => &cluster.shards,
        }
    }

    /// Commits what is queued and ends the lanes and jobs. A data folder is still held after it.
    pub(super) async fn drain(self) -> Option<Held> {
        match self {
            Running::Embedded(embedded) => Some(embedded.drain().await),
            Running::Cluster(cluster) => {
                cluster.drain().await;
                None
            }
        }
    }
}

/// Opens the storage and starts its lanes.
pub(super) async fn start(config: &Config, registry: &Registry) -> Result<Running, ServeError> {
    match &config.storage {
        StorageConfig::Embedded(embedded) => {
            let folder = Folder::create(&embedded.data)?;
            if let Some(warning) = folder.access_warning() {
                tracing::warn!("{warning}");
            }
            let held = folder.hold().await?;
            publish_demo(&held).await?;
            Ok(Running::Embedded(
                held.start(embedded.options(config.sizes), registry).await?,
            ))
        }
        StorageConfig::Cluster(options) => {
            let cluster = options.open().await?;
            Ok(Running::Cluster(
                cluster.start(config.sizes, registry).await?,
            ))
        }
    }
}

/// Publishes the demo campaigns on a server that has no campaign yet.
async fn publish_demo(held: &Held) -> Result<(), ServeError> {
    let meta = held.meta();
    // Every publication raises the revision.
    if meta.revision().await.map_err(StartError::from)? == 0 {
        meta.campaigns()
            .publish(&DEMO_CAMPAIGNS, "drawbridge serve", Timestamp::now())
            .await?;
    }
    Ok(())
}
