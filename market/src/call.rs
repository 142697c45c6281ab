//! A call: one use of a user's idempotency key, whatever it asked for. A key belongs to one call,
//! so the record of calls says what a repeated one is answered.
use jiff::Timestamp;

use crate::command::draw::Orders;
use crate::command::{Command, Fingerprint, Kind, Made};
use crate::ids::{ActivityId, OrderId, RequestId, UserId};

/// The record of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose.
    pub user: UserId,
    /// The idempotency key, unique per user over all kinds.
    pub request: RequestId,
    /// The kind of command.
    pub kind: Kind,
    /// The activity that it named.
    pub activity: Option<ActivityId>,
    /// How much it asked for: a count of draws, a number of chances; 1 for all other kinds.
    pub asked: u64,
    /// The id of the first row that it made. The ids of the others follow from it, one step each:
    /// `router::nth_after`. That is how they are found.
    pub first_id: OrderId,
    /// How many rows with an id of their own it made: orders, or recharge orders.
    pub made: u16,
    /// When it was planned.
    pub created_at: Timestamp,
}

/// A call and what it made, which is its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeCall {
    /// The call.
    pub call: Call,
    /// What it made.
    pub made: Made,
}

impl Call {
    /// The record of a command that makes this number of rows.
    pub fn new(command: &Command, first_id: OrderId, made: u16, created_at: Timestamp) -> Self {
        let Command { user, request, ask } = command;
        let Fingerprint {
            kind,
            activity,
            asked,
        } = ask.fingerprint();
        Self {
            user: user.clone(),
            request: request.clone(),
            kind,
            activity,
            asked,
            first_id,
            made,
            created_at,
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

impl MadeCall {
    /// What a command made that was planned at this time.
    pub(crate) fn new(command: &Command, made: Made, created_at: Timestamp) -> Self {
        let call = Call::new(command, made.first_id(), made.count(), created_at);
        Self { call, made }
    }

    /// The call that drew these orders, which are at least one, in the order of its draws.
    pub fn of_orders(orders: impl Into<Orders>) -> Self {
        let orders = orders.into();
        let first = &orders[0];
        let (user, request) = (first.user.clone(), first.request.clone());
        let (activity, asked) = (Some(first.activity), first.asked.get().into());
        let (first_id, created_at) = (first.id, first.created_at);
        let made = Made::Draws(orders);
        let call = Call {
            user,
            request,
            kind: Kind::Draw,
            activity,
            asked,
            first_id,
            made: made.count(),
            created_at,
        };
        Self { call, made }
    }
}
