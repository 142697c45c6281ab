//! Why a run can fail, and its exit code.

use std::io;
use std::process::ExitCode;

use thiserror::Error;

/// Why a run ended without a result.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A file, a socket or a process could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The file, socket or process.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// A database returned an error.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The run was impossible.
    #[error("{0}")]
    CannotRun(String),
    /// The run ended, and one of its checks does not hold.
    #[error("{0}")]
    DoesNotHold(String),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        Self::Io { what, source }
    }

    /// 1 for a fault of the system under test, 2 for a run that could not check it. `drawbridge
    /// audit` uses the same codes.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::DoesNotHold(_) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// A response that a correct server does not send.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("malformed response: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);
