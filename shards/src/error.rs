//! Why a command has no result, and why a read has none.
use std::time::Duration;

use market::Refusal;

use crate::store::StoreError;

/// Why a command has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A rule refuses it; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait for this shard; nothing has changed.
    #[error("too many commands wait")]
    QueueFull,
    /// The command waited too long and was not executed.
    #[error("the command waited too long and was not executed")]
    TooOld,
    /// The command was taken but its commit is not confirmed: it may have been executed.
    #[error("it is not known yet whether the command was executed")]
    OutcomeUnknown,
    /// The user's shard does not answer; nothing has changed.
    #[error("the user's shard is unavailable")]
    ShardUnavailable,
    /// The breaker of the user's shard is open; nothing has changed.
    #[error("the breaker of the user's shard is open")]
    BreakerOpen {
        /// How long it refuses all calls.
        retry_after: Duration,
    },
    /// Another process has held locks on the user's rows for a while, usually a gateway that stands
    /// still. Nothing has changed.
    #[error("another gateway holds this user's account")]
    Held,
    /// This process's clock and the shard's differ too much to plan by; nothing has changed.
    #[error("this gateway's clock differs from the shard's by {ahead_seconds} s")]
    ClocksDiffer {
        /// By how much ours is ahead; negative when it is behind.
        ahead_seconds: i64,
    },
    /// The database refuses the command's data; nothing has changed.
    #[error("the database refuses the command's data")]
    DataRefused,
    /// The server is stopping; nothing has changed.
    #[error("the server is stopping")]
    Stopping,
}

/// Why a read has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too many reads wait for this shard.
    #[error("too many reads wait")]
    QueueFull,
    /// The shard did not answer in time or at all.
    #[error("the user's shard is unavailable")]
    ShardUnavailable,
    /// The breaker of the user's shard is open.
    #[error("the breaker of the user's shard is open")]
    BreakerOpen {
        /// How long it admits no command.
        retry_after: Duration,
    },
    /// A stored row has a value that it cannot have.
    #[error("a stored row cannot be understood")]
    RowUnreadable,
}

impl From<&StoreError> for ReadError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Data(_) => Self::RowUnreadable,
            _ => Self::ShardUnavailable,
        }
    }
}
