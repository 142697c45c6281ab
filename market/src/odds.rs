//! Exact odds: rates are integers, and a draw is one look-up in a table of integers. There are no
//! floating point numbers, so each prize has exactly the configured odds.
use std::fmt;
use std::str::FromStr;

use crate::random::Randomness;

/// How often an award is drawn beside the others of its pool. All awards of a campaign have the
/// same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Likelihood {
    /// A rate.
    Rate(Rate),
    /// An integer, in proportion to the weights of the others.
    Weight(u32),
}

impl Likelihood {
    /// Its part of a pool in which all have the same kind.
    pub const fn share(self) -> u64 {
        match self {
            Self::Rate(rate) => rate.millionths() as u64,
            Self::Weight(weight) => weight as u64,
        }
    }

    /// Whether it is never drawn.
    pub const fn is_zero(self) -> bool {
        self.share() == 0
    }
}

impl fmt::Display for Likelihood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Weight(weight) => weight.fmt(f),
        }
    }
}

/// A probability in millionths: a decimal from 0 to 1 with up to six places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u32);

impl Rate {
    /// Certainty.
    pub const ONE: Rate = Rate(1_000_000);
    /// Never.
    pub const ZERO: Rate = Rate(0);
    /// Longest text of a rate.
    const TEXT_BYTES_MAX: usize = 64;

    /// The rate as a count of millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

/// An exponent of at most two digits, with or without a sign.
fn exponent_of(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let is_short = (1..=2).contains(&digits.len());
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let exponent: i32 = digits.parse().ok().filter(|_| is_short && is_plain)?;
    Some(if negative { -exponent } else { exponent })
}

/// `digits` times ten to the power of `tens`, when that is an integer.
fn millionths(digits: &str, tens: i32) -> Option<u32> {
    if digits.is_empty() {
        return Some(0);
    }
    let count = usize::try_from(tens.unsigned_abs()).ok()?;
    if tens >= 0 {
        let zeros = "0".repeat(count);
        return format!("{digits}{zeros}").parse().ok();
    }
    let whole = digits.len().checked_sub(count)?;
    let (whole, rest) = digits.split_at(whole);
    let exact = rest.bytes().all(|byte| byte == b'0');
    exact.then(|| whole.parse().ok()).flatten()
}

/// The string is not a decimal from 0 to 1 with at most six places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal from 0 to 1 with at most 6 places, such as 0.0003")]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;

    /// Reads `0.0003`, `0.00030000`, `3e-4` and `1`: whatever is exact in millionths.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(InvalidRate);
        }
        let (decimal, exponent) = match text.split_once(['e', 'E']) {
            Some((decimal, exponent)) => (decimal, exponent_of(exponent).ok_or(InvalidRate)?),
            None => (text, 0),
        };
        let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let lone_dot = decimal.contains('.') && places.is_empty();
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || lone_dot || leading_zero || !are_digits(whole) || !are_digits(places)
        {
            return Err(InvalidRate);
        }
        let digits = format!("{whole}{places}");
        // How often ten is to be multiplied to make millionths of the digits.
        let places = i32::try_from(places.len()).map_err(|_| InvalidRate)?;
        millionths(digits.trim_start_matches('0'), 6 + exponent - places)
            .filter(|&millionths| millionths <= Self::ONE.0)
            .map(Rate)
            .ok_or(InvalidRate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A pool of outcomes with integer weights that draws one in constant time.
///
/// The alias method (Walker 1977, built as by Vose 1991) over integers: with `n` outcomes of
/// total weight `w` each of the `n` cells is `w` wide and shared by at most two outcomes, so a
/// number below `n * w` gives the cell and the offset in it. Each outcome owns exactly `n * weight`
/// of the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    weights: Vec<u64>,
    weight_total: u64,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    /// Offsets below this belong to the cell's own outcome, the others to `alias`.
    own: u64,
    alias: usize,
}

/// A pool without weight has nothing to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no outcome has a share above 0")]
pub struct EmptyPool;

impl Pool {
    /// The pool whose outcome `i` has the rate `rates[i]` relative to the sum of all rates. So what
    /// is missing to 1 is spread in proportion. The weights are in lowest terms.
    pub fn new(rates: &[Rate]) -> Result<Self, EmptyPool> {
        let shares: Vec<u64> = rates.iter().map(|rate| rate.0.into()).collect();
        Self::of_shares(&shares)
    }

    /// The pool whose outcome `i` has `shares[i]` of the sum of all. Shares are below 2^32, and
    /// there are at most some thousands.
    pub fn of_shares(shares: &[u64]) -> Result<Self, EmptyPool> {
        let divisor = shares
            .iter()
            .fold(0, |divisor, &share| greatest_common_divisor(divisor, share));
        if divisor == 0 {
            return Err(EmptyPool);
        }
        let weights: Vec<u64> = shares.iter().map(|share| share / divisor).collect();
        let weight_total = weights.iter().sum();
        let cells = alias_cells(&weights, weight_total);
        Ok(Self {
            weights,
            weight_total,
            cells,
        })
    }

    /// Draws the index of an outcome.
    pub fn draw(&self, random: &mut impl Randomness) -> usize {
        let number = random.below(self.cells.len() as u64 * self.weight_total);
        self.outcome(number)
    }

    /// The odds of outcome `index` as the exact fraction (weight, total weight).
    pub fn odds(&self, index: usize) -> (u64, u64) {
        (self.weights[index], self.weight_total)
    }

    /// How many outcomes the pool has, those with weight 0 included.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Always false: a pool without outcomes cannot be made.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    fn outcome(&self, number: u64) -> usize {
        let index = usize::try_from(number / self.weight_total).expect("below the number of cells");
        let cell = self.cells[index];
        if number % self.weight_total < cell.own {
            index
        } else {
            cell.alias
        }
    }
}

/// Fills each cell of width `weight_total` with its own outcome first, and the rest with one
/// outcome that has more left than a cell holds.
fn alias_cells(weights: &[u64], weight_total: u64) -> Vec<Cell> {
    let count = weights.len() as u64;
    let mut left: Vec<u64> = weights.iter().map(|weight| weight * count).collect();
    let mut cells: Vec<Cell> = (0..weights.len())
        .map(|index| Cell {
            own: weight_total,
            alias: index,
        })
        .collect();
    let (mut short, mut long): (Vec<usize>, Vec<usize>) =
        (0..weights.len()).partition(|&index| left[index] < weight_total);
    while let Some(index) = short.pop() {
        // The remaining cells are as wide as the remaining weights: if one is short, another one
        // is long.
        let donor = *long.last().expect("a short cell has a donor");
        cells[index] = Cell {
            own: left[index],
            alias: donor,
        };
        left[donor] -= weight_total - left[index];
        if left[donor] < weight_total {
            long.pop();
            short.push(donor);
        }
    }
    cells
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use testkit::random::seeded;

    use proptest::prelude::*;

    use super::*;

    fn rates(texts: &[&str]) -> Vec<Rate> {
        texts
            .iter()
            .map(|text| text.parse().expect("rate"))
            .collect()
    }

    /// Counts, number by number, how many of all the numbers each outcome owns.
    fn numbers_owned(pool: &Pool) -> Vec<u64> {
        let mut owned = vec![0; pool.len()];
        for number in 0..pool.len() as u64 * pool.weight_total {
            owned[pool.outcome(number)] += 1;
        }
        owned
    }

    #[test]
    fn rates_are_exact_decimals() {
        assert_eq!("0.0003".parse::<Rate>(), Ok(Rate(300)));
        assert_eq!("1".parse::<Rate>(), Ok(Rate::ONE));
        assert_eq!(
            "0".parse::<Rate>().map(|rate| rate.to_string()),
            Ok("0".into())
        );
        assert_eq!(
            "0.790000".parse::<Rate>().map(|rate| rate.to_string()),
            Ok("0.79".into())
        );
        for (text, millionths) in [
            ("1e-4", 100),
            ("1E-6", 1),
            ("0.00030000", 300),
            ("25e-2", 250_000),
            ("1000000e-6", 1_000_000),
            ("0.01e+1", 100_000),
            ("0e-50", 0),
            ("0.0000000", 0),
            ("1.000000000", 1_000_000),
        ] {
            assert_eq!(text.parse::<Rate>(), Ok(Rate(millionths)), "{text:?}");
        }
        for bad in [
            "",
            ".5",
            "0.",
            "1.000001",
            "2",
            "-0.1",
            "0.0000001",
            "1e-7",
            "1e1",
            "1e",
            "1e--3",
            "1e+-3",
            "1e-100",
            "e-3",
            "0,5",
            "0.5 ",
            "00.5",
        ] {
            assert_eq!(bad.parse::<Rate>(), Err(InvalidRate), "{bad:?}");
        }
    }

    #[test]
    fn rates_that_miss_one_are_spread_in_proportion() {
        let pool = Pool::new(&rates(&["0.5", "0.1", "0.01"])).expect("pool");
        assert_eq!(
            [0, 1, 2].map(|index| pool.odds(index)),
            [(50, 61), (10, 61), (1, 61)]
        );
    }

    #[test]
    fn a_pool_needs_weight() {
        assert_eq!(Pool::new(&rates(&["0", "0"])), Err(EmptyPool));
        assert_eq!(Pool::new(&[]), Err(EmptyPool));
    }

    proptest! {
        #[test]
        fn each_outcome_owns_exactly_its_share(weights in prop::collection::vec(0_u32..40, 1..12)) {
            let rates: Vec<Rate> = weights.iter().map(|&weight| Rate(weight)).collect();
            match Pool::new(&rates) {
                Err(EmptyPool) => prop_assert!(weights.iter().all(|&weight| weight == 0)),
                Ok(pool) => {
                    let expected: Vec<u64> = (0..pool.len()).map(|index| pool.odds(index).0 * pool.len() as u64).collect();
                    prop_assert_eq!(numbers_owned(&pool), expected);
                }
            }
        }

        #[test]
        fn an_outcome_without_rate_is_never_drawn(seed: u64, zero in 0_usize..5) {
            let mut five = [Rate(199_999); 5];
            five[zero] = Rate::ZERO;
            let pool = Pool::new(&five).expect("pool");
            let mut random = seeded(seed);
            prop_assert!((0..500).all(|_| pool.draw(&mut random) != zero));
        }

        #[test]
        fn rate_texts_round_trip(millionths in 0_u32..=1_000_000) {
            prop_assert_eq!(Rate(millionths).to_string().parse(), Ok(Rate(millionths)));
            for text in [format!("{millionths}e-6"), format!("{}000", Rate(millionths))] {
                if text.contains(['.', 'e']) {
                    prop_assert_eq!(text.parse(), Ok(Rate(millionths)), "{}", text);
                }
            }
        }
    }
}
