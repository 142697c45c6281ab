//! A call: one use of a user's idempotency key, whatever it asked for. A key belongs to one call,
//! so the record of calls says what a repeated one is answered.
use jiff::Timestamp;

use crate::ids::{ActivityId, OrderId, RequestId, UserId};
use crate::order::{Order, Orders};
use crate::recharge::RechargeOrder;

/// The kinds of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// To draw.
    Draw,
    /// To give a user chances.
    Grant,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Draw, Self::Grant];

    /// The number that is stored. It never changes.
    pub const fn number(self) -> u8 {
        match self {
            Self::Draw => 1,
            Self::Grant => 2,
        }
    }

    /// The kind of a stored number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// What must be equal for a call to be a repeat of an earlier one. It is what the call asks for,
/// not what it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The kind of command.
    pub kind: Kind,
    /// In which activity.
    pub activity: ActivityId,
    /// How much: a count of draws, a number of chances.
    pub asked: u64,
}

/// The record of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose.
    pub user: UserId,
    /// The idempotency key, unique per user over all kinds.
    pub request: RequestId,
    /// The kind of command.
    pub kind: Kind,
    /// In which activity.
    pub activity: ActivityId,
    /// How much it asked for: a count of draws, a number of chances.
    pub asked: u64,
    /// The id of the first row that it made. The ids of the others follow from it, one step each:
    /// `router::nth_after`. That is how they are found.
    pub first_id: OrderId,
    /// How many rows with an id of their own it made: orders, or one recharge order.
    pub made: u16,
    /// When it was planned.
    pub created_at: Timestamp,
}

impl Call {
    /// The call that made these orders, which are at least one, in the order of its draws.
    pub fn of_orders(orders: &[Order]) -> Self {
        let first = &orders[0];
        Self {
            user: first.user.clone(),
            request: first.request.clone(),
            kind: Kind::Draw,
            activity: first.activity,
            asked: first.asked.get().into(),
            first_id: first.id,
            made: count(orders),
            created_at: first.created_at,
        }
    }

    /// What a repeat must be equal in.
    pub const fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            kind: self.kind,
            activity: self.activity,
            asked: self.asked,
        }
    }
}

/// What a command made: its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// Orders, in the order in which they were drawn.
    Draws(Orders),
    /// Chances.
    Grant(RechargeOrder),
}

impl Made {
    /// The id of the first row that was made.
    pub fn first_id(&self) -> OrderId {
        match self {
            Self::Draws(orders) => orders[0].id,
            Self::Grant(order) => order.id,
        }
    }

    /// How many rows with an id of their own were made.
    pub fn count(&self) -> u16 {
        match self {
            Self::Draws(orders) => count(orders),
            Self::Grant(_) => 1,
        }
    }
}

fn count(orders: &[Order]) -> u16 {
    u16::try_from(orders.len()).expect("a call is a few draws")
}

/// A call that was made earlier, and what it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierCall {
    /// The call.
    pub call: Call,
    /// Its answer.
    pub made: Made,
}

impl EarlierCall {
    /// A call for draws by the orders that it made; `None` where there are none.
    pub fn of_orders(mut orders: Vec<Order>) -> Option<Self> {
        orders.sort_unstable_by_key(|order| order.seq);
        (!orders.is_empty()).then(|| Self {
            call: Call::of_orders(&orders),
            made: Made::Draws(orders.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kinds_are_for_ever() {
        assert_eq!(Kind::ALL.map(Kind::number), [1, 2]);
        assert_eq!(
            Kind::ALL.map(|kind| Kind::from_number(kind.number())),
            Kind::ALL.map(Some)
        );
        assert_eq!(Kind::from_number(0), None);
    }
}
