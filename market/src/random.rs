//! Sources of random numbers: a trait, so that production uses the operating system's entropy and
//! tests a seed.
use std::fmt;

/// A source of uniformly distributed 64-bit numbers.
pub trait Randomness {
    /// The next number, each of the 2^64 equally likely.
    fn next_u64(&mut self) -> u64;

    /// A number in `0..bound`, each equally likely; 0 for the empty range `bound == 0`.
    ///
    /// Multiply-shift with rejection (Lemire, "Fast Random Integer Generation in an Interval",
    /// 2019): the few products that would favour small numbers are drawn again.
    fn below(&mut self, bound: u64) -> u64 {
        let (mut high, mut low) = wide_product(self.next_u64(), bound);
        if low < bound {
            let reject_below = bound.wrapping_neg() % bound;
            while low < reject_below {
                (high, low) = wide_product(self.next_u64(), bound);
            }
        }
        high
    }
}

/// A function that returns such numbers, for instance those of a seed in tests.
impl<F: FnMut() -> u64> Randomness for F {
    fn next_u64(&mut self) -> u64 {
        self()
    }
}

/// The high and the low half of a product.
#[allow(clippy::cast_possible_truncation, reason = "each half has 64 bits")]
fn wide_product(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    ((product >> 64) as u64, product as u64)
}

/// The random numbers of one command, kept until it is answered. A batch that must be planned
/// again, whole or in halves, draws what it drew before: trying again must not be a second chance.
#[derive(Default)]
pub struct CommandNumbers {
    given: Vec<u64>,
}

impl CommandNumbers {
    /// Returns the kept numbers again from the first, then new ones of `source`.
    pub fn replay<'n, R: Randomness>(&'n mut self, source: &'n mut R) -> Replay<'n, R> {
        Replay {
            numbers: self,
            next: 0,
            source,
        }
    }
}

// Numbers decide prizes, so they stay out of logs.
impl fmt::Debug for CommandNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandNumbers(..)")
    }
}

impl Drop for CommandNumbers {
    fn drop(&mut self) {
        // A used number must not stay in memory.
        self.given.fill(0);
        std::hint::black_box(&self.given);
    }
}

/// A command's numbers in one try.
#[derive(Debug)]
pub struct Replay<'n, R> {
    numbers: &'n mut CommandNumbers,
    next: usize,
    source: &'n mut R,
}

impl<R: Randomness> Randomness for Replay<'_, R> {
    fn next_u64(&mut self) -> u64 {
        let given = &mut self.numbers.given;
        if self.next == given.len() {
            given.push(self.source.next_u64());
        }
        self.next += 1;
        given[self.next - 1]
    }
}

#[cfg(test)]
mod tests {
    use testkit::random::seeded;

    use super::*;

    #[test]
    fn a_command_gets_the_same_numbers_again_and_then_new_ones() {
        let mut source = seeded(7);
        let [mut one, mut other] = [CommandNumbers::default(), CommandNumbers::default()];
        let mut give = |numbers: &mut CommandNumbers, count| {
            let mut replay = numbers.replay(&mut source);
            (0..count).map(|_| replay.next_u64()).collect::<Vec<_>>()
        };
        let first = give(&mut one, 5);
        let theirs = give(&mut other, 5);
        let again = give(&mut one, 7);
        assert_eq!(again[..5], first);
        assert!(theirs.iter().all(|number| !again.contains(number)));
        assert_eq!(give(&mut other, 2), theirs[..2]);
    }

    /// Returns numbers of a list, to reach the rejection, which a real source does once in 2^40
    /// draws.
    struct Script(Vec<u64>);

    impl Randomness for Script {
        fn next_u64(&mut self) -> u64 {
            self.0.remove(0)
        }
    }

    #[test]
    fn numbers_that_would_be_biased_are_drawn_again() {
        // 2^64 mod 3 = 1: the product with low part 0 has no partner and must be rejected.
        assert_eq!(Script(vec![0, u64::MAX]).below(3), 2);
        assert_eq!(Script(vec![1]).below(3), 0);
    }

    #[test]
    fn all_numbers_below_the_bound_come_up() {
        let mut random = seeded(1);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[usize::try_from(random.below(7)).expect("small")] += 1;
        }
        assert!(
            seen.iter().all(|&count| (800..1_200).contains(&count)),
            "{seen:?}"
        );
        assert_eq!(random.below(1), 0);
    }
}
