//! No two orders have the same id, on whatever shards they are.
//!
//! Within a table the primary key ensures that. An id carries a slot, and two tables have no slot
//! in common. So it is enough that each order's id carries a slot of its table and a claimed run.
use router::{run_of, slot_of};

use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext, TableLocation};
use crate::audit::report::CheckReport;
use crate::audit::rows::{BesideDraws, StoredOrder};

#[derive(Debug)]
pub(super) struct OrderIdsAreUnique;

impl RowCheck for OrderIdsAreUnique {
    fn name(&self) -> &'static str {
        "order_ids_are_unique"
    }

    fn user(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        beside: &BesideDraws<'_>,
    ) {
        for order in beside.recharges {
            report.checked += 1;
            if let Some(fault) = fault(context, order.id) {
                let (at, id, user) = (context.at, order.id, beside.user);
                report.violation(|| format!("{at}: recharge order {id} of user {user:?}: {fault}"));
            }
        }
    }

    fn order(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        report.checked += 1;
        if let Some(fault) = fault(context, order.id) {
            let (at, id) = (context.at, order.id);
            report.violation(|| format!("{at}: order {id} of {history}: {fault}"));
        }
    }
}

fn fault(context: &RowContext<'_>, id: i64) -> Option<String> {
    let minted = u64::try_from(id)
        .ok()
        .and_then(|number| Some((slot_of(number), run_of(number)?)));
    let Some((slot, run)) = minted else {
        return Some("no lane can have given it this id".to_owned());
    };
    let claimed = context.known.claimed_runs;
    if u64::from(run.get()) > claimed {
        return Some(format!(
            "its id is of run {run}, and runs were claimed up to {claimed}"
        ));
    }
    let home = TableLocation::of(context.map.route_slot(slot));
    (home != context.at).then(|| format!("its id is one of {home}: it carries the slot {slot}"))
}
