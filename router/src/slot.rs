//! The slot of a user: the one thing about placement that never changes.

use std::fmt;

/// Bits of a slot number. It takes this many low bits of an order number.
pub(crate) const SLOT_BITS: u32 = 10;

/// How many slots there are. Stored rows and order numbers depend on it: it can never change.
///
/// 1,024 lets 256 shards still hold 4 tables each, and keeps one slot (a thousandth of the users)
/// small enough to move.
pub const SLOTS: u16 = 1 << SLOT_BITS;

const SLOT_MASK: u16 = SLOTS - 1;

/// CRC-32 (IEEE, as in zlib and in the SQL function `CRC32`) over the bytes of a user id.
///
/// Public because `drawbridge route` shows it; placement goes through [`Slot::of`].
pub fn crc32(user_id: &str) -> u32 {
    crc32fast::hash(user_id.as_bytes())
}

/// One of the [`SLOTS`] groups that all users fall into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// The slot of a user: the low ten bits of the checksum.
    ///
    /// CRC is linear, so ids that differ in a few digits might crowd together. They do not, as
    /// `tests/placement.rs` measures: most counted ids fall more evenly than chance, random ones as
    /// evenly. Counted mail addresses are the worst case. With 100,000 of them, slots have 0.7 to
    /// 1.45 of the mean, which 8 x 8 tables hardly show (ratio 1.11). With a million they have 0.94
    /// to 1.06.
    ///
    /// High bits, folded bits and a multiplication first were tried; none was more even throughout.
    /// The plain mask has an advantage: operators can check in SQL where a row belongs, by
    /// `CRC32(user_id) & 1023`.
    pub fn of(user_id: &str) -> Self {
        Self::from_low_bits(u64::from(crc32(user_id)))
    }

    /// The slot with this number, if there is one.
    pub const fn new(number: u16) -> Option<Self> {
        if number < SLOTS {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Every slot, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// The slot's number, below [`SLOTS`].
    pub const fn get(self) -> u16 {
        self.0
    }

    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves ten bits")]
    pub(crate) const fn from_low_bits(bits: u64) -> Self {
        Self((bits & SLOT_MASK as u64) as u16)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_accepts_exactly_the_slots_there_are() {
        for number in 0..SLOTS {
            assert_eq!(Slot::new(number).map(Slot::get), Some(number));
        }
        for number in [SLOTS, SLOTS + 1, u16::MAX] {
            assert_eq!(Slot::new(number), None);
        }
    }

    #[test]
    fn all_names_each_slot_once_in_order() {
        let numbers: Vec<u16> = Slot::all().map(Slot::get).collect();
        assert_eq!(numbers, (0..SLOTS).collect::<Vec<_>>());
    }

    #[test]
    fn display_is_the_bare_number() {
        assert_eq!(Slot(42).to_string(), "42");
    }
}
