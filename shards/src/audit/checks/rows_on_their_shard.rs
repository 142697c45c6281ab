//! Every row is on the shard and in the table of its user, and an order's id carries the user's
//! slot.
use router::{Route, Slot, slot_of};

use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext, TableLocation};
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredOrder};

#[derive(Debug)]
pub(super) struct RowsOnTheirShard;

impl RowCheck for RowsOnTheirShard {
    fn name(&self) -> &'static str {
        "rows_on_their_shard"
    }

    fn user(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        beside: &BesideDraws<'_>,
    ) {
        let route = context.map.route(beside.user);
        let of = || format!("user {:?}", beside.user);
        if beside.points.is_some() {
            compare(report, context, route, || {
                format!("the account of points of {}", of())
            });
        }
        for row in beside.sign_ins {
            let activity = row.activity;
            let row = || format!("the sign-in of {} in activity {activity}", of());
            compare(report, context, route, row);
        }
        for row in beside.user_awards {
            let (award, activity) = (row.award, row.activity);
            let row = || {
                format!(
                    "the count of award {award} of {} in activity {activity}",
                    of()
                )
            };
            compare(report, context, route, row);
        }
        for order in beside.recharges {
            let row = || format!("recharge order {} of {}", order.id, of());
            compare(report, context, route, row);
            compare_slot(report, context, route, order.id, row);
        }
    }

    fn begin(&mut self, report: &mut CheckReport, context: &RowContext<'_>, history: &DrawHistory) {
        if history.account.is_some() {
            let route = history.route(context.map);
            compare(report, context, route, || {
                format!("the account of {history}")
            });
        }
    }

    fn order(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        let route = history.route(context.map);
        let row = || format!("order {} of {history}", order.id);
        compare(report, context, route, row);
        compare_slot(report, context, route, order.id, row);
    }
}

/// Compares where a row is with where its user's rows belong.
fn compare(
    report: &mut CheckReport,
    context: &RowContext<'_>,
    route: Route,
    row: impl Fn() -> String,
) {
    report.checked += 1;
    let (at, home) = (context.at, TableLocation::of(route));
    if home != at {
        report.violation(|| format!("{at}: {} belongs to {home}", row()));
    }
}

/// Compares the slot in an order's id with that of its user.
fn compare_slot(
    report: &mut CheckReport,
    context: &RowContext<'_>,
    route: Route,
    id: i64,
    row: impl Fn() -> String,
) {
    let (at, expected) = (context.at, route.slot());
    let slot = u64::try_from(id).map(slot_of);
    if slot != Ok(expected) {
        let slot = slot.map_or_else(|_| "none".to_owned(), |slot: Slot| slot.to_string());
        report.violation(|| {
            format!(
                "{at}: {} carries the slot {slot}, its user's is {expected}",
                row()
            )
        });
    }
}
