//! The checks that go by rows, together.
use super::row_check::RowCheck;
use crate::audit::campaigns::Versions;
use crate::audit::report::CheckReport;
use crate::audit::rows::{StoredOrder, StoredRecharge};
use crate::audit::stock::{Counts, ItemKey};

/// The checks that go by rows and their reports, for one table pair or the sum of several.
pub(in crate::audit) struct RowChecks {
    checks: Vec<(Box<dyn RowCheck>, CheckReport)>,
    stocked: Counts,
}

impl RowChecks {
    /// These checks, in the order in which they report.
    pub(super) fn new(checks: impl Iterator<Item = Box<dyn RowCheck>>) -> Self {
        let with_report = |check: Box<dyn RowCheck>| {
            let report = CheckReport::new(check.name());
            (check, report)
        };
        Self {
            checks: checks.map(with_report).collect(),
            stocked: Counts::new(),
        }
    }

    /// Calls a method of each check.
    pub(in crate::audit) fn each(
        &mut self,
        mut method: impl FnMut(&mut dyn RowCheck, &mut CheckReport),
    ) {
        for (check, report) in &mut self.checks {
            method(check.as_mut(), report);
        }
    }

    /// Counts the unit of stock that an order took, if it took one.
    pub(in crate::audit) fn count_unit(&mut self, activity: i64, order: &StoredOrder) {
        if order.stocked == 1 {
            *self
                .stocked
                .entry(ItemKey::award(activity, order.award))
                .or_default() += 1;
        }
    }

    /// Counts the unit of its sku that a recharge order took, if it is for one.
    pub(in crate::audit) fn count_sku(&mut self, order: &StoredRecharge) {
        if order.sku > 0 {
            let sku = ItemKey::sku(order.activity, order.sku);
            *self.stocked.entry(sku).or_default() += 1;
        }
    }

    /// How many orders took a unit of stock, by item.
    pub(in crate::audit) fn stocked(&self) -> &Counts {
        &self.stocked
    }

    /// Adds what the same checks found in another table pair.
    pub(in crate::audit) fn add(&mut self, other: Self) {
        for ((_, report), (_, more)) in self.checks.iter_mut().zip(other.checks) {
            report.add(more);
        }
    }

    /// The reports, after all table pairs were read.
    pub(in crate::audit) fn into_reports(mut self, versions: &Versions) -> Vec<CheckReport> {
        self.each(|check, report| check.all_over(report, versions));
        self.checks.into_iter().map(|(_, report)| report).collect()
    }
}
