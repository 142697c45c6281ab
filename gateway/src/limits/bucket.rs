//! Token buckets: governor's GCRA, over state that is bounded and can be given back.
//!
//! GCRA remembers one number per bucket, the moment at which it will be full again, and computes
//! in whole nanoseconds. So there are no windows, and no border at which two bursts could meet.
use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::cells::{CellChunk, Cells};

/// The wait that a bucket without tokens advises: it lasts until an operator changes the limit.
const NEVER_WAIT: Duration = Duration::from_mins(1);

/// Tokens per second, in thousandths: from 0 to 1,000,000 with at most three places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u32);

/// The text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal from 0 to 1000000 with at most 3 places, such as 0.5")]
pub struct InvalidRate;

impl Rate {
    const MAX: u32 = 1_000_000_000;

    /// The time between two tokens; `None` when none ever comes. Rounded up to whole nanoseconds:
    /// a bucket never gives more than is configured.
    fn period(self) -> Option<Duration> {
        const THOUSAND_SECONDS_NS: u64 = 1_000_000_000_000;
        (self.0 > 0).then(|| Duration::from_nanos(THOUSAND_SECONDS_NS.div_ceil(self.0.into())))
    }

    /// The tokens of one second, rounded up, at least one.
    pub fn of_a_second(self) -> NonZeroU32 {
        NonZeroU32::new(self.0.div_ceil(1000)).unwrap_or(NonZeroU32::MIN)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, thousandths) = (self.0 / 1000, self.0 % 1000);
        if thousandths == 0 {
            return write!(f, "{whole}");
        }
        let places = format!("{thousandths:03}");
        write!(f, "{whole}.{}", places.trim_end_matches('0'))
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 7) || !digits(places, 3) {
            return Err(InvalidRate);
        }
        let thousandths: u64 = format!("{whole}{places:0<3}")
            .parse()
            .map_err(|_| InvalidRate)?;
        u32::try_from(thousandths)
            .ok()
            .filter(|&rate| rate <= Self::MAX)
            .map(Self)
            .ok_or(InvalidRate)
    }
}

/// How fast tokens come, and how many a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketPace {
    /// There are none.
    Never,
    /// One after another, up to a number.
    Tokens(Quota),
}

impl BucketPace {
    /// Tokens at a rate, at most `burst` of them at once.
    pub fn new(rate: Rate, burst: NonZeroU32) -> Self {
        let quota = rate.period().and_then(Quota::with_period);
        quota.map_or(BucketPace::Never, |quota| {
            BucketPace::Tokens(quota.allow_burst(burst))
        })
    }
}

/// There was no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketEmpty {
    /// How many the bucket holds when it is full.
    pub burst: u32,
    /// When the next one comes.
    pub wait: Duration,
}

/// One bucket's state.
#[derive(Debug, Clone, Default)]
pub struct BucketCell(Arc<InMemoryState>);

impl StateStore for BucketCell {
    type Key = ();

    fn measure_and_replace<T, F, E>(&self, (): &(), measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

/// governor's algorithm over one of our states.
type Limiter<S, C> =
    RateLimiter<<S as StateStore>::Key, S, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A bucket, or one per key.
pub struct Bucket<S: StateStore, C: Clock> {
    pace: BucketPace,
    store: S,
    /// What the store's numbers are counted from.
    start: C::Instant,
    /// `None` where there are no tokens.
    limiter: Option<Limiter<S, C>>,
}

impl<S: StateStore, C: Clock> fmt::Debug for Bucket<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.pace).finish()
    }
}

impl<S: StateStore<Key: Hash + Eq + Clone> + Clone, C: Clock> Bucket<S, C> {
    /// A full one.
    pub fn new(pace: BucketPace, store: S, clock: C) -> Self {
        let start = clock.now();
        let limiter = match pace {
            BucketPace::Never => None,
            BucketPace::Tokens(quota) => Some(RateLimiter::new(quota, store.clone(), clock)),
        };
        Self {
            pace,
            store,
            start,
            limiter,
        }
    }

    /// What it was made with.
    pub fn pace(&self) -> BucketPace {
        self.pace
    }

    /// Takes a token.
    pub fn take(&self, key: &S::Key) -> Result<(), BucketEmpty> {
        let Some(limiter) = &self.limiter else {
            return Err(BucketEmpty {
                burst: 0,
                wait: NEVER_WAIT,
            });
        };
        limiter.check_key(key).map_err(|until| BucketEmpty {
            burst: until.quota().burst_size().get(),
            wait: until.wait_time_from(limiter.clock().now()),
        })
    }
}

impl<K: Hash, C: Clock> Bucket<Cells<K>, C> {
    /// All places of its keys, in parts.
    pub fn chunks(&self) -> impl Iterator<Item = CellChunk> + use<K, C> {
        self.store.chunks()
    }

    /// How many keys' buckets of a part are not full now.
    pub fn count(&self, chunk: CellChunk) -> u64 {
        let Some(limiter) = &self.limiter else {
            return 0;
        };
        self.store
            .count(chunk, limiter.clock().now().duration_since(self.start))
    }
}

impl<C: Clock> Bucket<BucketCell, C> {
    /// Gives back a token that was taken, as if it had never been.
    pub fn give_back(&self) {
        let BucketPace::Tokens(quota) = self.pace else {
            return;
        };
        let token = Nanos::from(quota.replenish_interval());
        let Ok(()) = self.store.measure_and_replace(&(), |full_at| {
            Ok::<_, Infallible>(((), full_at.unwrap_or_default().saturating_sub(token)))
        });
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn config() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(0x0B),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    fn pace(text: &str, burst: u32) -> BucketPace {
        BucketPace::new(rate(text), NonZeroU32::new(burst).expect("not zero"))
    }

    /// A bucket as one would count by hand, all in nanoseconds' worth of tokens.
    struct Model {
        token: u128,
        room: u128,
        level: u128,
    }

    impl Model {
        fn new(pace: BucketPace) -> Self {
            let BucketPace::Tokens(quota) = pace else {
                panic!("no tokens")
            };
            let token = quota.replenish_interval().as_nanos();
            let room = token * u128::from(quota.burst_size().get());
            Self {
                token,
                room,
                level: room,
            }
        }

        fn advance(&mut self, by: Duration) {
            self.level = self.room.min(self.level + by.as_nanos());
        }

        fn take(&mut self) -> Result<(), Duration> {
            match self.level.checked_sub(self.token) {
                Some(rest) => {
                    self.level = rest;
                    Ok(())
                }
                None => Err(Duration::from_nanos_u128(self.token - self.level)),
            }
        }
    }

    fn single(pace: BucketPace) -> (Bucket<BucketCell, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (
            Bucket::new(pace, BucketCell::default(), clock.clone()),
            clock,
        )
    }

    fn count<K: Hash>(buckets: &Bucket<Cells<K>, FakeRelativeClock>) -> u64 {
        buckets.chunks().map(|chunk| buckets.count(chunk)).sum()
    }

    /// How many takes succeed before the first that does not.
    fn drained(bucket: &Bucket<BucketCell, FakeRelativeClock>) -> usize {
        std::iter::repeat_with(|| bucket.take(&()))
            .take_while(Result::is_ok)
            .count()
    }

    #[test]
    fn rates_are_read_exactly() {
        for (text, thousandths) in [
            ("0", 0),
            ("0.001", 1),
            ("0.5", 500),
            ("1", 1000),
            ("7.25", 7250),
            ("1000000", 1_000_000_000),
        ] {
            assert_eq!(rate(text), Rate(thousandths), "{text}");
        }
        for text in ["0", "0.001", "0.5", "7.25", "12.03", "1000000"] {
            assert_eq!(rate(text).to_string(), text);
        }
        for text in [
            "",
            "-1",
            "1e3",
            ".5",
            "5.",
            "0.0001",
            "1000000.001",
            "10000000",
            "nan",
            "1_0",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
        let per_second = |text| rate(text).of_a_second().get();
        assert_eq!(
            (
                per_second("0"),
                per_second("0.5"),
                per_second("1"),
                per_second("1.001")
            ),
            (1, 1, 1, 2)
        );
    }

    #[test]
    fn the_time_between_tokens_is_rounded_in_favour_of_the_limit() {
        for (text, period_ns) in [
            ("0.001", 1_000_000_000_000),
            ("0.5", 2_000_000_000),
            ("1", 1_000_000_000),
            ("3", 333_333_334),
            ("1000", 1_000_000),
            ("1001", 999_001),
            ("7000", 142_858),
            ("1000000", 1_000),
        ] {
            assert_eq!(
                rate(text).period(),
                Some(Duration::from_nanos(period_ns)),
                "{text}"
            );
        }
        assert_eq!(rate("0").period(), None);
    }

    #[test]
    fn no_rate_refuses_everything_for_ever() {
        let (bucket, clock) = single(pace("0", 1000));
        for _ in 0..3 {
            assert_eq!(
                bucket.take(&()),
                Err(BucketEmpty {
                    burst: 0,
                    wait: NEVER_WAIT
                })
            );
            clock.advance(Duration::from_hours(1000));
        }
    }

    #[test]
    fn one_per_second_lets_one_through_each_second_to_the_nanosecond() {
        let (bucket, clock) = single(pace("1", 1));
        assert_eq!(bucket.take(&()), Ok(()));
        for _ in 0..100 {
            clock.advance(Duration::from_nanos(999_999_999));
            assert_eq!(
                bucket.take(&()),
                Err(BucketEmpty {
                    burst: 1,
                    wait: Duration::from_nanos(1)
                })
            );
            clock.advance(Duration::from_nanos(1));
            assert_eq!(bucket.take(&()), Ok(()));
        }
    }

    #[test]
    fn above_a_thousand_per_second_each_second_brings_what_it_should() {
        for (text, burst, in_ten_seconds) in [
            ("1000", 1, 10_000),
            ("4000", 5, 40_000),
            // 142.858 us and 999.001 us: what was rounded off is less than a token in ten seconds.
            ("7000", 1, 69_999),
            ("1001", 1, 10_009),
            ("100000", 1, 1_000_000),
        ] {
            let (bucket, clock) = single(pace(text, burst));
            drained(&bucket);
            let Some(period) = rate(text).period() else {
                panic!("a rate")
            };
            let steps = Duration::from_secs(10).as_nanos() / period.as_nanos();
            let passed: usize = (0..steps)
                .map(|_| {
                    clock.advance(period);
                    drained(&bucket)
                })
                .sum();
            assert_eq!(passed, in_ten_seconds, "{text}");
        }
    }

    #[test]
    fn there_is_no_border_at_which_two_bursts_meet() {
        let (bucket, clock) = single(pace("10", 10));
        clock.advance(Duration::from_millis(999));
        assert_eq!(drained(&bucket), 10);
        // A new second begins, a new burst does not.
        clock.advance(Duration::from_millis(2));
        assert_eq!(drained(&bucket), 0);
        clock.advance(Duration::from_millis(98));
        assert_eq!(drained(&bucket), 1);
        // Nor does one gather beyond the bucket.
        clock.advance(Duration::from_hours(24));
        assert_eq!(drained(&bucket), 10);
    }

    #[test]
    fn slow_and_large_buckets_stay_within_the_numbers() {
        let (bucket, clock) = single(pace("0.001", 1_000_000));
        assert_eq!(drained(&bucket), 1_000_000);
        clock.advance(Duration::from_secs(1000));
        assert_eq!(drained(&bucket), 1);
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let clock = FakeRelativeClock::default();
        let two = pace("1", 2);
        let buckets = Bucket::new(two, Cells::new(1_000), clock.clone());
        for key in 0..50 {
            assert_eq!(
                [1, 2, 3].map(|_| buckets.take(&key).is_ok()),
                [true, true, false],
                "{key}"
            );
        }
        assert_eq!(count(&buckets), 50);
        clock.advance(Duration::from_secs(2));
        assert_eq!(count(&buckets), 0, "full buckets are none");
    }

    #[test]
    fn all_at_once_get_no_more_than_one_after_another() {
        let five = pace("1", 5);
        let buckets = Bucket::new(five, Cells::new(1_000), FakeRelativeClock::default());
        for key in 0..200 {
            let passed: usize = std::thread::scope(|scope| {
                let calls = || (0..4).filter(|_| buckets.take(&key).is_ok()).count();
                let callers: Vec<_> = (0..4).map(|_| scope.spawn(calls)).collect();
                callers
                    .into_iter()
                    .map(|caller| caller.join().expect("a count"))
                    .sum()
            });
            assert_eq!(passed, 5, "{key}");
        }
    }

    #[test]
    fn a_million_keys_leave_a_bounded_number_behind_and_the_busy_one_keeps_its_debt() {
        const KEYS_MAX: u64 = 1_000;
        let buckets = Bucket::new(
            pace("1", 1),
            Cells::new(KEYS_MAX),
            FakeRelativeClock::default(),
        );
        assert_eq!(buckets.take(&u32::MAX), Ok(()));
        for key in 0..1_000_000 {
            assert_eq!(buckets.take(&key), Ok(()), "a new key has a full bucket");
            if key % 100 == 0 {
                assert!(buckets.take(&u32::MAX).is_err(), "forgotten at {key}");
            }
        }
        assert_eq!(count(&buckets), 2 * KEYS_MAX, "all places are taken");
    }

    fn paces() -> impl Strategy<Value = BucketPace> {
        let rates = prop_oneof![
            Just(1),
            Just(1000),
            1..5_000u32,
            // Above 1,000 per second.
            1_000_000..=Rate::MAX,
        ];
        (rates, 1..40u32).prop_map(|(rate, burst)| {
            BucketPace::new(Rate(rate), NonZeroU32::new(burst).expect("not zero"))
        })
    }

    /// Steps of time around a token's, in eighths of it and a nanosecond more or less, and calls
    /// after each.
    fn steps() -> impl Strategy<Value = Vec<(u64, i64, usize)>> {
        let eighths = prop_oneof![4 => 0..20u64, 1 => 100..1000u64];
        prop::collection::vec((eighths, -1..=1i64, 0..6usize), 1..120)
    }

    fn step(pace: BucketPace, eighths: u64, nanosecond: i64) -> Duration {
        let BucketPace::Tokens(quota) = pace else {
            panic!("no tokens")
        };
        let period_ns = u64::try_from(quota.replenish_interval().as_nanos()).expect("not long");
        Duration::from_nanos((period_ns * eighths / 8).saturating_add_signed(nanosecond))
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn a_bucket_is_the_exact_model(pace in paces(), steps in steps()) {
            let ((bucket, clock), mut model) = (single(pace), Model::new(pace));
            for (eighths, nanosecond, calls) in steps {
                let by = step(pace, eighths, nanosecond);
                clock.advance(by);
                model.advance(by);
                for _ in 0..calls {
                    prop_assert_eq!(bucket.take(&()).map_err(|empty| empty.wait), model.take());
                }
            }
        }

        #[test]
        fn what_is_given_back_was_never_taken(pace in paces(), steps in steps()) {
            let ((bucket, clock), mut model) = (single(pace), Model::new(pace));
            for (place, (eighths, nanosecond, calls)) in steps.into_iter().enumerate() {
                let by = step(pace, eighths, nanosecond);
                clock.advance(by);
                model.advance(by);
                for call in 0..calls {
                    let taken = bucket.take(&()).map_err(|empty| empty.wait);
                    if (place + call) % 3 == 0 && taken.is_ok() {
                        bucket.give_back();
                    } else {
                        prop_assert_eq!(taken, model.take());
                    }
                }
            }
        }

        #[test]
        fn no_span_of_time_lets_more_through_than_burst_and_rate(pace in paces(), steps in steps()) {
            let (bucket, clock) = single(pace);
            let BucketPace::Tokens(quota) = pace else { panic!("no tokens") };
            let (period_ns, burst) = (quota.replenish_interval().as_nanos(), u128::from(quota.burst_size().get()));
            let mut now_ns = 0_u128;
            let mut passed_ns = Vec::new();
            for (eighths, nanosecond, calls) in steps {
                let by = step(pace, eighths, nanosecond);
                clock.advance(by);
                now_ns += by.as_nanos();
                passed_ns.extend((0..calls).filter(|_| bucket.take(&()).is_ok()).map(|_| now_ns));
            }
            for (first, begin_ns) in passed_ns.iter().enumerate() {
                for (last, end_ns) in passed_ns.iter().enumerate().skip(first) {
                    let count = u128::try_from(last - first + 1).expect("small");
                    prop_assert!(count <= burst + (end_ns - begin_ns) / period_ns);
                }
            }
        }
    }
}
