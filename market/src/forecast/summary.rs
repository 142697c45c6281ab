//! Means and percentiles of runs. Everything is counted in integers; only here it is divided.

use std::sync::Arc;

use super::figures::AwardCounts;
use super::setting::{Forecast, Lock};
use super::tally::Tally;
use crate::ids::AwardId;
use crate::refusal::Refusal;

/// What a forecast says. Means are those of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// How many runs there were.
    pub runs: u32,
    /// Draws that the rules allowed.
    pub made_mean: f64,
    /// Draws that they refused, the most frequent cause first.
    pub refused: Vec<RefusalSummary>,
    /// What all given awards cost, in hundredths of the currency.
    pub cost_minor: Spread,
    /// The points that prizes pay; `None` for a campaign without points prizes.
    pub points_mean: Option<f64>,
    /// The awards, in the order of the wheel.
    pub awards: Vec<AwardSummary>,
    /// The thresholds of `rule_weight`, by ordinal.
    pub guarantees: Vec<GuaranteeSummary>,
    /// The awards that are locked at the beginning of a day.
    pub locks: Vec<LockSummary>,
}

/// A mean, and what 5 and 95 of 100 runs did not exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The 5th percentile.
    pub p5: u128,
    /// The 95th percentile.
    pub p95: u128,
}

/// Draws that were refused for a cause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RefusalSummary {
    /// The cause.
    pub cause: Refusal,
    /// How many.
    pub mean: f64,
}

/// What becomes of an award. [`AwardCounts`] explains the counts.
#[derive(Debug, Clone, PartialEq)]
pub struct AwardSummary {
    /// Its id.
    pub id: AwardId,
    /// Its title.
    pub title: Arc<str>,
    /// How many units there are.
    pub count: Option<u64>,
    /// What one costs.
    pub cost_minor: u64,
    /// How often it is given.
    pub given_mean: f64,
    /// Units given.
    pub issued_mean: f64,
    /// How often it is given in place of another one.
    pub as_fallback_mean: f64,
    /// How often it is replaced because it is locked.
    pub locked_mean: f64,
    /// How often it is replaced because it is gone.
    pub gone_mean: f64,
    /// How often it is replaced because the user has as many as one may have.
    pub limited_mean: f64,
    /// When its last unit is given.
    pub runs_out: RunsOut,
}

/// When a prize runs out, in days from the beginning of the first one. A percentile is `None` when
/// the prize lasted for longer than the forecast in so many runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunsOut {
    /// The share of runs in which it ran out.
    pub share: f64,
    /// The 5th percentile: it hardly runs out before.
    pub day_p5: Option<f64>,
    /// The median.
    pub day_p50: Option<f64>,
    /// The 95th percentile.
    pub day_p95: Option<f64>,
}

/// Who reaches a threshold of `rule_weight`.
#[derive(Debug, Clone, PartialEq)]
pub struct GuaranteeSummary {
    /// The draw of a user that it applies to.
    pub draw: u32,
    /// The awards that it is drawn from.
    pub awards: Vec<AwardId>,
    /// Users who reach it.
    pub users_mean: f64,
    /// Those of them who get a fallback, because the prize is gone or they have as many as one may
    /// have.
    pub fallback_mean: f64,
}

/// Who opens the lock of an award.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LockSummary {
    /// The award.
    pub award: AwardId,
    /// After how many draws of a day it opens.
    pub draws: u32,
    /// Users who make a draw behind it, on some day.
    pub users_mean: f64,
}

impl Summary {
    /// How often a fallback is given because the drawn award is locked.
    pub fn locked_mean(&self) -> f64 {
        self.awards.iter().map(|award| award.locked_mean).sum()
    }

    /// How often a fallback is given because the drawn award is gone.
    pub fn gone_mean(&self) -> f64 {
        self.awards.iter().map(|award| award.gone_mean).sum()
    }

    /// How often a fallback is given because the user has as many of the drawn award as one may have.
    pub fn limited_mean(&self) -> f64 {
        self.awards.iter().map(|award| award.limited_mean).sum()
    }
}

impl Forecast {
    /// Means and percentiles of a tally of at least one run.
    pub fn summarise(&self, tally: Tally) -> Summary {
        let Tally {
            sums,
            costs_minor,
            last_units,
        } = tally;
        let runs = costs_minor.len();
        let mean = |sum: u64| quotient(sum.into(), runs as u128);
        let mut refused: Vec<_> = sums
            .refused
            .iter()
            .map(|&(cause, count)| (cause, count))
            .collect();
        // Two causes that are equally frequent: by their texts, so that the order is always the same.
        refused.sort_by_key(|&(cause, count)| (std::cmp::Reverse(count), cause.to_string()));
        let refused = refused.into_iter().map(|(cause, count)| RefusalSummary {
            cause,
            mean: mean(count),
        });
        let strategy = &self.campaign().strategy;
        let awards = sums.awards.iter().zip(last_units).enumerate();
        let award = |(index, (counts, last_units)): (usize, (&AwardCounts, Vec<u64>))| {
            let award = &strategy.awards[index];
            AwardSummary {
                id: award.id,
                title: award.title.clone(),
                count: award.count,
                cost_minor: award.cost_minor,
                given_mean: mean(counts.given),
                issued_mean: mean(counts.issued),
                as_fallback_mean: mean(counts.as_fallback),
                locked_mean: mean(counts.locked),
                gone_mean: mean(counts.gone),
                limited_mean: mean(counts.limited),
                runs_out: self.runs_out(last_units, runs),
            }
        };
        let guarantees = strategy.weight_groups().iter().zip(&sums.guarantees);
        let guarantees = guarantees.map(|(group, counts)| GuaranteeSummary {
            draw: group.ordinal,
            awards: group
                .awards
                .iter()
                .map(|&award| strategy.award(award).id)
                .collect(),
            users_mean: mean(counts.reached),
            fallback_mean: mean(counts.fell_back),
        });
        let lock = |(&Lock { award, draws }, &opened): (&Lock, &u64)| LockSummary {
            award: strategy.award(award).id,
            draws,
            users_mean: mean(opened),
        };
        Summary {
            runs: u32::try_from(runs).unwrap_or(u32::MAX),
            made_mean: mean(sums.made),
            refused: refused.collect(),
            cost_minor: spread(sums.cost_minor, costs_minor),
            points_mean: strategy
                .pays_points()
                .then(|| quotient(sums.points_doubled, 200 * runs as u128)),
            awards: awards.map(award).collect(),
            guarantees: guarantees.collect(),
            locks: self.locks().iter().zip(&sums.opened).map(lock).collect(),
        }
    }

    fn runs_out(&self, mut last_units: Vec<u64>, runs: usize) -> RunsOut {
        last_units.sort_unstable();
        let (draws, days) = (self.turnout().draws(), self.turnout().days());
        let day = |percent: usize| {
            let draw = *last_units.get(rank(percent, runs))?;
            Some(quotient(u128::from(draw) * u128::from(days), draws.into()))
        };
        RunsOut {
            share: quotient(last_units.len() as u128, runs as u128),
            day_p5: day(5),
            day_p50: day(50),
            day_p95: day(95),
        }
    }
}

fn spread(sum: u128, mut values: Vec<u128>) -> Spread {
    values.sort_unstable();
    let value = |percent: usize| values.get(rank(percent, values.len())).copied();
    Spread {
        mean: quotient(sum, values.len() as u128),
        p5: value(5).unwrap_or(0),
        p95: value(95).unwrap_or(0),
    }
}

/// The index of a percentile among so many sorted values: the smallest one that so many percent of
/// all do not exceed.
const fn rank(percent: usize, count: usize) -> usize {
    (percent * count).div_ceil(100).saturating_sub(1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a statistic needs fewer digits than a float has"
)]
fn quotient(dividend: u128, divisor: u128) -> f64 {
    dividend as f64 / divisor as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!([5, 50, 95].map(|percent| rank(percent, 100)), [4, 49, 94]);
        assert_eq!([5, 50, 95].map(|percent| rank(percent, 1)), [0, 0, 0]);
        assert_eq!([5, 50, 95].map(|percent| rank(percent, 3)), [0, 1, 2]);
        let spread = spread(60, vec![30, 10, 20]);
        assert_eq!((spread.p5, spread.p95), (10, 30));
        assert!((spread.mean - 20.0).abs() < 1e-9);
    }
}
