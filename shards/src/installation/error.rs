//! Why an installation cannot be used.
use router::MapError;

use super::cluster::ClusterError;
use super::embedded::{FolderError, StartError};
use crate::meta::PublishError;
use crate::store::StoreError;

/// Why an installation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The files of the data folder.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The layout is impossible.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The first campaigns of an installation that has none.
    #[error("the demo campaigns cannot be published: {0}")]
    FirstCampaigns(PublishError),
    /// This kind of installation cannot do that, with the reason.
    #[error("{0}")]
    NotOffered(&'static str),
    /// The stock servers could not be asked, or refused.
    #[error("{0}")]
    StockServers(String),
}
