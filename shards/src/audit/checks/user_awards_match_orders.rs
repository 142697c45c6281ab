//! What is counted of an award that has a limit for one user are the user's orders of it, and no user
//! has more than a version allowed. Orders count that were drawn under versions in which the award
//! has a limit.
use std::collections::{BTreeMap, BTreeSet};

use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext};
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredOrder};

/// What is known of the user whose rows are read.
#[derive(Debug, Default)]
pub(super) struct UserAwardsMatchOrders {
    /// By activity and award.
    counts: BTreeMap<(i64, i64), AwardCount>,
    /// Activities with orders of versions that cannot be read: what these limited is not known.
    unknown: BTreeSet<i64>,
}

#[derive(Debug, Default)]
struct AwardCount {
    given: i64,
    orders: i64,
    /// The most that a version of these orders allowed.
    most: i64,
}

impl RowCheck for UserAwardsMatchOrders {
    fn name(&self) -> &'static str {
        "user_awards_match_orders"
    }

    fn user(&mut self, _: &mut CheckReport, _: &RowContext<'_>, beside: &BesideDraws<'_>) {
        let count = |given| AwardCount {
            given,
            ..AwardCount::default()
        };
        let rows = beside.user_awards.iter();
        let rows = rows.map(|row| ((row.activity, row.award), count(row.given)));
        self.counts = rows.collect();
        self.unknown.clear();
    }

    fn order(
        &mut self,
        _: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        let (activity, award) = (history.activity, order.award);
        let versions = &context.known.versions;
        match versions.user_limit((activity, order.version), award) {
            Ok(None) => {}
            Ok(Some(most)) => {
                let count = self.counts.entry((activity, award)).or_default();
                count.orders += 1;
                count.most = count.most.max(most);
            }
            Err(_) => drop(self.unknown.insert(activity)),
        }
    }

    fn entries_over(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        user: &str,
        last: bool,
    ) {
        if !last {
            return;
        }
        let at = context.at;
        for ((activity, award), count) in std::mem::take(&mut self.counts) {
            if self.unknown.contains(&activity) {
                continue;
            }
            report.checked += 1;
            let AwardCount {
                given,
                orders,
                most,
            } = count;
            let fault = if given != orders {
                format!("{given} are counted, and there are {orders} orders")
            } else if given > most {
                format!("{given} were given, and {most} were allowed at most")
            } else {
                continue;
            };
            report.violation(|| {
                format!("{at}: award {award} of user {user:?} in activity {activity}: {fault}")
            });
        }
    }
}
