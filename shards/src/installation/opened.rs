//! An installation that commands work on.
use super::cluster::Cluster;
use super::embedded::Folder;
use super::error::InstallationError;
use super::options::InstallationOptions;

/// An existing installation that commands work on. A server may run beside them.
pub struct Installation {
    pub(super) back_end: BackEnd,
}

/// The kinds of an installation.
pub(crate) enum BackEnd {
    /// The embedded default.
    Embedded(Folder),
    /// A cluster.
    Cluster(Cluster),
}

impl Installation {
    /// Opens an existing installation. A data folder must exist; of a cluster only the meta
    /// database must answer.
    pub async fn open(options: &InstallationOptions) -> Result<Self, InstallationError> {
        let back_end = match options {
            InstallationOptions::Embedded(options) => {
                BackEnd::Embedded(Folder::existing(&options.data)?)
            }
            InstallationOptions::Cluster(options) => BackEnd::Cluster(options.open().await?),
        };
        Ok(Self { back_end })
    }

    /// The same, up to date for changes.
    pub async fn open_for_changes(
        options: &InstallationOptions,
    ) -> Result<Self, InstallationError> {
        Self::open(options).await?.up_to_date().await
    }

    /// The same, for a publication. A campaign can be published before the server's first start: a
    /// data folder that the caller named is made when it is missing. Returns whether it was made.
    pub async fn open_for_publication(
        options: &InstallationOptions,
    ) -> Result<(Self, bool), InstallationError> {
        let (installation, made) = match options {
            InstallationOptions::Embedded(options) => {
                let (folder, made) = options.folder_for_publication()?;
                let back_end = BackEnd::Embedded(folder);
                (Self { back_end }, made)
            }
            cluster @ InstallationOptions::Cluster(_) => (Self::open(cluster).await?, false),
        };
        Ok((installation.up_to_date().await?, made))
    }

    /// Migrates what a command may migrate.
    async fn up_to_date(self) -> Result<Self, InstallationError> {
        if let BackEnd::Embedded(folder) = &self.back_end {
            folder.meta().await?;
        }
        Ok(self)
    }

    pub(crate) fn back_end(&self) -> &BackEnd {
        &self.back_end
    }
}
