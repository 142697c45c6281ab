//! What is counted in a run.
use std::ops::AddAssign;

use crate::refusal::Refusal;

/// What came of one run, or of several together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFigures {
    /// Draws that the rules allowed.
    pub made: u64,
    /// Draws that they refused, by cause.
    pub refused: Vec<(Refusal, u64)>,
    /// What all given awards cost, in hundredths of the currency.
    pub cost_minor: u128,
    /// Twice what all given points prizes pay on average, in hundredths of a point: the sum of the
    /// bounds of each. So it is an integer.
    pub points_doubled: u128,
    /// The awards, in the order of the wheel.
    pub awards: Vec<AwardCounts>,
    /// The thresholds of `rule_weight`, by ordinal.
    pub guarantees: Vec<GuaranteeCounts>,
    /// Users who opened each of the forecast's locks on some day.
    pub opened: Vec<u64>,
}

/// What became of an award.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AwardCounts {
    /// How often it was given: drawn or as a fallback.
    pub given: u64,
    /// Units given: out of its stock where it is limited, else as often as it was given.
    pub issued: u64,
    /// How often it was given in place of another one.
    pub as_fallback: u64,
    /// How often it was drawn and another one was given, because it was locked.
    pub locked: u64,
    /// How often it was drawn and another one was given, because all units were gone.
    pub gone: u64,
    /// How often it was drawn and another one was given, because the user had as many as one may
    /// have.
    pub limited: u64,
}

/// What became of a threshold of `rule_weight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuaranteeCounts {
    /// Users whose draw was made from its pool.
    pub reached: u64,
    /// Those of them who got a fallback instead.
    pub fell_back: u64,
}

impl RunFigures {
    /// Nothing yet, of so many awards, thresholds and locks.
    pub(super) fn new(awards: usize, guarantees: usize, locks: usize) -> Self {
        Self {
            made: 0,
            refused: Vec::new(),
            cost_minor: 0,
            points_doubled: 0,
            awards: vec![AwardCounts::default(); awards],
            guarantees: vec![GuaranteeCounts::default(); guarantees],
            opened: vec![0; locks],
        }
    }

    /// Counts draws that the rules refused.
    pub(super) fn refuse(&mut self, refusal: Refusal, count: u64) {
        match self.refused.iter_mut().find(|(known, _)| *known == refusal) {
            Some((_, counted)) => *counted += count,
            None => self.refused.push((refusal, count)),
        }
    }
}

impl AddAssign<&RunFigures> for RunFigures {
    fn add_assign(&mut self, other: &RunFigures) {
        self.made += other.made;
        for &(refusal, count) in &other.refused {
            self.refuse(refusal, count);
        }
        self.cost_minor += other.cost_minor;
        self.points_doubled += other.points_doubled;
        for (sum, counts) in self.awards.iter_mut().zip(&other.awards) {
            *sum += *counts;
        }
        for (sum, counts) in self.guarantees.iter_mut().zip(&other.guarantees) {
            sum.reached += counts.reached;
            sum.fell_back += counts.fell_back;
        }
        for (sum, users) in self.opened.iter_mut().zip(&other.opened) {
            *sum += users;
        }
    }
}

impl AddAssign for AwardCounts {
    fn add_assign(&mut self, other: Self) {
        self.given += other.given;
        self.issued += other.issued;
        self.as_fallback += other.as_fallback;
        self.locked += other.locked;
        self.gone += other.gone;
        self.limited += other.limited;
    }
}
