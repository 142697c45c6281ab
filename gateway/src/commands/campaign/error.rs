//! How a subcommand about campaigns ends.
use std::process::ExitCode;

use shards::InstallationError;
use shards::meta::{LifeError, PublishError, RollbackError};

use crate::commands::output::{fail, refuse, say};
use crate::commands::storage::OpenError;
use crate::config::ConfigError;
use crate::text::printable;

/// Why a subcommand did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CampaignError {
    /// A rule is against it; nothing has changed.
    #[error("{0}")]
    Refused(String),
    /// The person who was asked said no.
    #[error("it was not confirmed; nothing has changed")]
    NotConfirmed,
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Installation(#[from] InstallationError),
}

impl From<LifeError> for CampaignError {
    fn from(error: LifeError) -> Self {
        let text = error.to_string();
        match error {
            LifeError::Unknown(_) | LifeError::Closed(_) => Self::Refused(text),
            LifeError::Change(_) => Self::Failed(text),
        }
    }
}

impl From<PublishError> for CampaignError {
    fn from(error: PublishError) -> Self {
        let text = error.to_string();
        match error {
            PublishError::Invalid(_) | PublishError::Refused(_) => Self::Refused(text),
            PublishError::Store(_) => Self::Failed(text),
        }
    }
}

impl From<RollbackError> for CampaignError {
    fn from(error: RollbackError) -> Self {
        match error {
            RollbackError::Unknown(..) => Self::Refused(error.to_string()),
            RollbackError::Publish(error) => error.into(),
            RollbackError::Change(error) => Self::Failed(error.to_string()),
        }
    }
}

/// Prints what came of a subcommand.
pub(super) fn end(done: Result<String, CampaignError>) -> ExitCode {
    match done {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        // Others wrote the reasons that it may quote.
        Err(CampaignError::Refused(why)) => {
            let lines: Vec<_> = why.lines().map(printable).collect();
            refuse(lines.join("\n"))
        }
        Err(error @ CampaignError::NotConfirmed) => refuse(error),
        Err(error) => fail(error),
    }
}
