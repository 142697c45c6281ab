//! The moments at which requests are due. The server does not influence them.

use std::time::Duration;

use clap::ValueEnum;

use crate::load::profile::{Moments, Profile};
use testkit::random::SplitMix64;

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spacing {
    /// Independent of each other, like people.
    Poisson,
    /// At even distances.
    Even,
}

impl Spacing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Even => "even",
        }
    }
}

/// One arrival: its number, and when it is due, counted from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) number: u64,
    pub(crate) due: Duration,
}

/// All arrivals of a profile, the same for the same seed. Steps of mean 1 on the integral of the
/// rate, converted to time, make arrivals of that rate. Exponential steps make a Poisson process,
/// steps of exactly 1 an even one.
#[derive(Debug)]
pub(crate) struct Arrivals<'a> {
    moments: Moments<'a>,
    spacing: Spacing,
    random: SplitMix64,
    reached: f64,
    number: u64,
}

/// The stream of the seed for arrivals. Users are chosen by the streams of arrival numbers, which
/// are never so large.
const STREAM: u64 = u64::MAX;

impl<'a> Arrivals<'a> {
    pub(crate) fn new(profile: &'a Profile, spacing: Spacing, seed: u64) -> Self {
        let reached = match spacing {
            Spacing::Poisson => 0.0,
            // In the middle of its interval: a rate of 1 for 1 s has its arrival at 0.5 s.
            Spacing::Even => -0.5,
        };
        Self {
            moments: profile.moments(),
            spacing,
            random: SplitMix64::stream(seed, STREAM),
            reached,
            number: 0,
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.reached += match self.spacing {
            Spacing::Poisson => -self.random.open_unit().ln(),
            Spacing::Even => 1.0,
        };
        let due = self.moments.of(self.reached)?;
        let number = self.number;
        self.number += 1;
        Some(Arrival { number, due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(profile: &str, spacing: Spacing, seed: u64) -> Vec<Duration> {
        let profile = profile.parse().expect(profile);
        Arrivals::new(&profile, spacing, seed)
            .map(|arrival| arrival.due)
            .collect()
    }

    #[test]
    fn even_arrivals_are_as_many_as_the_integral_and_at_even_distances() {
        let even = moments("hold:4:2s", Spacing::Even, 1);
        let expected: Vec<_> = (0..8)
            .map(|n| Duration::from_millis(125 + n * 250))
            .collect();
        assert_eq!(even, expected);
        assert_eq!(
            moments("ramp:0..1000:10s,spike:3000:2s", Spacing::Even, 1).len(),
            5_000 + 4_000
        );
    }

    #[test]
    fn poisson_arrivals_follow_the_seed_and_the_rate() {
        let all = moments("ramp:0..2000:10s,hold:500:10s", Spacing::Poisson, 7);
        assert_eq!(
            all,
            moments("ramp:0..2000:10s,hold:500:10s", Spacing::Poisson, 7)
        );
        assert_ne!(
            all,
            moments("ramp:0..2000:10s,hold:500:10s", Spacing::Poisson, 8)
        );
        assert!(all.is_sorted());
        // 10,000 and 5,000 expected, standard deviations 100 and 71; half of a ramp's arrivals come
        // in its last 29 %.
        let until = |seconds| all.iter().filter(|due| due.as_secs_f64() < seconds).count();
        assert!((9_600..10_400).contains(&until(10.0)), "{}", until(10.0));
        assert!((4_700..5_300).contains(&until(7.071)), "{}", until(7.071));
        assert!((4_700..5_300).contains(&(all.len() - until(10.0))));
    }

    /// In a Poisson process a share of e^-1 of the intervals is empty; in an even one none is.
    #[test]
    fn poisson_arrivals_are_independent() {
        let all = moments("hold:1000:20s", Spacing::Poisson, 3);
        let mut filled = vec![false; 20_000];
        for due in all {
            filled[usize::try_from(due.as_millis()).expect("small")] = true;
        }
        let empty = filled.iter().filter(|filled| !**filled).count();
        assert!(
            (7_100..7_620).contains(&empty),
            "{empty} of 20,000, 7,358 expected"
        );
    }
}
