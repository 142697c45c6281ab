//! Stock in memory: the embedded default, rebuilt from the shards at each start.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use market::batch::{StockItem, Units};

use super::grants::{Granted, Part};
use super::ids::ServerId;
use super::snapshot::Snapshot;
use super::{Stock, StockUnavailable};
use crate::grant::GrantId;

/// The stock of one process. An item that was never stocked is not sold out: its units were not
/// delivered yet.
#[derive(Debug, Default)]
pub struct MemoryStock {
    units: Mutex<ItemUnits>,
}

#[derive(Debug, Default)]
struct ItemUnits {
    items: BTreeMap<StockItem, UnitCounts>,
    open: HashMap<GrantId, Vec<Part>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct UnitCounts {
    left: u64,
    open: u64,
    issued: u64,
}

impl UnitCounts {
    fn total(self) -> u64 {
        self.left + self.open + self.issued
    }
}

impl MemoryStock {
    /// Stock of which the shards have issued these units already. [`MemoryStock::set_total`] sets
    /// the totals after that.
    pub fn rebuilt(issued: impl IntoIterator<Item = (StockItem, u64)>) -> Self {
        let stock = Self::default();
        {
            let mut units = stock.lock();
            for (item, count) in issued {
                units.items.entry(item).or_default().issued += count;
            }
        }
        stock
    }

    /// Raises an item's total to `total`: the difference can be taken from now on. Does not lower
    /// it: [`MemoryStock::withdraw`] does, because issued units cannot be taken back.
    pub fn set_total(&self, item: StockItem, total: u64) {
        let mut stock = self.lock();
        let counts = stock.items.entry(item).or_default();
        counts.left += total.saturating_sub(counts.total());
    }

    /// Takes up to `units` out of an item's stock for good. Returns how many.
    pub fn withdraw(&self, item: StockItem, units: u64) -> u64 {
        let mut stock = self.lock();
        let counts = stock.items.entry(item).or_default();
        let taken = units.min(counts.left);
        counts.left -= taken;
        taken
    }

    /// Puts withdrawn units back whose withdrawal was not recorded and never will be.
    pub fn put_back(&self, item: StockItem, units: u64) {
        self.lock().items.entry(item).or_default().left += units;
    }

    /// How many units of an item can be taken now; `None` when it was never stocked.
    pub(crate) fn left(&self, item: StockItem) -> Option<u64> {
        self.lock().items.get(&item).map(|counts| counts.left)
    }

    /// All items at one moment.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let snapshot = |(&item, counts): (&StockItem, &UnitCounts)| Snapshot {
            item,
            total: counts.total(),
            left: counts.left,
            open: counts.open,
            issued: counts.issued,
        };
        self.lock().items.iter().map(snapshot).collect()
    }

    fn lock(&self) -> MutexGuard<'_, ItemUnits> {
        // No code under the lock panics half-way through a change.
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a grant if it is still open. `used` are the units that were issued.
    fn close(&self, grant: GrantId, used: &[Part]) {
        let mut stock = self.lock();
        for granted in stock.open.remove(&grant).unwrap_or_default() {
            let issued = used
                .iter()
                .find(|part| part.item == granted.item)
                .map_or(0, |part| part.count);
            let counts = stock.items.entry(granted.item).or_default();
            counts.open -= u64::from(granted.count);
            counts.issued += u64::from(issued);
            counts.left += u64::from(granted.count - issued);
        }
    }
}

impl Stock for MemoryStock {
    async fn take(&self, grant: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        let mut stock = self.lock();
        let undelivered = wants
            .iter()
            .map(|want| want.item)
            .filter(|item| !stock.items.contains_key(item));
        let undelivered: Vec<StockItem> = undelivered.collect();
        if !undelivered.is_empty() {
            return Err(StockUnavailable::Undelivered(undelivered));
        }
        let mut parts = Vec::with_capacity(wants.len());
        for want in wants {
            let Some(counts) = stock.items.get_mut(&want.item) else {
                continue;
            };
            let count = u32::try_from(counts.left)
                .unwrap_or(u32::MAX)
                .min(want.count);
            if count > 0 {
                counts.left -= u64::from(count);
                counts.open += u64::from(count);
                parts.push(Part {
                    server: ServerId::NONE,
                    item: want.item,
                    segment: 0,
                    count,
                });
            }
        }
        if !parts.is_empty() {
            stock.open.insert(grant, parts.clone());
        }
        Ok(Granted {
            parts,
            ..Granted::default()
        })
    }

    fn settle(&self, grant: GrantId, _granted: &Granted, used: &[Part]) {
        self.close(grant, used);
    }

    fn give_back(&self, grant: GrantId, _granted: &Granted) {
        self.close(grant, &[]);
    }
}

#[cfg(test)]
mod tests {
    use market::{ActivityId, AwardId};

    use super::*;

    fn item(award: u64) -> StockItem {
        StockItem::award(
            ActivityId::new(1).expect("id"),
            AwardId::new(award).expect("id"),
        )
    }

    fn units(award: u64, count: u32) -> Units {
        Units {
            item: item(award),
            count,
        }
    }

    fn snapshot(stock: &MemoryStock) -> (u64, u64, u64, u64) {
        let snapshot = stock.snapshots()[0];
        (
            snapshot.total,
            snapshot.left,
            snapshot.open,
            snapshot.issued,
        )
    }

    #[tokio::test]
    async fn grants_never_exceed_what_is_left() {
        let stock = MemoryStock::rebuilt([(item(1), 7)]);
        stock.set_total(item(1), 10);
        let take = async |grant, wants: &[Units]| {
            stock
                .take(GrantId(grant), wants)
                .await
                .map(|granted| granted.units())
        };
        assert_eq!(take(1, &[units(1, 2)]).await, Ok(vec![units(1, 2)]));
        assert_eq!(take(2, &[units(1, 2)]).await, Ok(vec![units(1, 1)]));
        assert_eq!(take(3, &[units(1, 2)]).await, Ok(vec![]));
        assert_eq!(snapshot(&stock), (10, 0, 3, 7));
    }

    #[tokio::test]
    async fn a_grant_is_closed_once() {
        let stock = MemoryStock::default();
        stock.set_total(item(1), 10);
        let granted = stock
            .take(GrantId(1), &[units(1, 4)])
            .await
            .expect("memory");
        let used = granted.used(&[units(1, 3)]);
        stock.settle(GrantId(1), &granted, &used);
        assert_eq!(snapshot(&stock), (10, 7, 0, 3));
        stock.give_back(GrantId(1), &granted);
        stock.settle(GrantId(1), &granted, &used);
        assert_eq!(snapshot(&stock), (10, 7, 0, 3));
    }

    #[test]
    fn a_withdrawal_takes_only_what_is_left() {
        let stock = MemoryStock::rebuilt([(item(1), 6)]);
        stock.set_total(item(1), 10);
        assert_eq!(stock.withdraw(item(1), 9), 4);
        assert_eq!(snapshot(&stock), (6, 0, 0, 6));
        stock.set_total(item(1), 6);
        assert_eq!(snapshot(&stock), (6, 0, 0, 6));
    }
}
