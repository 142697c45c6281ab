//! The checks, one a file. Those that go by rows are told of each row by the walk; the others
//! compare sums.
pub(super) mod calls_are_whole;
mod chances_granted_as_published;
mod chances_match_orders;
mod day_and_month_limits;
mod draw_check;
mod draw_checks;
pub(super) mod issued_counters_match_orders;
mod one_order_per_request;
mod order_ids_are_unique;
mod orders_match_their_campaign;
mod orders_not_in_the_future;
mod rows_on_their_shard;
pub(super) mod segments_match_operations;
pub(super) mod stock_adds_up;
pub(super) mod stock_not_oversold;

pub(super) use self::draw_check::DrawCheck;
pub(super) use self::draw_checks::DrawChecks;
