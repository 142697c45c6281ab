//! An installation that commands work on.
use super::cluster::Cluster;
use super::embedded::Folder;
use super::error::InstallationError;
use super::options::InstallationOptions;

/// An installation that is there: what commands work on, beside whatever serves from it.
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
    /// Opens what is there. A data folder must exist; of a cluster only the meta database must
    /// answer.
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
        let installation = Self::open(options).await?;
        if let BackEnd::Embedded(folder) = &installation.back_end {
            folder.meta().await?;
        }
        Ok(installation)
    }

    /// The same, for a publication. A campaign can be there before the server's first start: a data
    /// folder that the caller named is made where it is missing. Returns whether it was made.
    pub async fn open_for_publication(
        options: &InstallationOptions,
    ) -> Result<(Self, bool), InstallationError> {
        let made = match options {
            InstallationOptions::Embedded(options) => options.make_named_folder()?,
            InstallationOptions::Cluster(_) => false,
        };
        Ok((Self::open_for_changes(options).await?, made))
    }

    pub(crate) fn back_end(&self) -> &BackEnd {
        &self.back_end
    }
}
