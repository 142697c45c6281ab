//! Every row is on the shard and in the table of its user, and an order's id carries the user's
//! slot.
use router::{Slot, slot_of};

use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext, TableLocation};
use crate::audit::report::CheckReport;
use crate::audit::rows::StoredOrder;

#[derive(Debug)]
pub(super) struct RowsOnTheirShard;

impl RowCheck for RowsOnTheirShard {
    fn name(&self) -> &'static str {
        "rows_on_their_shard"
    }

    fn begin(&mut self, report: &mut CheckReport, context: &RowContext<'_>, history: &DrawHistory) {
        if history.account.is_some() {
            compare(report, context, history, || "the account".to_owned());
        }
    }

    fn order(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        let id = order.id;
        compare(report, context, history, || format!("order {id}"));
        let (at, expected) = (context.at, history.route(context.map).slot());
        let slot = u64::try_from(id).map(slot_of);
        if slot != Ok(expected) {
            let slot = slot.map_or_else(|_| "none".to_owned(), |slot: Slot| slot.to_string());
            report.violation(|| {
                format!(
                    "{at}: order {id} of {history} carries the slot {slot}, its user's is {expected}"
                )
            });
        }
    }
}

/// Compares where a row is with where its user's rows belong.
fn compare(
    report: &mut CheckReport,
    context: &RowContext<'_>,
    history: &DrawHistory,
    row: impl Fn() -> String,
) {
    report.checked += 1;
    let (at, home) = (context.at, TableLocation::of(history.route(context.map)));
    if home != at {
        report.violation(|| format!("{at}: {} of {history} belongs to {home}", row()));
    }
}
