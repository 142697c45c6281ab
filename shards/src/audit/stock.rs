//! Whether the units in orders, in counters and in stock add up, prize by prize.
use std::collections::{BTreeMap, BTreeSet};

use super::campaigns::signed;
use super::report::Check;
use crate::stock::Picture;

/// Units by prize (activity, award), as stored.
pub(super) type Counts = BTreeMap<(i64, i64), i64>;

/// What is known of the stock beside the orders, at about one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether somebody holds stock now: a running server of the folder, the stock servers of a
    /// cluster.
    pub(super) held: bool,
    /// How it stands there, or why that cannot be told.
    pub(super) pictures: Result<Vec<Picture>, String>,
    /// What the shards' counters say.
    pub(super) issued: Counts,
    /// What stock operations sum to.
    pub(super) totals: Counts,
}

/// What a [`Look`] says about the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sum {
    /// It adds up, for so many prizes.
    Right(u64),
    /// It does not, or not yet: the picture may be older than the counters.
    Wrong(u64, Vec<String>),
    /// It cannot be judged now, for this reason.
    Unknown(String),
}

impl Sum {
    pub(super) fn note(self, check: &mut Check) {
        match self {
            Self::Right(prizes) => check.checked = prizes,
            Self::Wrong(prizes, faults) => {
                check.checked = prizes;
                for fault in faults {
                    check.violation(|| fault);
                }
            }
            Self::Unknown(reason) => check.skipped = Some(reason),
        }
    }
}

/// Adds the units of `more` to `counts`.
pub(super) fn add(counts: &mut Counts, more: &Counts) {
    for (&prize, units) in more {
        let count = counts.entry(prize).or_default();
        *count = count.saturating_add(*units);
    }
}

/// No prize has more units in orders than there are. `issued` must have been read before
/// `totals`: see [`super::audit`].
pub(super) fn check_oversold(check: &mut Check, issued: &Counts, totals: &Counts) {
    for prize in prizes([issued, totals]) {
        check.checked += 1;
        let (issued, total) = (units(issued, prize), units(totals, prize).max(0));
        if issued > total {
            check.violation(|| format!("{}: {issued} units are in orders and there are {total}", name(prize)));
        }
    }
}

/// A shard's counters say what its orders say.
pub(super) fn check_counters(check: &mut Check, shard: u16, stocked: &Counts, counters: &Counts) {
    for prize in prizes([stocked, counters]) {
        check.checked += 1;
        let (orders, counter) = (units(stocked, prize), units(counters, prize));
        if orders != counter {
            check.violation(|| {
                format!("shard {shard}, {}: award_issued says {counter}, {orders} orders took a unit", name(prize))
            });
        }
    }
}

impl Look {
    /// Judges the sum: of the running server's stock, or of what the next one will start with.
    pub(super) fn sum(&self) -> Sum {
        if self.held { self.running() } else { self.at_rest() }
    }

    fn at_rest(&self) -> Sum {
        let prizes = prizes([&self.issued, &self.totals]);
        let faults = prizes.iter().filter_map(|&prize| {
            let (issued, total) = (units(&self.issued, prize), units(&self.totals, prize));
            let name = name(prize);
            if total < 0 {
                Some(format!("{name}: its stock operations sum to {total}"))
            } else if issued > total {
                Some(format!("{name}: {issued} units are issued and there are {total}"))
            } else {
                None
            }
        });
        verdict(prizes.len(), faults.collect())
    }

    fn running(&self) -> Sum {
        let pictures = match &self.pictures {
            Ok(pictures) => pictures,
            Err(reason) => return Sum::Unknown(reason.clone()),
        };
        if let Some(picture) = pictures.iter().find(|picture| picture.open > 0) {
            return Sum::Unknown(format!("{}: {} units are under open grants", name(key(picture)), picture.open));
        }
        if pictures.is_empty() && !self.totals.is_empty() {
            return Sum::Unknown("the server has just started and not yet written down its stock".to_owned());
        }
        let pictures: BTreeMap<_, _> = pictures.iter().map(|picture| (key(picture), picture)).collect();
        let mut prizes = prizes([&self.issued, &self.totals]);
        prizes.extend(pictures.keys());
        let faults = prizes.iter().filter_map(|prize| self.running_fault(*prize, pictures.get(prize).copied()));
        verdict(prizes.len(), faults.collect())
    }

    fn running_fault(&self, prize: (i64, i64), picture: Option<&Picture>) -> Option<String> {
        let name = name(prize);
        let (issued, total) = (units(&self.issued, prize), units(&self.totals, prize));
        let Some(picture) = picture else {
            return Some(format!("{name}: the running server does not know its stock of {total}"));
        };
        let (left, believed) = (picture.left, signed(picture.total));
        if believed != total {
            return Some(format!("{name}: the running server has {believed} units, stock operations sum to {total}"));
        }
        let sum = signed(left).saturating_add(issued);
        (sum != total).then(|| format!("{name}: {left} units left and {issued} issued are not the total of {total}"))
    }
}

fn verdict(prizes: usize, faults: Vec<String>) -> Sum {
    let prizes = prizes as u64;
    if faults.is_empty() { Sum::Right(prizes) } else { Sum::Wrong(prizes, faults) }
}

fn prizes(counts: [&Counts; 2]) -> BTreeSet<(i64, i64)> {
    counts.into_iter().flat_map(BTreeMap::keys).copied().collect()
}

fn units(counts: &Counts, prize: (i64, i64)) -> i64 {
    counts.get(&prize).copied().unwrap_or(0)
}

fn key(picture: &Picture) -> (i64, i64) {
    (signed(picture.prize.activity.get()), signed(picture.prize.award.get()))
}

fn name((activity, award): (i64, i64)) -> String {
    format!("activity {activity}, award {award}")
}
