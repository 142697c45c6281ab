//! No two orders have one id, on whatever shards they are. Within a table its primary key sees to
//! that. An id carries a slot, and two tables share none; so it is enough that each order's id
//! carries a slot of its table, and a run that was claimed.
use router::{run_of, slot_of};

use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History, Place};
use crate::audit::report::Check;
use crate::audit::rows::StoredOrder;

#[derive(Debug)]
pub(super) struct OrderIdsAreUnique {
    pub(super) check: Check,
}

impl Default for OrderIdsAreUnique {
    fn default() -> Self {
        Self {
            check: Check::new("order_ids_are_unique"),
        }
    }
}

impl DrawCheck for OrderIdsAreUnique {
    fn order(&mut self, context: &Context<'_>, history: &History, order: &StoredOrder) {
        self.check.checked += 1;
        if let Some(fault) = fault(context, order.id) {
            let (place, id) = (context.place, order.id);
            self.check
                .violation(|| format!("{place}: order {id} of {history}: {fault}"));
        }
    }
}

fn fault(context: &Context<'_>, id: i64) -> Option<String> {
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
    let belongs = Place::of(context.map.route_slot(slot));
    (belongs != context.place)
        .then(|| format!("its id is one of {belongs}: it carries the slot {slot}"))
}
