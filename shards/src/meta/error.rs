//! Why a change of what gateways obey failed.
use crate::store::StoreError;

/// Why a change was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Nothing has changed.
    #[error("the change was not made: {0}")]
    NotMade(StoreError),
    /// The commit was not confirmed: the change may have been made.
    #[error("it is not known whether the change was made: {0}")]
    InDoubt(StoreError),
    /// The number of settings has reached its maximum. Nothing has changed.
    #[error("there are {0} settings, which is the maximum: clear some first")]
    TooMany(usize),
}

/// A failure before the commit: the transaction is rolled back.
impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::NotMade(error)
    }
}
