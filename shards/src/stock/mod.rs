//! Stock: units of limited prizes, taken by batches under grants.
//!
//! A lane takes units for a whole batch under a grant id, and either settles the grant after
//! the batch has committed or gives it back after the batch was undone. Both act only on a
//! grant that is still open, so doing them twice is harmless.
//!
//! [`MemoryStock`] serves the embedded default; the cluster's stock lies on servers of its own.
pub mod cluster;
#[cfg(test)]
pub(crate) mod conformance;
pub(crate) mod grants;
pub mod ids;
mod memory;
pub(crate) mod snapshot;
pub(crate) mod spread;

use std::future::Future;
use std::sync::Arc;

use market::batch::{Prize, Units};

pub use self::grants::{Granted, Part, Receipt};
pub use self::ids::{Epoch, ServerId};
pub use self::memory::MemoryStock;
pub use self::snapshot::Snapshot;

use crate::grant::GrantId;

/// The stock cannot be asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockUnavailable {
    /// It does not answer, or not with what can be used.
    #[error("the stock is unavailable: {0}")]
    Unavailable(String),
    /// The asking ended at once, because of the connection and not of the server behind it: worth
    /// one more try, on a new one.
    #[error("the stock is unavailable: {0}")]
    EndedAtOnce(String),
    /// All answered, but of these prizes some units are still on their way.
    #[error("{}", undelivered(.0))]
    Undelivered(Vec<Prize>),
}

fn undelivered(prizes: &[Prize]) -> String {
    let names = prizes
        .iter()
        .map(|prize| format!("award {} of activity {}", prize.award, prize.activity));
    format!(
        "units have not been delivered yet: {}",
        names.collect::<Vec<_>>().join(", ")
    )
}

/// Where a lane takes units from.
pub trait Stock: Send + Sync + 'static {
    /// Takes up to the wanted units of each prize under a new grant; answers what was granted,
    /// which is less only where there is no more. After an error the grant id must not be used
    /// again: what was granted without the caller hearing of it is found and returned by others.
    fn take(
        &self,
        grant: GrantId,
        wants: &[Units],
    ) -> impl Future<Output = Result<Granted, StockUnavailable>> + Send;
    /// The grant's batch has committed and used these units; the others go back.
    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]);
    /// The grant's batch will never commit: all its units go back.
    fn give_back(&self, grant: GrantId, granted: &Granted);
    /// Grants of this lane that are closed wherever they were open, for its next batch to delete
    /// their receipts; not all at once. Each is answered once: a receipt that stays is found by
    /// others.
    fn closed(&self) -> Vec<GrantId> {
        Vec::new()
    }
}

impl<K: Stock> Stock for Arc<K> {
    async fn take(&self, grant: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        K::take(self, grant, wants).await
    }

    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]) {
        K::settle(self, grant, granted, used);
    }

    fn give_back(&self, grant: GrantId, granted: &Granted) {
        K::give_back(self, grant, granted);
    }

    fn closed(&self) -> Vec<GrantId> {
        K::closed(self)
    }
}
