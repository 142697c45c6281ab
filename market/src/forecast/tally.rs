//! The sum of runs.
use super::figures::RunFigures;
use super::setting::Forecast;

/// What came of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedRun {
    /// What was counted.
    pub figures: RunFigures,
    /// Which draw took the last unit of each award, counted from 0; `None` where units are left.
    pub last_units: Vec<Option<u64>>,
}

/// Runs, summed up. It is the same in whatever order they are added, once it is summarised.
#[derive(Debug, Clone)]
pub struct Tally {
    pub(super) sums: RunFigures,
    /// The cost of each run.
    pub(super) costs_minor: Vec<u128>,
    /// For each award, which draw took its last unit, of the runs in which it ran out.
    pub(super) last_units: Vec<Vec<u64>>,
}

impl Tally {
    /// A tally of no runs.
    pub fn new(forecast: &Forecast) -> Self {
        let strategy = &forecast.campaign().strategy;
        let (awards, groups) = (strategy.awards.len(), strategy.weight_groups().len());
        Self {
            sums: RunFigures::new(awards, groups, forecast.locks().len()),
            costs_minor: Vec::new(),
            last_units: vec![Vec::new(); awards],
        }
    }

    /// Adds a run.
    pub fn add(&mut self, run: &FinishedRun) {
        self.sums += &run.figures;
        self.costs_minor.push(run.figures.cost_minor);
        for (draws, last_unit) in self.last_units.iter_mut().zip(&run.last_units) {
            draws.extend(last_unit);
        }
    }

    /// Adds the runs of another tally of the same forecast.
    pub fn merge(&mut self, other: Tally) {
        self.sums += &other.sums;
        self.costs_minor.extend(other.costs_minor);
        for (draws, others) in self.last_units.iter_mut().zip(other.last_units) {
            draws.extend(others);
        }
    }
}
