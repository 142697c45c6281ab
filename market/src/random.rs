//! Where random numbers come from: a trait, so that production uses the operating system's entropy
//! and tests use a seed.

/// A source of uniformly distributed 64-bit numbers.
pub trait Randomness {
    /// The next number, each of the 2^64 equally likely.
    fn next_u64(&mut self) -> u64;

    /// A number in `0..bound`, each equally likely; 0 for the empty range `bound == 0`.
    ///
    /// Multiply-shift with rejection (Lemire, "Fast Random Integer Generation in an Interval",
    /// 2019): the few numbers that would favour small results are rejected, and others drawn.
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

/// The high and the low half of a product.
#[allow(clippy::cast_possible_truncation, reason = "each half has 64 bits")]
fn wide_product(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    ((product >> 64) as u64, product as u64)
}

/// Remembers the numbers of its source. A batch that is planned again gets the same numbers, so
/// that another try is not a second chance.
#[derive(Debug, Clone)]
pub struct Tape<R> {
    source: R,
    given: Vec<u64>,
    next: usize,
}

impl<R: Randomness> Tape<R> {
    /// An empty tape of `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            given: Vec::new(),
            next: 0,
        }
    }

    /// From now on it returns the remembered numbers again, then new ones.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Forgets the numbers returned so far.
    pub fn clear(&mut self) {
        // A number that was used must not be found in memory later.
        self.given.fill(0);
        self.given.clear();
        self.next = 0;
    }
}

impl<R: Randomness> Randomness for Tape<R> {
    fn next_u64(&mut self) -> u64 {
        if self.next == self.given.len() {
            self.given.push(self.source.next_u64());
        }
        self.next += 1;
        self.given[self.next - 1]
    }
}

/// Random numbers that a seed decides: for tests and simulations, never for prizes.
/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Randomness for Seeded {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_gives_the_same_numbers_again_and_then_new_ones() {
        let mut tape = Tape::new(Seeded::new(7));
        let first: Vec<u64> = (0..5).map(|_| tape.next_u64()).collect();
        tape.rewind();
        let again: Vec<u64> = (0..7).map(|_| tape.next_u64()).collect();
        assert_eq!(again[..5], first);
        tape.clear();
        assert!(!again.contains(&tape.next_u64()));
    }

    /// Returns numbers of a list, to reach the rejection, which is rare with a real source.
    struct Script(Vec<u64>);

    impl Randomness for Script {
        fn next_u64(&mut self) -> u64 {
            self.0.remove(0)
        }
    }

    #[test]
    fn numbers_that_would_be_biased_are_rejected() {
        // 2^64 mod 3 = 1: the product with low part 0 has no partner and must be rejected.
        assert_eq!(Script(vec![0, u64::MAX]).below(3), 2);
        assert_eq!(Script(vec![1]).below(3), 0);
    }

    #[test]
    fn all_numbers_below_the_bound_come_up() {
        let mut random = Seeded::new(1);
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
