//! Which users draw: all equally often, or a few of them very often.

use std::fmt;
use std::str::FromStr;

use testkit::random::SplitMix64;

/// The largest exponent of Zipf's law: beyond it nearly all draws are the first user's.
const EXPONENT_MAX: f64 = 5.0;

/// How arrivals are spread over users.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spread {
    /// All users equally often.
    Uniform,
    /// The user of rank k draws in proportion to 1 / k^exponent.
    Zipf {
        /// 0.1 to 5.
        exponent: f64,
    },
}

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "uniform" {
            return Ok(Self::Uniform);
        }
        let exponent = text
            .strip_prefix("zipf:")
            .and_then(|number| number.parse().ok());
        match exponent.filter(|exponent| (0.1..=EXPONENT_MAX).contains(exponent)) {
            Some(exponent) => Ok(Self::Zipf { exponent }),
            None => Err(format!(
                "must be uniform or zipf:EXPONENT with an exponent from 0.1 to {EXPONENT_MAX}"
            )),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => write!(f, "uniform"),
            Self::Zipf { exponent } => write!(f, "zipf:{exponent}"),
        }
    }
}

/// Chooses users from `0..users`. User 0 draws most often.
#[derive(Clone, Debug)]
pub(crate) enum Chooser {
    Uniform { users: u64 },
    Zipf(Zipf),
}

impl Chooser {
    pub(crate) fn new(spread: Spread, users: u64) -> Self {
        match spread {
            Spread::Uniform => Self::Uniform { users },
            Spread::Zipf { exponent } => Self::Zipf(Zipf::new(exponent, users)),
        }
    }

    pub(crate) fn choose(&self, random: &mut SplitMix64) -> u64 {
        match self {
            Self::Uniform { users } => random.below(*users),
            Self::Zipf(zipf) => zipf.rank(random) - 1,
        }
    }
}

/// Zipf's law by rejection-inversion (Hörmann and Derflinger, 1996): draws from the continuous
/// density x^-exponent, rounds, and rejects the results that rounding makes too frequent. It needs
/// no table, so a thousand million users cost no more than ten.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    exponent: f64,
    users: f64,
    /// The range of the integral of the density, shifted so that rank 1 has its share: from here
    /// ...
    area_first: f64,
    /// ... to here.
    area_last: f64,
    /// Rounding up by at most this is accepted without the exact test.
    safe: f64,
}

impl Zipf {
    fn new(exponent: f64, users: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most 10^9 users")]
        let users = users as f64;
        let mut zipf = Self {
            exponent,
            users,
            area_first: 0.0,
            area_last: 0.0,
            safe: 0.0,
        };
        zipf.area_first = zipf.area(1.5) - 1.0;
        zipf.area_last = zipf.area(users + 0.5);
        zipf.safe = 2.0 - zipf.position(zipf.area(2.5) - zipf.density(2.0));
        zipf
    }

    fn rank(&self, random: &mut SplitMix64) -> u64 {
        loop {
            let area = self.area_last + random.open_unit() * (self.area_first - self.area_last);
            let position = self.position(area);
            let rank = position.round().clamp(1.0, self.users);
            if rank - position <= self.safe || area >= self.area(rank + 0.5) - self.density(rank) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "1 to 10^9"
                )]
                return rank as u64;
            }
        }
    }

    fn density(&self, position: f64) -> f64 {
        (-self.exponent * position.ln()).exp()
    }

    /// The integral of the density from 1. One formula serves all exponents; the common one would
    /// divide 0 by 0 at the exponent 1.
    fn area(&self, position: f64) -> f64 {
        let log = position.ln();
        let power = (1.0 - self.exponent) * log;
        if power.abs() < 1e-9 {
            log
        } else {
            power.exp_m1() / power * log
        }
    }

    /// The inverse of `area`.
    fn position(&self, area: f64) -> f64 {
        let power = ((1.0 - self.exponent) * area).max(-1.0);
        let log = if power.abs() < 1e-9 {
            area
        } else {
            power.ln_1p() / power * area
        };
        log.exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_parsed_and_shown() {
        for text in ["uniform", "zipf:1.1", "zipf:1", "zipf:0.5"] {
            assert_eq!(text.parse::<Spread>().expect(text).to_string(), text);
        }
        for text in [
            "", "zipf", "zipf:", "zipf:0", "zipf:-1", "zipf:6", "zipf:NaN", "Uniform",
        ] {
            assert!(text.parse::<Spread>().is_err(), "{text}");
        }
    }

    /// Compares each rank's share with the law itself, summed directly.
    #[test]
    fn ranks_are_as_frequent_as_the_law_says() {
        const DRAWS: u32 = 200_000;
        for exponent in [0.5, 0.99, 1.0, 1.1, 2.5] {
            for users in [1_u32, 2, 7, 1_000] {
                let chooser = Chooser::new(Spread::Zipf { exponent }, users.into());
                let mut random = SplitMix64::new(42);
                let mut counts = vec![0_u32; users as usize];
                for _ in 0..DRAWS {
                    counts[usize::try_from(chooser.choose(&mut random)).expect("small")] += 1;
                }
                let weight = |rank: u32| f64::from(rank).powf(-exponent);
                let total: f64 = (1..=users).map(weight).sum();
                for (rank, count) in (1..=users).zip(counts) {
                    let share = weight(rank) / total;
                    let expected = share * f64::from(DRAWS);
                    let deviation = (expected * (1.0 - share)).sqrt();
                    let off = (f64::from(count) - expected).abs();
                    // Thousands of ranks are compared: five deviations and a little for small
                    // numbers.
                    assert!(
                        off <= 5.0 * deviation + 3.0,
                        "{exponent} {users} {rank}: {count}, expected {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_thousand_million_users_cost_no_more() {
        for spread in [Spread::Uniform, Spread::Zipf { exponent: 1.1 }] {
            let chooser = Chooser::new(spread, 1_000_000_000);
            let mut random = SplitMix64::new(1);
            assert!((0..10_000).all(|_| chooser.choose(&mut random) < 1_000_000_000));
        }
    }
}
