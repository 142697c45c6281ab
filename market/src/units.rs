//! Units of limited stock: which item they are of, what a batch wants, and what it was granted.
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::num::NonZeroU32;

use crate::ids::{ActivityId, AwardId, SkuId};

/// What has units: a prize, or a bundle of chances. Awards and skus are numbered by themselves, so
/// award 101 and sku 101 of one activity are two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Good {
    /// A prize, which draws take.
    Award(AwardId),
    /// A bundle of chances, which exchanges and rewards take.
    Sku(SkuId),
}

impl Good {
    /// The good of a stored type and number; `None` when there is no such type.
    pub const fn stored(kind: u8, id: u64) -> Option<Self> {
        match kind {
            0 => match AwardId::new(id) {
                Some(award) => Some(Self::Award(award)),
                None => None,
            },
            1 => match SkuId::new(id) {
                Some(sku) => Some(Self::Sku(sku)),
                None => None,
            },
            _ => None,
        }
    }

    /// The good of a type's word and a number; `None` when there is no such type.
    pub fn named(word: &str, id: u64) -> Option<Self> {
        match word {
            "award" => AwardId::new(id).map(Self::Award),
            "sku" => SkuId::new(id).map(Self::Sku),
            _ => None,
        }
    }

    /// The type, as databases hold it. These numbers never change.
    pub const fn kind(self) -> u8 {
        match self {
            Self::Award(_) => 0,
            Self::Sku(_) => 1,
        }
    }

    /// The type's word, as people and programs read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Award(_) => "award",
            Self::Sku(_) => "sku",
        }
    }

    /// The number, which says nothing without the type.
    pub const fn id(self) -> u64 {
        match self {
            Self::Award(award) => award.get(),
            Self::Sku(sku) => sku.get(),
        }
    }

    /// The award, when it is one.
    pub const fn award(self) -> Option<AwardId> {
        match self {
            Self::Award(award) => Some(award),
            Self::Sku(_) => None,
        }
    }

    /// The sku, when it is one.
    pub const fn sku(self) -> Option<SkuId> {
        match self {
            Self::Award(_) => None,
            Self::Sku(sku) => Some(sku),
        }
    }
}

impl fmt::Display for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word(), self.id())
    }
}

/// A good whose stock is limited, with its activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StockItem {
    /// The activity.
    pub activity: ActivityId,
    /// The award or sku within it.
    pub good: Good,
}

impl StockItem {
    /// An award of an activity.
    pub const fn award(activity: ActivityId, award: AwardId) -> Self {
        let good = Good::Award(award);
        Self { activity, good }
    }

    /// A sku of an activity.
    pub const fn sku(activity: ActivityId, sku: SkuId) -> Self {
        let good = Good::Sku(sku);
        Self { activity, good }
    }
}

impl fmt::Display for StockItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of activity {}", self.good, self.activity)
    }
}

/// Units of one item, wanted or granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Of which item.
    pub item: StockItem,
    /// How many.
    pub count: u32,
}

/// Whether the stock can be asked for units. Campaigns decide how draws that need a unit end while
/// it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// It can.
    There,
    /// It can, but for these items: their units are still on their way.
    Without(BTreeSet<StockItem>),
    /// It cannot.
    Unavailable,
}

impl Supply {
    /// Whether units of this item cannot be asked for.
    pub fn lacks(&self, item: StockItem) -> bool {
        match self {
            Supply::There => false,
            Supply::Without(items) => items.contains(&item),
            Supply::Unavailable => true,
        }
    }
}

/// The units granted to a batch, given out one by one.
#[derive(Debug)]
pub struct Purse {
    units: HashMap<StockItem, Purchase>,
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
            (units.item, Purchase { granted, used: 0 })
        };
        Self {
            units: granted.iter().map(purchase).collect(),
        }
    }

    /// Takes a unit; false when there is none left.
    pub fn take(&mut self, item: StockItem) -> bool {
        match self.units.get_mut(&item) {
            Some(Purchase { granted, used }) if *used < *granted => {
                *used += 1;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The units that were taken, in the order of their items.
    pub fn used(self) -> Vec<Units> {
        let took = self.units.into_iter().filter_map(|(item, units)| {
            let count = NonZeroU32::new(units.used)?.get();
            Some(Units { item, count })
        });
        let mut used: Vec<Units> = took.collect();
        used.sort_by_key(|units| units.item);
        used
    }
}
