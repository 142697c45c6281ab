//! Random numbers that a seed decides: for tests and for the load driver, never for prizes.

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014): eight
/// bytes of state, a few cycles a number, the same sequence for the same seed.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of many independent streams of a seed. The stream's number is mixed first: the raw
    /// generator started at neighbouring states would walk through the same numbers, shifted.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut mixed = Self::new(stream);
        Self::new(seed ^ mixed.next_u64())
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound` by a widening multiply, which needs no division. Its bias is below
    /// bound / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of 128 bits has 64")
    }

    /// A number between 0 and 1 that is neither: a logarithm of it is finite.
    pub fn open_unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "52 bits are exact")]
        let (step, steps) = ((self.next_u64() >> 12) as f64, (1_u64 << 52) as f64);
        (step + 0.5) / steps
    }
}

/// The numbers of a seed as a function.
pub type Seeded = Box<dyn FnMut() -> u64 + Send>;

/// A function that returns the sequence of this seed.
pub fn seeded(seed: u64) -> Seeded {
    let mut random = SplitMix64::new(seed);
    Box::new(move || random.next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence() {
        let mut random = SplitMix64::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected, std::array::from_fn(|_| random.next_u64()));
    }

    #[test]
    fn the_same_seed_gives_the_same_users_and_streams_differ() {
        let users = |stream| {
            let mut random = SplitMix64::stream(7, stream);
            std::array::from_fn::<u64, 16, _>(|_| random.below(1_000_000))
        };
        assert_eq!(users(3), users(3));
        assert_ne!(users(3), users(4));
    }

    #[test]
    fn the_open_unit_has_its_mean_and_neither_end() {
        let mut random = SplitMix64::new(5);
        let numbers: Vec<f64> = (0..10_000).map(|_| random.open_unit()).collect();
        assert!(numbers.iter().all(|number| *number > 0.0 && *number < 1.0));
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }

    #[test]
    fn below_reaches_all_and_stays_inside() {
        let mut random = SplitMix64::new(1);
        let mut seen = [0_u32; 5];
        for _ in 0..10_000 {
            let number = usize::try_from(random.below(5)).expect("small");
            seen[number] += 1;
        }
        assert!(seen.iter().all(|n| (1_800..2_200).contains(n)), "{seen:?}");
    }
}
