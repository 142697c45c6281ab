//! Why a cluster cannot be used.
use router::MapError;

use crate::stock::ids::ServerId;
use crate::store::{MigrateError, StoreError};

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The configured layout is impossible.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A stock server's options are invalid.
    #[error("storage.redis: {0}")]
    Notifications(String),
    /// Metrics cannot be registered.
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The meta database was never migrated.
    #[error("the cluster is not laid out yet: run `drawbridge migrate` first")]
    NotMigrated,
    /// Gateways of the version before are running. They cannot use the converted tables.
    #[error(
        "gateways of the version before run: {}; stop them, then run `drawbridge migrate` again (one that was killed counts for \
         {} seconds)",
        .0.join(", "),
        crate::meta::SILENT_AFTER.as_secs()
    )]
    OlderGateways(Vec<String>),
    /// The cluster was laid out differently.
    #[error(
        "the cluster has {found}, the configuration says {configured}: that is fixed by the first `drawbridge migrate`; \
         configure what it has, or use empty databases"
    )]
    Layout {
        /// The layout that is stored.
        found: String,
        /// The layout that is configured.
        configured: String,
    },
    /// The meta database.
    #[error("meta database: {0}")]
    Meta(StoreError),
    /// A database's schema.
    #[error("{name}: {error}")]
    Migrate {
        /// Which database.
        name: String,
        /// What is wrong.
        error: MigrateError,
    },
    /// A stock server's configuration.
    #[error("stock server {server}: {error}")]
    Redis {
        /// Which server.
        server: ServerId,
        /// What is wrong.
        error: String,
    },
    /// Databases or stock servers are not the ones that the configuration means; one line for each.
    #[error("{}", .0.join("\n"))]
    NotOurs(Vec<String>),
}
