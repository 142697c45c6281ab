//! Stock: units of limited prizes, taken by batches under grants.
//!
//! A lane takes units for a whole batch under a grant id, and either settles the grant after
//! the batch has committed or gives it back after the batch was undone. Both act only on a
//! grant that is still open, so doing them twice is harmless.
mod memory;

use std::future::Future;

use market::batch::{Prize, Units};

pub use memory::MemoryStock;

use crate::store::GrantId;

/// The stock cannot be asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stock is away: {0}")]
pub struct StockAway(pub String);

/// Where lanes take units from.
pub trait Stock: Send + Sync + 'static {
    /// Takes up to the wanted units of each prize under a new grant; answers what was granted.
    fn take(&self, grant: GrantId, wants: &[Units]) -> impl Future<Output = Result<Vec<Units>, StockAway>> + Send;
    /// The grant's batch has committed and used these units; the others go back.
    fn settle(&self, grant: GrantId, used: &[Units]);
    /// The grant's batch will never commit: all its units go back.
    fn give_back(&self, grant: GrantId);
}

/// One prize's stock at one moment: `total = left + open + issued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Which prize.
    pub prize: Prize,
    /// Units there are in all.
    pub total: u64,
    /// Units to be taken.
    pub left: u64,
    /// Units under open grants.
    pub open: u64,
    /// Units in orders.
    pub issued: u64,
}
