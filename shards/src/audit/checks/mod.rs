//! The checks, one a file. Those that go by rows are told of each row by the walk; the others
//! compare sums.
pub(super) mod calls_are_whole;
mod chances_granted_as_published;
mod chances_match_orders;
mod day_and_month_limits;
pub(super) mod issued_counters_match_orders;
mod one_order_per_request;
mod order_ids_are_unique;
mod orders_match_their_campaign;
mod orders_not_in_the_future;
mod rows_on_their_shard;
pub(super) mod segments_match_operations;
pub(super) mod stock_adds_up;
pub(super) mod stock_not_oversold;

use self::calls_are_whole::CallsAreWhole;
use self::chances_granted_as_published::ChancesGrantedAsPublished;
use self::chances_match_orders::ChancesMatchOrders;
use self::day_and_month_limits::DayAndMonthLimits;
use self::issued_counters_match_orders::UnitsInOrders;
use self::one_order_per_request::OneOrderPerRequest;
use self::order_ids_are_unique::OrderIdsAreUnique;
use self::orders_match_their_campaign::OrdersMatchTheirCampaign;
use self::orders_not_in_the_future::OrdersNotInTheFuture;
use self::rows_on_their_shard::RowsOnTheirShard;
use super::campaigns::Versions;
use super::draws::{Context, History};
use super::report::Check;
use super::rows::StoredOrder;
use super::stock::Counts;

/// A check that goes by the rows of accounts and orders.
pub(super) trait DrawCheck {
    /// A user's rows in an activity begin.
    fn begin(&mut self, _: &Context<'_>, _: &History) {}
    /// The next order, which the history does not hold yet.
    fn order(&mut self, _: &Context<'_>, _: &History, _: &StoredOrder) {}
    /// No more orders follow of the day in the history.
    fn day_over(&mut self, _: &Context<'_>, _: &History) {}
    /// Nor of the month.
    fn month_over(&mut self, _: &Context<'_>, _: &History) {}
    /// The history is complete.
    fn end(&mut self, _: &Context<'_>, _: &History) {}
}

/// The checks that go by rows, for one table pair or the sum of several.
#[derive(Debug, Default)]
pub(super) struct DrawChecks {
    pub(super) requests: OneOrderPerRequest,
    places: RowsOnTheirShard,
    chances: ChancesMatchOrders,
    limits: DayAndMonthLimits,
    campaigns: OrdersMatchTheirCampaign,
    pub(super) calls: CallsAreWhole,
    granted: ChancesGrantedAsPublished,
    future: OrdersNotInTheFuture,
    ids: OrderIdsAreUnique,
    pub(super) units: UnitsInOrders,
}

impl DrawChecks {
    /// Those that follow the walk.
    pub(super) fn each(&mut self) -> [&mut dyn DrawCheck; 9] {
        [
            &mut self.places,
            &mut self.chances,
            &mut self.limits,
            &mut self.campaigns,
            &mut self.calls,
            &mut self.granted,
            &mut self.future,
            &mut self.ids,
            &mut self.units,
        ]
    }

    /// What was found so far, in the order in which it is reported.
    pub(super) fn found(self, versions: &Versions) -> Vec<Check> {
        vec![
            self.requests.check,
            self.places.check,
            self.chances.check,
            self.limits.check,
            self.campaigns.with_versions(versions),
            self.calls.check,
            self.granted.check,
            self.future.check,
            self.ids.check,
        ]
    }

    /// Adds what was found elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.requests.check.add(other.requests.check);
        self.places.check.add(other.places.check);
        self.chances.check.add(other.chances.check);
        self.limits.check.add(other.limits.check);
        self.campaigns.check.add(other.campaigns.check);
        self.calls.check.add(other.calls.check);
        self.granted.check.add(other.granted.check);
        self.future.check.add(other.future.check);
        self.ids.check.add(other.ids.check);
    }

    /// The orders that took a unit of stock, by prize.
    pub(super) fn stocked(&self) -> &Counts {
        &self.units.stocked
    }
}
