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
mod memory;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use market::batch::{Prize, Units};

pub use memory::MemoryStock;

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

/// One of the independent stock servers, from 1 to 15. 0 stands for none: stock in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub u8);

impl ServerId {
    /// No server.
    pub const NONE: Self = Self(0);
    /// The largest number that a server can have.
    pub const MAX: u8 = 15;
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a stock server was rebuilt. Units granted under one epoch cannot be issued under a
/// later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Units of one prize out of one segment of its stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Where the segment lies.
    pub server: ServerId,
    /// Of which prize.
    pub prize: Prize,
    /// The segment's number within the prize.
    pub segment: u16,
    /// How many.
    pub count: u32,
}

/// What was granted to a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// The units, each part in the order in which it is used up.
    pub parts: Vec<Part>,
    /// Under which epoch each server granted its part.
    pub epochs: BTreeMap<ServerId, Epoch>,
}

impl Granted {
    /// The granted units, one entry per prize.
    pub fn units(&self) -> Vec<Units> {
        let mut counts: BTreeMap<Prize, u32> = BTreeMap::new();
        for part in &self.parts {
            *counts.entry(part.prize).or_default() += part.count;
        }
        counts
            .into_iter()
            .map(|(prize, count)| Units { prize, count })
            .collect()
    }

    /// The parts that make up the `used` units.
    pub fn used(&self, used: &[Units]) -> Vec<Part> {
        let mut wanted: BTreeMap<Prize, u32> = used
            .iter()
            .map(|units| (units.prize, units.count))
            .collect();
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let Some(wanted) = wanted.get_mut(&part.prize) else {
                continue;
            };
            let count = part.count.min(*wanted);
            *wanted -= count;
            if count > 0 {
                parts.push(Part { count, ..*part });
            }
        }
        parts
    }

    /// What a batch writes down that used these units. Servers that gave none of them have no say
    /// in it.
    pub fn receipt(&self, used: &[Units]) -> Receipt {
        let used = self.used(used);
        let gave = |server: &ServerId| used.iter().any(|part| part.server == *server);
        let epochs = self.epochs.iter().filter(|(server, _)| gave(server));
        Receipt {
            epochs: epochs.map(|(&server, &epoch)| (server, epoch)).collect(),
            used,
            closed: Vec::new(),
        }
    }
}

/// What a batch writes down about its grant, in its own transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The units that its orders took.
    pub used: Vec<Part>,
    /// The epochs that must still be current when the batch commits.
    pub epochs: BTreeMap<ServerId, Epoch>,
    /// Earlier grants that are closed wherever they were open: their receipts can go.
    pub closed: Vec<GrantId>,
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

/// One prize's stock at one moment: `total = left + open + issued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
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
