//! What can stop a run, and the exit code that it stops with.

use std::io;
use std::process::ExitCode;

use thiserror::Error;

/// Why a run ended without the answer that was asked for.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A file, a socket or a process could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was being used.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A database did not do what it was asked to.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The run could not be made at all.
    #[error("{0}")]
    CannotRun(String),
    /// The run was made, and what it checked does not hold.
    #[error("{0}")]
    DoesNotHold(String),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        Self::Io { what, source }
    }

    /// 1 says that the system under test is at fault, 2 that we could not look; `audit` has the
    /// same.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::DoesNotHold(_) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// An answer that a correct server does not send.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("malformed answer: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);
