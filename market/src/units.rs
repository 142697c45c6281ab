//! Units of limited stock: which prize they are of, what a batch wants, and what it was granted.
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use crate::ids::{ActivityId, AwardId};

/// A prize whose stock is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prize {
    /// The activity.
    pub activity: ActivityId,
    /// The award within it.
    pub award: AwardId,
}

/// Units of one prize, wanted or granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Of which prize.
    pub prize: Prize,
    /// How many.
    pub count: u32,
}

/// Whether the stock can be asked for units. Campaigns decide how draws that need a unit end while
/// it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// It can.
    There,
    /// It can, but for these prizes: their units are still on their way.
    Without(BTreeSet<Prize>),
    /// It cannot.
    Unavailable,
}

impl Supply {
    /// Whether units of this prize cannot be asked for.
    pub fn lacks(&self, prize: Prize) -> bool {
        match self {
            Supply::There => false,
            Supply::Without(prizes) => prizes.contains(&prize),
            Supply::Unavailable => true,
        }
    }
}

/// The units granted to a batch, given out one by one.
#[derive(Debug)]
pub struct Purse {
    units: HashMap<Prize, Purchase>,
}

#[derive(Debug, Clone, Copy)]
struct Purchase {
    granted: u32,
    used: u32,
}

impl Purse {
    /// The units of a grant.
    pub fn new(granted: &[Units]) -> Self {
        let purchase = |units: &Units| {
            let granted = units.count;
            (units.prize, Purchase { granted, used: 0 })
        };
        Self {
            units: granted.iter().map(purchase).collect(),
        }
    }

    /// Takes a unit; false when there is none left.
    pub fn take(&mut self, prize: Prize) -> bool {
        match self.units.get_mut(&prize) {
            Some(Purchase { granted, used }) if *used < *granted => {
                *used += 1;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The units that were taken, in the order of their prizes.
    pub fn used(self) -> Vec<Units> {
        let took = self.units.into_iter().filter_map(|(prize, units)| {
            let count = NonZeroU32::new(units.used)?.get();
            Some(Units { prize, count })
        });
        let mut used: Vec<Units> = took.collect();
        used.sort_by_key(|units| units.prize);
        used
    }
}
