//! Units of stock by prize, as orders, counters and operations have them.
use std::collections::{BTreeMap, BTreeSet};

/// Activity and award, as stored.
pub(super) type PrizeKey = (i64, i64);

/// Units by prize.
pub(super) type Counts = BTreeMap<PrizeKey, i64>;

/// Adds the units of `more` to `counts`.
pub(super) fn add(counts: &mut Counts, more: &Counts) {
    for (&prize, units) in more {
        let count = counts.entry(prize).or_default();
        *count = count.saturating_add(*units);
    }
}

/// All prizes that some of these have units of.
pub(super) fn prizes<const N: usize>(counts: [&Counts; N]) -> BTreeSet<PrizeKey> {
    counts
        .into_iter()
        .flat_map(BTreeMap::keys)
        .copied()
        .collect()
}

pub(super) fn units(counts: &Counts, prize: PrizeKey) -> i64 {
    counts.get(&prize).copied().unwrap_or(0)
}

pub(super) fn name((activity, award): PrizeKey) -> String {
    format!("activity {activity}, award {award}")
}
