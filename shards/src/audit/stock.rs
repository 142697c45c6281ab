//! Units of stock by prize, as orders, counters and operations have them.
use std::collections::{BTreeMap, BTreeSet};

/// Activity and award, as stored.
pub(super) type PrizeKey = (i64, i64);

/// Units by prize.
pub(super) type Counts = BTreeMap<PrizeKey, i64>;

/// The units that one shard has issued, by its orders and by its counters.
#[derive(Debug, Default)]
pub(super) struct ShardUnits {
    /// Units in the orders of each table.
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
    for (&prize, units) in more {
        let count = counts.entry(prize).or_default();
        *count = count.saturating_add(*units);
    }
}

/// All prizes that appear in these counts.
pub(super) fn prizes<const N: usize>(counts: [&Counts; N]) -> BTreeSet<PrizeKey> {
    counts
        .into_iter()
        .flat_map(BTreeMap::keys)
        .copied()
        .collect()
}

/// The units of a prize.
pub(super) fn units(counts: &Counts, prize: PrizeKey) -> i64 {
    counts.get(&prize).copied().unwrap_or(0)
}

/// How violations name a prize.
pub(super) fn name((activity, award): PrizeKey) -> String {
    format!("activity {activity}, award {award}")
}
