//! The checks that go by rows, together.
use super::calls_are_whole::CallsAreWhole;
use super::chances_granted_as_published::ChancesGrantedAsPublished;
use super::chances_match_orders::ChancesMatchOrders;
use super::day_and_month_limits::DayAndMonthLimits;
use super::draw_check::DrawCheck;
use super::issued_counters_match_orders::UnitsInOrders;
use super::one_order_per_request::OneOrderPerRequest;
use super::order_ids_are_unique::OrderIdsAreUnique;
use super::orders_match_their_campaign::OrdersMatchTheirCampaign;
use super::orders_not_in_the_future::OrdersNotInTheFuture;
use super::rows_on_their_shard::RowsOnTheirShard;
use crate::audit::campaigns::Versions;
use crate::audit::report::Check;
use crate::audit::stock::Counts;

/// The checks that go by rows, for one table pair or the sum of several.
#[derive(Debug, Default)]
pub(in crate::audit) struct DrawChecks {
    pub(in crate::audit) requests: OneOrderPerRequest,
    places: RowsOnTheirShard,
    chances: ChancesMatchOrders,
    limits: DayAndMonthLimits,
    campaigns: OrdersMatchTheirCampaign,
    pub(in crate::audit) calls: CallsAreWhole,
    granted: ChancesGrantedAsPublished,
    future: OrdersNotInTheFuture,
    ids: OrderIdsAreUnique,
    pub(in crate::audit) units: UnitsInOrders,
}

impl DrawChecks {
    /// Those that follow the walk.
    pub(in crate::audit) fn each(&mut self) -> [&mut dyn DrawCheck; 9] {
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
    pub(in crate::audit) fn found(self, versions: &Versions) -> Vec<Check> {
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
    pub(in crate::audit) fn add(&mut self, other: Self) {
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
    pub(in crate::audit) fn stocked(&self) -> &Counts {
        &self.units.stocked
    }
}
