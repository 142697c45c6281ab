//! What must hold of each kind of command: of what it made, and of its answer.
use market::adjust::PointsChange;
use market::batch::StockItem;
use market::draw::DrawAsk;
use market::grant::GrantAsk;
use market::points::Amount;
use market::recharge::RechargeKind;
use market::{ActivityId, Ask, Call, Command, Made, MadeCall, Order, OrderId, RechargeOrder};

use crate::simulation::scenario::{is_all_or_nothing, price};

/// Whether this can be the answer of this command.
pub(super) fn answers(command: &Command, made: &Made) -> bool {
    let is_of =
        |order: &RechargeOrder| (&order.user, &order.request) == (&command.user, &command.request);
    let recharges = made.recharges();
    match (&command.ask, made) {
        (Ask::Draw(DrawAsk { activity, count }), Made::Draws(orders)) => {
            let is_of = |order: &Order| {
                (&order.user, &order.request, order.activity, order.asked)
                    == (&command.user, &command.request, *activity, *count)
            };
            !orders.is_empty() && orders.iter().all(is_of)
        }
        (Ask::Draw(_), Made::Recharges(_)) | (_, Made::Draws(_)) => false,
        (ask, Made::Recharges(_)) => {
            !recharges.is_empty()
                && recharges.iter().all(is_of)
                && recharges.iter().all(|order| explains(ask, order))
        }
    }
}

/// Whether a command that asked for this may have made the recharge order.
fn explains(ask: &Ask, order: &RechargeOrder) -> bool {
    match (ask, &order.kind) {
        (Ask::Grant(GrantAsk { activity, chances }), RechargeKind::Operator) => {
            (order.activity, order.chances, order.points) == (Some(*activity), chances.get(), None)
        }
        (Ask::Exchange(ask), RechargeKind::Exchange(sku)) => {
            (*sku, order.chances, order.points) == (ask.sku, 2, Some(Amount::take(price())))
        }
        (Ask::Points(ask), RechargeKind::Operator) => {
            let amount = match ask.change {
                PointsChange::Add(points) => Amount::add(points),
                PointsChange::Take(points) => Amount::take(points),
                PointsChange::Freeze | PointsChange::Unfreeze => return false,
            };
            (order.activity, order.chances, order.points) == (None, 0, Some(amount))
        }
        (Ask::SignIn(ask), RechargeKind::Reward(reward)) => {
            let named = ask
                .activity
                .is_none_or(|activity| order.activity == Some(activity));
            named && reward.behaviour.is_sign() && gives_one(order)
        }
        (Ask::Reward(ask), RechargeKind::Reward(reward)) => {
            (&reward.behaviour, &reward.number) == (&ask.behaviour, &ask.number) && gives_one(order)
        }
        _ => false,
    }
}

/// Whether it gives chances or points, and not both.
fn gives_one(order: &RechargeOrder) -> bool {
    (order.chances > 0) != order.points.is_some()
}

/// Whether a call made what it asked for, as far as its rules go.
pub(super) fn is_whole(MadeCall { call, made }: &MadeCall) -> bool {
    match made {
        Made::Draws(orders) => are_whole(call, orders),
        Made::Recharges(recharges) => {
            let is_of_call = |order: &RechargeOrder| {
                (&order.user, &order.request, order.created_at)
                    == (&call.user, &call.request, call.created_at)
            };
            usize::from(call.made) == recharges.len() && recharges.iter().all(is_of_call)
        }
    }
}

/// The chances that it gave the account of an activity.
pub(super) fn chances_given(made: &Made, activity: ActivityId) -> u32 {
    let of_activity = |order: &&RechargeOrder| order.activity == Some(activity);
    let orders = made.recharges().iter().filter(of_activity);
    orders.map(|order| order.chances).sum()
}

/// What it did to the user's points, by the order that says so.
pub(super) fn points_moved(made: &Made) -> impl Iterator<Item = (OrderId, Amount)> {
    let won = made.orders().iter();
    let won = won.filter_map(|order| Some((order.id, Amount::add(order.points()?))));
    let moved = made.recharges().iter();
    won.chain(moved.filter_map(|order| Some((order.id, order.points?))))
}

/// The items that it took a unit of, one entry each.
pub(super) fn items_taken(made: &Made) -> impl Iterator<Item = StockItem> {
    let drawn = made.orders().iter().filter(|order| order.stocked);
    let drawn = drawn.map(|order| StockItem::award(order.activity, order.award));
    let sold = made.recharges().iter();
    drawn.chain(sold.filter_map(|order| Some(StockItem::sku(order.activity?, order.kind.sku()?))))
}

/// What an answer is noted as.
pub(super) fn name_of(made: &Made) -> &'static str {
    match made {
        Made::Draws(_) if took_unit(made) => "answer: a unit",
        Made::Draws(_) => "answer: no unit",
        Made::Recharges(recharges) => match &recharges[0].kind {
            RechargeKind::Operator if recharges[0].points.is_some() => "answer: points changed",
            RechargeKind::Operator => "answer: chances given",
            RechargeKind::Freeze | RechargeKind::Unfreeze => "answer: frozen",
            RechargeKind::Exchange(_) => "answer: bought",
            RechargeKind::Reward(reward) if reward.behaviour.is_sign() => "answer: signed in",
            RechargeKind::Reward(_) => "answer: rewarded",
        },
    }
}

/// Whether a unit of a prize was drawn.
pub(super) fn took_unit(made: &Made) -> bool {
    made.orders().iter().any(|order| order.stocked)
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
        ) == (&call.user, &call.request, first.activity, call.created_at)
            && call.activity == Some(order.activity)
            && u64::from(order.asked.get()) == call.asked;
        follows && is_of_call && order.version == first.version
    }) && (made == asked || made < asked && !is_all_or_nothing(first.activity))
}
