//! How one try of a batch fails, and what its callers are answered.
use std::time::Duration;

use market::Refusal;
use market::batch::StockItem;

use crate::error::CommandError;
use crate::stock::StockUnavailable;
use crate::store::StoreError;

/// A batch that keeps meeting conflicts or locks is halved until this long after it began. Then the
/// rest is refused, because all commands behind it wait as well.
const HALVING_MAX: Duration = Duration::from_millis(1_500);

/// How one try of a batch failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another process was faster: plan again.
    Conflict(String),
    /// The database refuses something in it: halve it.
    Data(String),
    /// Another process has locked a row of it.
    Held(Lock),
    /// The stock cannot be asked: plan again without it.
    StockUnavailable,
    /// Units of these items are still on their way: plan again without them.
    Undelivered(Vec<StockItem>),
    /// Answer every caller with this.
    Final(CommandError),
}

/// A lock that a batch met.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) why: String,
    /// Whether the statement waited for it.
    pub(super) waited: bool,
    /// Whether it may have been that of a rebuild of the stock, which commits of units wait for.
    pub(super) may_be_rebuild: bool,
}

impl Failure {
    /// Whether each half of the batch is to be tried by itself, this long after it began.
    pub(super) fn is_halved(&self, elapsed: Duration) -> bool {
        match self {
            Self::Data(_) => true,
            Self::Conflict(_) | Self::Held(_) => elapsed < HALVING_MAX,
            Self::StockUnavailable | Self::Undelivered(_) | Self::Final(_) => false,
        }
    }

    /// What callers are answered when nothing is tried any more.
    pub(super) fn into_error(self) -> CommandError {
        match self {
            Self::Final(error) => error,
            Self::Held(_) => CommandError::Held,
            Self::StockUnavailable | Self::Undelivered(_) => {
                CommandError::Refused(Refusal::StockUnavailable)
            }
            Self::Conflict(why) => {
                tracing::warn!(error = why, "gave up a batch that others kept changing");
                CommandError::ShardUnavailable
            }
            Self::Data(why) => {
                tracing::error!(error = why, "the database refuses a command");
                CommandError::DataRefused
            }
        }
    }

    /// A failure of statements that met a lock like this, if it was one.
    pub(super) fn of_store(error: StoreError, waited: bool, may_be_rebuild: bool) -> Self {
        match error {
            StoreError::Held(why) => Self::Held(Lock {
                why,
                waited,
                may_be_rebuild,
            }),
            StoreError::Conflict(why) => Self::Conflict(why),
            StoreError::Data(why) => Self::Data(why),
            StoreError::Fenced(why) => {
                tracing::warn!(error = why, "the stock is being rebuilt");
                Self::StockUnavailable
            }
            StoreError::Unavailable(why) => {
                tracing::warn!(error = why, "the shard is unavailable");
                Self::Final(CommandError::ShardUnavailable)
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::of_store(error, true, false)
    }
}

impl From<StockUnavailable> for Failure {
    fn from(error: StockUnavailable) -> Self {
        match error {
            StockUnavailable::Undelivered(items) => Self::Undelivered(items),
            StockUnavailable::Unavailable(_) | StockUnavailable::EndedAtOnce(_) => {
                Self::StockUnavailable
            }
        }
    }
}
