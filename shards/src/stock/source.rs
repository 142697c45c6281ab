//! The stock that lanes take units from.
use std::future::Future;
use std::sync::Arc;

use market::batch::{StockItem, Units};

use super::grants::{Granted, Part};
use crate::grant::GrantId;

/// Why the stock gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockUnavailable {
    /// It does not answer, or its answer cannot be used.
    #[error("the stock is unavailable: {0}")]
    Unavailable(String),
    /// The connection failed at once, which says nothing about the server. One more try, on a new
    /// connection, may succeed.
    #[error("the stock is unavailable: {0}")]
    EndedAtOnce(String),
    /// All servers answered, but some units of these items were not delivered yet.
    #[error("{}", undelivered(.0))]
    Undelivered(Vec<StockItem>),
}

fn undelivered(items: &[StockItem]) -> String {
    let names: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("units have not been delivered yet: {}", names.join(", "))
}

/// The stock that a lane takes units from.
pub trait Stock: Send + Sync + 'static {
    /// Takes the wanted units of each item under a new grant. Returns what was granted: less only
    /// where there are no more units. After an error the grant id must not be used again: units may
    /// have been granted although the answer was lost. A job finds and returns them.
    fn take(
        &self,
        grant: GrantId,
        wants: &[Units],
    ) -> impl Future<Output = Result<Granted, StockUnavailable>> + Send;
    /// Settles a grant whose batch has committed and used these units. The others go back.
    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]);
    /// Gives back all units of a grant whose batch will never commit.
    fn give_back(&self, grant: GrantId, granted: &Granted);
    /// Some grants of this lane that are closed wherever they were open. The next batch deletes
    /// their receipts. Each is returned once: a job finds receipts that stay.
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
