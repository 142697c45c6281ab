//! Where a user's rows are, and order numbers that carry it. Pure: no I/O, no clock, no state of
//! the process.
//!
//! ```text
//! user id -> crc32 -> slot 0..1023 -> shard: the slot's owner in the map (even map: the high bits)
//!                                  -> table: slot % tables               (the low bits)
//! ```
//!
//! * A user's [`Slot`] never changes. A versioned [`SlotMap`] holds the owner of each slot, so that
//!   data moves slot by slot and the ids themselves stay as they are.
//! * Shard and table are read from different bits of the slot: the same bits for both would leave
//!   most tables empty.
//! * [`SlotMap::route`] returns a [`Route`]. Nothing else can make one, so a statement that takes a
//!   `Route` cannot go to a guessed shard or table.
//! * An order number carries its slot ([`slot_of`]): an order is found without its user's id.

mod map;
mod order_number;
mod slot;

pub use map::{MapError, Route, SHARDS_MAX, ShardId, SlotMap, TABLES_MAX, TableId};
pub use order_number::{OrderNumbers, Run, counter_of, nth_after, run_of, slot_of};
pub use slot::{SLOTS, Slot, crc32};
