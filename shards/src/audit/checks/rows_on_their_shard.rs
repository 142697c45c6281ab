//! Every row lies on the shard and in the table of its user, and an order's id carries its slot.
use router::{Slot, slot_of};

use super::draw_check::DrawCheck;
use crate::audit::history::{Context, History, Place};
use crate::audit::report::Check;
use crate::audit::rows::StoredOrder;

#[derive(Debug)]
pub(super) struct RowsOnTheirShard {
    pub(super) check: Check,
}

impl Default for RowsOnTheirShard {
    fn default() -> Self {
        Self {
            check: Check::new("rows_on_their_shard"),
        }
    }
}

impl RowsOnTheirShard {
    fn row(&mut self, context: &Context<'_>, history: &History, row: impl Fn() -> String) {
        self.check.checked += 1;
        let (place, route) = (context.place, history.route(context.map));
        let belongs = Place::of(route);
        if belongs != place {
            self.check
                .violation(|| format!("{place}: {} of {history} belongs to {belongs}", row()));
        }
    }
}

impl DrawCheck for RowsOnTheirShard {
    fn begin(&mut self, context: &Context<'_>, history: &History) {
        if history.account.is_some() {
            self.row(context, history, || "the account".to_owned());
        }
    }

    fn order(&mut self, context: &Context<'_>, history: &History, order: &StoredOrder) {
        let id = order.id;
        self.row(context, history, || format!("order {id}"));
        let (place, expected) = (context.place, history.route(context.map).slot());
        let slot = u64::try_from(id).map(slot_of);
        if slot != Ok(expected) {
            let slot = slot.map_or_else(|_| "none".to_owned(), |slot: Slot| slot.to_string());
            self.check.violation(|| {
                format!("{place}: order {id} of {history} carries the slot {slot}, its user's is {expected}")
            });
        }
    }
}
