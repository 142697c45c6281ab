//! Units of stock by item, as orders, counters and operations have them.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use market::batch::StockItem;

use crate::store::{Columns, StoreError};

/// Which good of which activity, as stored: an audit takes rows as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemKey {
    activity: i64,
    kind: i64,
    good: i64,
}

impl ItemKey {
    const AWARD: i64 = 0;
    const SKU: i64 = 1;

    /// An award, which orders of draws name.
    pub(super) fn award(activity: i64, award: i64) -> Self {
        Self {
            activity,
            kind: Self::AWARD,
            good: award,
        }
    }

    /// A sku, which recharge orders name.
    pub(super) fn sku(activity: i64, sku: i64) -> Self {
        Self {
            activity,
            kind: Self::SKU,
            good: sku,
        }
    }

    /// An item that the program knows.
    pub(super) fn named(item: StockItem) -> Self {
        Self {
            activity: item.activity.get().cast_signed(),
            kind: item.good.kind().into(),
            good: item.good.id().cast_signed(),
        }
    }

    /// Columns 0 to 2: activity, kind of the good, good.
    pub(super) fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(0)?,
            kind: row.integer(1)?,
            good: row.integer(2)?,
        })
    }

    /// Whether recharge orders take its units, and not draws.
    pub(super) fn is_sku(&self) -> bool {
        self.kind == Self::SKU
    }
}

/// How violations name an item.
impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (activity, good) = (self.activity, self.good);
        match self.kind {
            Self::AWARD => write!(f, "activity {activity}, award {good}"),
            Self::SKU => write!(f, "activity {activity}, sku {good}"),
            kind => write!(
                f,
                "activity {activity}, good {good} of the unknown kind {kind}"
            ),
        }
    }
}

/// Units by item.
pub(super) type Counts = BTreeMap<ItemKey, i64>;

/// The units that one shard has issued, by its orders and by its counters.
#[derive(Debug, Default)]
pub(super) struct ShardUnits {
    /// Units in the orders of each table: of awards in orders of draws, of skus in recharge orders.
    pub(super) tables: Vec<Counts>,
    pub(super) counters: IssuedCounters,
}

/// One shard's counters of issued units, before and after its orders were read.
#[derive(Debug, Default)]
pub(super) struct IssuedCounters {
    pub(super) before: Counts,
    pub(super) after: Counts,
    /// Those of each lane before the orders were read, where each lane has counters of its own.
    /// They are a part of what the lane has issued.
    pub(super) by_lane: BTreeMap<i64, Counts>,
}

impl ShardUnits {
    /// Units in the orders of all tables.
    pub(super) fn in_orders(&self) -> Counts {
        let mut units = Counts::new();
        self.tables.iter().for_each(|table| add(&mut units, table));
        units
    }
}

/// Adds the units of `more` to `counts`.
pub(super) fn add(counts: &mut Counts, more: &Counts) {
    for (&item, units) in more {
        let count = counts.entry(item).or_default();
        *count = count.saturating_add(*units);
    }
}

/// All items that appear in these counts.
pub(super) fn items<const N: usize>(counts: [&Counts; N]) -> BTreeSet<ItemKey> {
    counts
        .into_iter()
        .flat_map(BTreeMap::keys)
        .copied()
        .collect()
}

/// The units of an item.
pub(super) fn units(counts: &Counts, item: ItemKey) -> i64 {
    counts.get(&item).copied().unwrap_or(0)
}
