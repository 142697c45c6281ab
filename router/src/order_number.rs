//! Order numbers: unique without a central counter, ascending within a run, with their slot inside.
//!
//! ```text
//!  bit 63        62..38          37..10           9..0
//! | always 0 | run, 25 bits | counter, 28 bits | slot, 10 bits |
//! ```
//!
//! * Bit 63 stays 0, so that the number fits a signed `BIGINT` and the JSON functions of both
//!   databases.
//! * A process claims a run in a committed transaction, and no run is claimed twice. Its lanes
//!   divide the run's counters among themselves. So numbers are unique whatever clocks and process
//!   ids do.
//! * The slot is lowest, so the numbers of a lane ascend and its inserts append to the B-tree.
//!   Above the counter it would scatter them over the whole primary key.

use std::fmt;
use std::ops::Range;

use crate::slot::{SLOT_BITS, SLOTS, Slot};

/// 33 million runs: 64 processes that each start once a minute use them up in a year.
const RUN_BITS: u32 = 25;

/// 268 million orders in a run: a process that commits 10,000 a second claims the next one after 7
/// hours.
const COUNTER_BITS: u32 = 28;

const COUNTER_SHIFT: u32 = SLOT_BITS;
const RUN_SHIFT: u32 = SLOT_BITS + COUNTER_BITS;

/// One past the greatest counter.
const COUNTERS: u32 = 1 << COUNTER_BITS;

/// One past the greatest run.
const RUNS: u32 = 1 << RUN_BITS;

const _: () = assert!(RUN_BITS + COUNTER_BITS + SLOT_BITS == 63);
const _: () = assert!(SLOTS as u32 == 1 << SLOT_BITS);

/// The number that a process makes its order numbers with: above 0, below 2^25.
///
/// Zero is left out, so no order number is 0, and a run that was not set is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run(u32);

impl Run {
    /// The greatest number of a run.
    pub const MAX: u32 = RUNS - 1;

    /// The run with this number, if it is one.
    pub const fn new(number: u32) -> Option<Self> {
        if 0 < number && number < RUNS {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The run's number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The source of one lane's order numbers: counters of one run.
///
/// Neither `Clone` nor `Copy`: a copy would return the same numbers a second time.
#[derive(Debug)]
pub struct OrderNumbers {
    run: Run,
    next_counter: u32,
    /// One past the last counter.
    end: u32,
}

impl OrderNumbers {
    /// Starts a run that was just claimed.
    pub const fn new(run: Run) -> Self {
        Self::within(run, 0..COUNTERS)
    }

    /// Starts a part of a run; other lanes have its other parts. Counters of 2^28 and above do not
    /// exist.
    pub const fn within(run: Run, counters: Range<u32>) -> Self {
        let end = if counters.end < COUNTERS {
            counters.end
        } else {
            COUNTERS
        };
        let next_counter = if counters.start < end {
            counters.start
        } else {
            end
        };
        Self {
            run,
            next_counter,
            end,
        }
    }

    /// The next order number for this slot; `None` when the counters are used up and the lane needs
    /// others.
    pub fn next(&mut self, slot: Slot) -> Option<u64> {
        if self.next_counter == self.end {
            return None;
        }
        let counter = self.next_counter;
        self.next_counter += 1;
        Some(
            u64::from(self.run.0) << RUN_SHIFT
                | u64::from(counter) << COUNTER_SHIFT
                | u64::from(slot.get()),
        )
    }

    /// How many numbers are left. A lane with few of them gets new counters before its next batch.
    pub const fn remaining(&self) -> u32 {
        self.end - self.next_counter
    }
}

/// The slot in an order number. Any number has one; only its shard knows whether it is an order.
pub const fn slot_of(order: u64) -> Slot {
    Slot::from_low_bits(order)
}

/// The number that a lane mints `nth` numbers after `first`, all for one slot; `None` beyond the
/// greatest number. The rows of a call are numbered in this way, in steps of 1,024. A stored call
/// has the first number and the count, and readers compute the others.
pub const fn nth_after(first: u64, nth: u16) -> Option<u64> {
    match first.checked_add((nth as u64) << COUNTER_SHIFT) {
        Some(number) if number >> 63 == 0 => Some(number),
        _ => None,
    }
}

/// The run in an order number; `None` if no lane can have made it.
pub fn run_of(order: u64) -> Option<Run> {
    u32::try_from(order >> RUN_SHIFT).ok().and_then(Run::new)
}

/// The counter in an order number.
#[expect(clippy::cast_possible_truncation, reason = "the mask leaves 28 bits")]
pub const fn counter_of(order: u64) -> u32 {
    ((order >> COUNTER_SHIFT) & (COUNTERS as u64 - 1)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn config() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(0x0D),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn run(number: u32) -> Run {
        Run::new(number).expect("a run number within the bounds")
    }

    fn slot(number: u16) -> Slot {
        Slot::new(number).expect("a slot number within the bounds")
    }

    #[test]
    fn run_refuses_zero_and_what_does_not_fit() {
        assert_eq!(Run::new(0), None);
        assert_eq!(Run::new(1).map(Run::get), Some(1));
        assert_eq!(Run::new(RUNS - 1).map(Run::get), Some(RUNS - 1));
        assert_eq!(Run::new(RUNS), None);
        assert_eq!(Run::new(u32::MAX), None);
    }

    /// Stored orders depend on the layout: these literals freeze it.
    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(
            OrderNumbers::new(run(1)).next(slot(0)),
            Some(0x0000_0040_0000_0000)
        );
        assert_eq!(
            OrderNumbers::within(run(1), 1..COUNTERS).next(slot(714)),
            Some(0x0000_0040_0000_06CA)
        );
        assert_eq!(
            OrderNumbers::within(run(RUNS - 1), COUNTERS - 1..COUNTERS).next(slot(1023)),
            Some(0x7FFF_FFFF_FFFF_FFFF)
        );
    }

    /// Stored calls name their orders by the first: statements count on this step too.
    #[test]
    fn numbers_of_one_slot_are_1024_apart() {
        let mut numbers = OrderNumbers::new(run(3));
        let first = numbers.next(slot(7)).expect("a number");
        assert_eq!(numbers.next(slot(7)), nth_after(first, 1));
        assert_eq!(numbers.next(slot(7)), Some(first + 2 * 1024));
        assert_eq!(nth_after(first, 0), Some(first));
        assert_eq!(nth_after((1 << 63) - 1, 1), None);
    }

    #[test]
    fn a_used_up_run_stays_used_up() {
        let mut numbers = OrderNumbers::within(run(9), COUNTERS - 2..COUNTERS);
        assert_eq!(numbers.remaining(), 2);
        assert!(numbers.next(slot(5)).is_some());
        assert_eq!(numbers.next(slot(6)).map(counter_of), Some(COUNTERS - 1));
        for _ in 0..3 {
            assert_eq!(numbers.remaining(), 0);
            assert_eq!(numbers.next(slot(7)), None);
        }
        assert_eq!(
            OrderNumbers::within(run(9), COUNTERS..u32::MAX).next(slot(7)),
            None
        );
    }

    #[test]
    fn a_fresh_run_has_all_its_counters() {
        let mut numbers = OrderNumbers::new(run(3));
        assert_eq!(numbers.remaining(), COUNTERS);
        assert_eq!(numbers.next(slot(0)).map(counter_of), Some(0));
        assert_eq!(numbers.remaining(), COUNTERS - 1);
    }

    #[test]
    fn a_number_that_no_lane_minted_has_no_run() {
        for order in [0, 1023, (1 << RUN_SHIFT) - 1, 1 << 63, u64::MAX] {
            assert_eq!(run_of(order), None, "{order:#x}");
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn a_number_gives_back_what_it_was_made_of(
            run_number in 1..RUNS,
            counter in 0..COUNTERS,
            slot_number in 0..SLOTS,
        ) {
            let order = OrderNumbers::within(run(run_number), counter..COUNTERS)
                .next(slot(slot_number))
                .expect("the run is not used up");
            prop_assert_eq!(slot_of(order).get(), slot_number);
            prop_assert_eq!(run_of(order).map(Run::get), Some(run_number));
            prop_assert_eq!(counter_of(order), counter);
            prop_assert!(i64::try_from(order).is_ok_and(|order| order > 0));
        }

        #[test]
        fn numbers_of_a_run_ascend_whatever_their_slots(
            run_number in 1..RUNS,
            counter in 0..COUNTERS - 64,
            slots in prop::collection::vec(0..SLOTS, 2..64),
        ) {
            let mut numbers = OrderNumbers::within(run(run_number), counter..COUNTERS);
            let orders: Vec<u64> = slots.iter().filter_map(|&number| numbers.next(slot(number))).collect();
            prop_assert_eq!(orders.len(), slots.len());
            prop_assert!(orders.is_sorted_by(|a, b| a < b));
        }

        #[test]
        fn a_later_run_is_above_an_earlier_one(run_number in 1..RUNS - 1, slot_number in 0..SLOTS) {
            let last = OrderNumbers::within(run(run_number), COUNTERS - 1..COUNTERS).next(slot(1023));
            let first = OrderNumbers::new(run(run_number + 1)).next(slot(slot_number));
            prop_assert!(last.is_some() && last < first);
        }
    }
}
