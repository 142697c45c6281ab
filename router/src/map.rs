//! Which shard owns which slot, and the route that follows from it.

use std::{fmt, iter};

use crate::slot::{SLOTS, Slot};

/// The largest number of shards of a map.
pub const SHARDS_MAX: u16 = 256;

/// The largest number of tables of a shard.
pub const TABLES_MAX: u16 = 64;

// Even the widest map gives each shard whole slots, and one shard with all its tables can fill
// them.
const _: () = assert!(SHARDS_MAX <= SLOTS && TABLES_MAX <= SLOTS);

/// A shard: one database, numbered from 0 as in the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(u16);

impl ShardId {
    /// The shard with this number. A map that does not have it refuses it.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The shard's number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A table within a shard, numbered from 0 in each shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(u16);

impl TableId {
    /// The table with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The table's number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a user's rows are.
///
/// The fields are private so that a route can only come from a [`SlotMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Route {
    slot: Slot,
    shard: ShardId,
    table: TableId,
}

impl Route {
    /// The user's slot.
    pub const fn slot(self) -> Slot {
        self.slot
    }

    /// The shard that owns the slot.
    pub const fn shard(self) -> ShardId {
        self.shard
    }

    /// The table of the slot inside its shard.
    pub const fn table(self) -> TableId {
        self.table
    }
}

/// Why a map cannot be made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapError {
    /// The number of shards is not 1 to [`SHARDS_MAX`].
    Shards(u16),
    /// The number of tables is not 1 to [`TABLES_MAX`].
    Tables(u16),
    /// There are more tables in all than slots to fill them.
    Buckets {
        /// The wanted number of shards.
        shards: u16,
        /// The wanted number of tables per shard.
        tables: u16,
    },
    /// The map does not have the shard that a slot was to move to.
    NoSuchShard {
        /// The wanted shard.
        shard: ShardId,
        /// How many shards the map has.
        shards: u16,
    },
    /// The shard that a slot was to move to owns it already.
    AlreadyThere {
        /// The slot to be moved.
        slot: Slot,
        /// Its owner.
        shard: ShardId,
    },
    /// The version cannot grow further.
    VersionsUsedUp,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shards(given) => write!(f, "shards must be 1 to {SHARDS_MAX}, not {given}"),
            Self::Tables(given) => {
                write!(f, "tables per shard must be 1 to {TABLES_MAX}, not {given}")
            }
            Self::Buckets { shards, tables } => {
                write!(
                    f,
                    "{shards} shards with {tables} tables each are more tables than there are slots ({SLOTS})"
                )
            }
            Self::NoSuchShard { shard, shards } => {
                write!(
                    f,
                    "there is no shard {shard}: the map has {shards}, numbered from 0"
                )
            }
            Self::AlreadyThere { slot, shard } => {
                write!(f, "slot {slot} is on shard {shard} already")
            }
            Self::VersionsUsedUp => write!(f, "the version of the slot map cannot grow further"),
        }
    }
}

impl std::error::Error for MapError {}

/// The owner of each slot, with a version that grows with each change.
///
/// A map is never changed in place: a caller that routes by an old one keeps a consistent snapshot,
/// which its version identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotMap {
    version: u32,
    shards: u16,
    tables: u16,
    /// Indexed by slot number; always [`SLOTS`] long.
    owners: Box<[ShardId]>,
}

impl SlotMap {
    /// Gives each shard one contiguous run of slots, none more than one slot longer than another.
    ///
    /// So the high bits of a slot decide the shard, and the low bits the table. The two do not
    /// overlap as long as `shards * tables` is at most [`SLOTS`]. Then each run is at least
    /// `tables` long, so each table of each shard gets at least one slot.
    pub fn even(version: u32, shards: u16, tables: u16) -> Result<Self, MapError> {
        if !(1..=SHARDS_MAX).contains(&shards) {
            return Err(MapError::Shards(shards));
        }
        if !(1..=TABLES_MAX).contains(&tables) {
            return Err(MapError::Tables(tables));
        }
        if shards * tables > SLOTS {
            return Err(MapError::Buckets { shards, tables });
        }
        let (run_len, longer_runs) = (SLOTS / shards, SLOTS % shards);
        let owners = (0..shards)
            .flat_map(|shard| {
                let len = run_len + u16::from(shard < longer_runs);
                iter::repeat_n(ShardId(shard), usize::from(len))
            })
            .collect();
        Ok(Self {
            version,
            shards,
            tables,
            owners,
        })
    }

    /// Where the rows of this user are.
    pub fn route(&self, user_id: &str) -> Route {
        self.route_slot(Slot::of(user_id))
    }

    /// Where the rows of this slot are, for callers that have an order number instead of a user.
    pub fn route_slot(&self, slot: Slot) -> Route {
        Route {
            slot,
            shard: self.owner_of(slot),
            // From the slot alone, never from its owner: a slot that moves keeps its table.
            table: TableId(slot.get() % self.tables),
        }
    }

    /// The map after one slot has moved, under the next version.
    ///
    /// One slot at a time, because its rows cannot be written while they are copied: the less moves
    /// at once, the fewer users wait. A move to the present owner is refused, so that each version
    /// is a change.
    pub fn move_slot(&self, slot: Slot, to: ShardId) -> Result<Self, MapError> {
        if to.0 >= self.shards {
            return Err(MapError::NoSuchShard {
                shard: to,
                shards: self.shards,
            });
        }
        if self.owner_of(slot) == to {
            return Err(MapError::AlreadyThere { slot, shard: to });
        }
        let version = self
            .version
            .checked_add(1)
            .ok_or(MapError::VersionsUsedUp)?;
        let mut owners = self.owners.clone();
        owners[usize::from(slot.get())] = to;
        Ok(Self {
            version,
            owners,
            ..*self
        })
    }

    /// How many shards the map has; their ids are `0..shards`.
    pub const fn shards(&self) -> u16 {
        self.shards
    }

    /// How many tables each shard has; their ids are `0..tables`.
    pub const fn tables(&self) -> u16 {
        self.tables
    }

    /// The version of the map.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The slots that a shard owns, ascending. Empty for a shard that the map does not have.
    pub fn slots_of(&self, shard: ShardId) -> impl Iterator<Item = Slot> {
        Slot::all().filter(move |&slot| self.owner_of(slot) == shard)
    }

    fn owner_of(&self, slot: Slot) -> ShardId {
        self.owners[usize::from(slot.get())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn config() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(0xD0),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    /// Every shape that `even` accepts.
    fn shape() -> impl Strategy<Value = (u16, u16)> {
        (1..=SHARDS_MAX).prop_flat_map(|shards| (Just(shards), 1..=TABLES_MAX.min(SLOTS / shards)))
    }

    fn even((shards, tables): (u16, u16)) -> SlotMap {
        SlotMap::even(1, shards, tables).expect("a shape within the bounds")
    }

    fn slot(number: u16) -> Slot {
        Slot::new(number).expect("a slot number within the bounds")
    }

    #[test]
    fn even_accepts_the_bounds_and_says_which_one_was_broken() {
        for (shards, tables) in [(1, 1), (1, 64), (16, 64), (256, 1), (256, 4), (17, 60)] {
            assert!(
                SlotMap::even(1, shards, tables).is_ok(),
                "{shards} x {tables}"
            );
        }
        for (shards, tables, error) in [
            (0, 4, MapError::Shards(0)),
            (257, 1, MapError::Shards(257)),
            (u16::MAX, u16::MAX, MapError::Shards(u16::MAX)),
            (4, 0, MapError::Tables(0)),
            (4, 65, MapError::Tables(65)),
            (
                256,
                5,
                MapError::Buckets {
                    shards: 256,
                    tables: 5,
                },
            ),
            (
                256,
                64,
                MapError::Buckets {
                    shards: 256,
                    tables: 64,
                },
            ),
            (
                17,
                61,
                MapError::Buckets {
                    shards: 17,
                    tables: 61,
                },
            ),
        ] {
            assert_eq!(SlotMap::even(1, shards, tables), Err(error));
        }
    }

    #[test]
    fn errors_name_the_bound_and_the_value() {
        let text = |error: MapError| error.to_string();
        assert_eq!(
            text(MapError::Shards(257)),
            "shards must be 1 to 256, not 257"
        );
        assert_eq!(
            text(MapError::Tables(65)),
            "tables per shard must be 1 to 64, not 65"
        );
        assert_eq!(
            text(MapError::Buckets {
                shards: 256,
                tables: 5
            }),
            "256 shards with 5 tables each are more tables than there are slots (1024)"
        );
        assert_eq!(
            text(MapError::NoSuchShard {
                shard: ShardId(2),
                shards: 2
            }),
            "there is no shard 2: the map has 2, numbered from 0"
        );
        assert_eq!(
            text(MapError::AlreadyThere {
                slot: slot(7),
                shard: ShardId(0)
            }),
            "slot 7 is on shard 0 already"
        );
    }

    #[test]
    fn shard_is_the_high_bits_and_table_the_low_bits() {
        let map = even((2, 4));
        for number in 0..SLOTS {
            let route = map.route_slot(slot(number));
            assert_eq!(
                (route.shard().get(), route.table().get()),
                (number >> 9, number & 3)
            );
        }
    }

    #[test]
    fn a_move_that_is_none_is_refused() {
        let map = even((2, 4));
        assert_eq!(
            map.move_slot(slot(0), ShardId(2)),
            Err(MapError::NoSuchShard {
                shard: ShardId(2),
                shards: 2
            })
        );
        assert_eq!(
            map.move_slot(slot(0), ShardId(0)),
            Err(MapError::AlreadyThere {
                slot: slot(0),
                shard: ShardId(0)
            })
        );
        let last = SlotMap::even(u32::MAX, 2, 4).expect("a shape within the bounds");
        assert_eq!(
            last.move_slot(slot(0), ShardId(1)),
            Err(MapError::VersionsUsedUp)
        );
    }

    #[test]
    fn a_shard_can_be_emptied_slot_by_slot() {
        let mut map = even((2, 4));
        let leaving: Vec<Slot> = map.slots_of(ShardId(1)).collect();
        for &slot in &leaving {
            map = map
                .move_slot(slot, ShardId(0))
                .expect("the slot is on shard 1");
        }
        assert_eq!(map.version(), 1 + 512);
        assert_eq!(map.slots_of(ShardId(1)).count(), 0);
        assert!(map.slots_of(ShardId(0)).eq(Slot::all()));
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn every_route_is_within_bounds(shape in shape(), user_id in ".{0,40}") {
            let map = even(shape);
            let route = map.route(&user_id);
            prop_assert_eq!(route.slot(), Slot::of(&user_id));
            prop_assert_eq!(route, map.route_slot(route.slot()));
            prop_assert!(route.shard().get() < map.shards());
            prop_assert!(route.table().get() < map.tables());
        }

        #[test]
        fn shards_partition_the_slots_and_fill_every_table(shape in shape()) {
            let map = even(shape);
            let mut seen = HashSet::new();
            let mut lens = Vec::new();
            for shard in (0..map.shards()).map(ShardId) {
                let slots: Vec<Slot> = map.slots_of(shard).collect();
                let tables: HashSet<TableId> = slots.iter().map(|&slot| map.route_slot(slot).table()).collect();
                prop_assert_eq!(tables.len(), usize::from(map.tables()));
                prop_assert!(slots.windows(2).all(|pair| pair[0].get() + 1 == pair[1].get()), "one contiguous run");
                lens.push(slots.len());
                for slot in slots {
                    prop_assert!(seen.insert(slot), "slot {} has two owners", slot);
                }
            }
            prop_assert_eq!(seen.len(), usize::from(SLOTS));
            let (shortest, longest) = (lens.iter().min(), lens.iter().max());
            prop_assert!(longest.zip(shortest).is_some_and(|(longest, shortest)| longest - shortest <= 1));
            prop_assert_eq!(map.slots_of(ShardId(map.shards())).count(), 0);
        }

        #[test]
        fn move_slot_moves_exactly_one_slot(
            shape in shape().prop_filter("a move needs two shards", |shape| shape.0 > 1),
            number in 0..SLOTS,
            step in 1..SHARDS_MAX,
        ) {
            let before = even(shape);
            let moved = slot(number);
            let owner = before.route_slot(moved).shard().get();
            let to = ShardId((owner + 1 + step % (before.shards() - 1)) % before.shards());
            let after = before.move_slot(moved, to).expect("another shard of the map");

            prop_assert_eq!(after.version(), before.version() + 1);
            prop_assert_eq!((after.shards(), after.tables()), (before.shards(), before.tables()));
            for slot in Slot::all() {
                let (old, new) = (before.route_slot(slot), after.route_slot(slot));
                prop_assert_eq!(old.table(), new.table());
                prop_assert_eq!(new.shard(), if slot == moved { to } else { old.shard() });
            }
        }
    }
}
