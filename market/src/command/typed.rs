//! Kinds of commands as types: each ask knows the type of what it makes.
use super::draw::{DrawAsk, Orders};
use super::grant::{GrantAsk, RechargeOrder};
use super::{Ask, Made};

/// What a command of one kind asks for.
pub trait TypedAsk: Into<Ask> {
    /// What it makes.
    type Made;

    /// What such a command made; `None` for what another kind makes.
    fn made(made: Made) -> Option<Self::Made>;
}

impl From<DrawAsk> for Ask {
    fn from(ask: DrawAsk) -> Self {
        Self::Draw(ask)
    }
}

impl TypedAsk for DrawAsk {
    type Made = Orders;

    fn made(made: Made) -> Option<Orders> {
        match made {
            Made::Draws(orders) => Some(orders),
            Made::Grant(_) => None,
        }
    }
}

impl From<GrantAsk> for Ask {
    fn from(ask: GrantAsk) -> Self {
        Self::Grant(ask)
    }
}

impl TypedAsk for GrantAsk {
    type Made = RechargeOrder;

    fn made(made: Made) -> Option<RechargeOrder> {
        match made {
            Made::Grant(order) => Some(order),
            Made::Draws(_) => None,
        }
    }
}
