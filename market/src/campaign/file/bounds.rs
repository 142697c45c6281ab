//! Bounds that several sections of a campaign file share.
use std::ops::RangeInclusive;

/// The largest number of a signed column of 64 bits.
pub(super) const ID_MAX: u64 = i64::MAX as u64;
/// Units, and amounts of money in minor units: sums of a thousand of them stay below 2^63.
pub(super) const AMOUNT_MAX: u64 = 1_000_000_000_000;
/// Chances are counted in columns of 31 bits.
pub(super) const CHANCES_MAX: u32 = i32::MAX as u32;
pub(super) const AWARDS_MAX: usize = 1_000;
/// How many of an award a user may get at most, where the file limits that.
pub(super) const PER_USER_MAX: u32 = 1_000_000;
/// Awards with such a limit: each draw looks up what its user has of each.
pub(super) const PER_USER_AWARDS_MAX: usize = 10;
pub(super) const NAME_CHARS: RangeInclusive<usize> = 1..=64;
pub(super) const DETAIL_CHARS: RangeInclusive<usize> = 0..=128;
