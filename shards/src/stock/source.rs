//! Where lanes take units from.
use std::future::Future;
use std::sync::Arc;

use market::batch::{Prize, Units};

use super::grants::{Granted, Part};
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
