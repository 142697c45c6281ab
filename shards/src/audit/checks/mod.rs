//! The checks, one a file, and their list. A new check is a file, its `mod` line and its line in
//! [`all`]; the compiler warns of a check that is not in the list.
mod calls_are_whole;
mod chances_granted_as_published;
mod chances_match_orders;
mod day_and_month_limits;
pub(super) mod issued_counters_match_orders;
mod one_order_per_request;
mod one_reward_per_behaviour;
mod order_ids_are_unique;
mod orders_match_their_campaign;
mod orders_not_in_the_future;
mod points_equal_entries;
mod purchases_equal_chances;
mod row_check;
mod row_checks;
mod rows_on_their_shard;
pub(super) mod segments_match_operations;
pub(super) mod skus_not_oversold;
pub(super) mod stock_adds_up;
pub(super) mod stock_not_oversold;
mod user_awards_match_orders;

use futures_util::future::BoxFuture;

use self::RegisteredCheck::{Rows, Sums};
use self::calls_are_whole::CallsAreWhole;
use self::chances_granted_as_published::ChancesGrantedAsPublished;
use self::chances_match_orders::ChancesMatchOrders;
use self::day_and_month_limits::DayAndMonthLimits;
use self::one_order_per_request::OneOrderPerRequest;
use self::one_reward_per_behaviour::OneRewardPerBehaviour;
use self::order_ids_are_unique::OrderIdsAreUnique;
use self::orders_match_their_campaign::OrdersMatchTheirCampaign;
use self::orders_not_in_the_future::OrdersNotInTheFuture;
use self::points_equal_entries::PointsEqualEntries;
use self::purchases_equal_chances::PurchasesEqualChances;
pub(super) use self::row_check::{OrderCounts, RowCheck};
pub(super) use self::row_checks::RowChecks;
use self::rows_on_their_shard::RowsOnTheirShard;
use self::user_awards_match_orders::UserAwardsMatchOrders;
use super::audited::{AuditError, Audited};
use super::report::CheckReport;
use super::sums::StoredSums;

/// All checks, in the order of the report.
pub(super) fn all<A: Audited>() -> [RegisteredCheck<A>; 18] {
    [
        Sums(|sums| Box::pin(stock_not_oversold::check(sums))),
        Sums(|sums| Box::pin(skus_not_oversold::check(sums))),
        Sums(|sums| Box::pin(issued_counters_match_orders::check(sums))),
        Sums(|sums| Box::pin(stock_adds_up::check(sums))),
        Rows(|| Box::new(OneOrderPerRequest::default())),
        Rows(|| Box::new(RowsOnTheirShard)),
        Rows(|| Box::new(ChancesMatchOrders::default())),
        Rows(|| Box::new(DayAndMonthLimits)),
        Rows(|| Box::new(UserAwardsMatchOrders::default())),
        Rows(|| Box::new(OrdersMatchTheirCampaign)),
        Rows(|| Box::new(CallsAreWhole::default())),
        Rows(|| Box::new(ChancesGrantedAsPublished)),
        Rows(|| Box::new(PurchasesEqualChances)),
        Rows(|| Box::new(PointsEqualEntries::default())),
        Rows(|| Box::new(OneRewardPerBehaviour)),
        Rows(|| Box::new(OrdersNotInTheFuture::default())),
        Rows(|| Box::new(OrderIdsAreUnique)),
        Sums(|sums| Box::pin(segments_match_operations::check(sums))),
    ]
}

/// How a check is made.
pub(super) enum RegisteredCheck<A: Audited> {
    /// It goes by rows: the walk through each table pair calls it.
    Rows(fn() -> Box<dyn RowCheck>),
    /// It compares sums, after all rows were read.
    Sums(for<'s> fn(&'s StoredSums<'s, A>) -> SumCheck<'s>),
}

/// The report of a check that compares sums; `None` where there is nothing to compare.
type SumCheck<'s> = BoxFuture<'s, Result<Option<CheckReport>, AuditError>>;

/// The checks that go by rows, before the first row.
pub(super) fn by_rows<A: Audited>() -> RowChecks {
    RowChecks::new(all::<A>().into_iter().filter_map(|check| match check {
        Rows(make) => Some(make()),
        Sums(_) => None,
    }))
}

/// The reports of all checks: of those that went by rows, and of those that compare sums now.
pub(super) async fn all_reports<A: Audited>(
    by_rows: Vec<CheckReport>,
    sums: &StoredSums<'_, A>,
) -> Result<Vec<CheckReport>, AuditError> {
    let mut by_rows = by_rows.into_iter();
    let mut reports = Vec::new();
    for check in all::<A>() {
        reports.extend(match check {
            Rows(_) => by_rows.next(),
            Sums(check) => check(sums).await?,
        });
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::embedded::Folder;

    #[test]
    fn the_page_lists_all_checks_in_their_order() {
        let page = include_str!("../../../../docs/audit.md");
        let (_, table) = page.split_once("## What is checked").expect("a chapter");
        let documented: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let checks = all::<Folder>();
        assert_eq!(documented.len(), checks.len(), "{documented:?}");
        for (check, documented) in checks.iter().zip(documented) {
            // One that compares sums says its name in its report only.
            if let Rows(make) = check {
                assert_eq!(make().name(), documented);
            }
        }
    }
}
