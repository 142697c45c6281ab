//! What must hold of each kind of command: of what it made, and of its answer.
use market::draw::DrawAsk;
use market::grant::GrantAsk;
use market::{Ask, Call, Command, Made, MadeCall, Order, RechargeOrder};

use crate::simulation::scenario::is_all_or_nothing;

/// Whether this can be the answer of this command.
pub(super) fn answers(command: &Command, made: &Made) -> bool {
    match (command.ask, made) {
        (Ask::Draw(DrawAsk { activity, count }), Made::Draws(orders)) => {
            let is_of = |order: &Order| {
                (&order.user, &order.request, order.activity, order.asked)
                    == (&command.user, &command.request, activity, count)
            };
            !orders.is_empty() && orders.iter().all(is_of)
        }
        (Ask::Grant(GrantAsk { activity, chances }), Made::Grant(order)) => {
            (&order.user, &order.request, order.activity, order.chances)
                == (&command.user, &command.request, activity, chances.get())
        }
        (Ask::Draw(_), Made::Grant(_)) | (Ask::Grant(_), Made::Draws(_)) => false,
    }
}

/// Whether a call made what it asked for, as far as its rules go.
pub(super) fn is_whole(MadeCall { call, made }: &MadeCall) -> bool {
    match made {
        Made::Draws(orders) => are_whole(call, orders),
        Made::Grant(order) => call.made == 1 && is_given(call, order),
    }
}

/// The chances that it gave the account.
pub(super) fn chances_given(made: &Made) -> u32 {
    match made {
        Made::Draws(_) => 0,
        Made::Grant(order) => order.chances,
    }
}

/// What an answer is noted as.
pub(super) fn name_of(made: &Made) -> &'static str {
    match made {
        Made::Grant(_) => "answer: chances given",
        Made::Draws(_) if took_unit(made) => "answer: a unit",
        Made::Draws(_) => "answer: no unit",
    }
}

/// Whether a unit was drawn.
pub(super) fn took_unit(made: &Made) -> bool {
    made.orders().iter().any(|order| order.stocked)
}

/// Whether this is the recharge order that a call asked for.
fn is_given(call: &Call, order: &RechargeOrder) -> bool {
    (&order.user, &order.request, order.activity) == (&call.user, &call.request, call.activity)
        && u64::from(order.chances) == call.asked
}

/// Whether these orders are what their call made: all at once, from its first index on, and the
/// number that it asked for unless its activity may make fewer.
fn are_whole(call: &Call, orders: &[Order]) -> bool {
    let Some(first) = orders.first() else {
        return false;
    };
    let made = u8::try_from(orders.len()).unwrap_or(u8::MAX);
    let asked = first.asked.get();
    orders.iter().zip(0..).all(|(order, seq)| {
        let follows = order.seq == seq && order.ordinal == first.ordinal + u32::from(seq);
        let is_of_call = (
            &order.user,
            &order.request,
            order.activity,
            order.created_at,
        ) == (&call.user, &call.request, call.activity, call.created_at)
            && u64::from(order.asked.get()) == call.asked;
        follows && is_of_call && order.version == first.version
    }) && (made == asked || made < asked && !is_all_or_nothing(first.activity))
}
