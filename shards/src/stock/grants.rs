//! What a batch was granted, and what it notes about that.
use std::collections::BTreeMap;

use market::batch::{StockItem, Units};

use super::ids::{Epoch, ServerId};
use crate::grant::GrantId;

/// Units of one item out of one segment of its stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The server of the segment.
    pub server: ServerId,
    /// The item.
    pub item: StockItem,
    /// The segment's number within the item.
    pub segment: u16,
    /// The number of units.
    pub count: u32,
}

/// What was granted to a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// The units, in the order in which they are used.
    pub parts: Vec<Part>,
    /// The epoch under which each server granted its parts.
    pub epochs: BTreeMap<ServerId, Epoch>,
}

impl Granted {
    /// The granted units, one entry per item.
    pub fn units(&self) -> Vec<Units> {
        let mut counts: BTreeMap<StockItem, u32> = BTreeMap::new();
        for part in &self.parts {
            *counts.entry(part.item).or_default() += part.count;
        }
        counts
            .into_iter()
            .map(|(item, count)| Units { item, count })
            .collect()
    }

    /// The parts that make up the `used` units.
    pub fn used(&self, used: &[Units]) -> Vec<Part> {
        let mut wanted: BTreeMap<StockItem, u32> =
            used.iter().map(|units| (units.item, units.count)).collect();
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let Some(wanted) = wanted.get_mut(&part.item) else {
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

    /// The receipt of a batch that used these units. Servers that gave none of them are not in it.
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

/// What a batch notes about its grant, in its own transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The units that its orders took.
    pub used: Vec<Part>,
    /// The epochs that must still be current when the batch commits.
    pub epochs: BTreeMap<ServerId, Epoch>,
    /// Earlier grants that are closed wherever they were open: their receipts can be deleted.
    pub closed: Vec<GrantId>,
}
