//! Commands: what users and operators ask lanes to execute. This file is the one list of their
//! kinds: each has a variant in [`Kind`], [`Ask`], `Planned` and [`Made`], a line in each `match`,
//! and a line in `typed_asks!`. Its rules stand in a file or folder of its own, which returns plain
//! values and knows no other kind.
//!
//! A kind says what it asks for, how much room it takes ([`Command::weight`]), whose account it
//! reads ([`Ask::activity`]), what it decides, which units it wants and what it makes of them.
//! What holds for all kinds is in [`crate::batch`]: repeats, keys, all or nothing, random numbers.
pub mod draw;
pub mod grant;

use self::draw::{Decision, DrawAsk, Order, Orders, PlannedDraw};
use self::grant::{GrantAsk, PlannedGrant, RechargeOrder};
use crate::batch::context::{Planning, Settling};
use crate::ids::{ActivityId, OrderId, RequestId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::units::Prize;

/// The kinds of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// To draw.
    Draw,
    /// To give a user chances.
    Grant,
}

/// One call of a user, or of an operator for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Whose rows it changes.
    pub user: UserId,
    /// The idempotency key, unique per user over all kinds.
    pub request: RequestId,
    /// What it asks for.
    pub ask: Ask,
}

/// What a command asks for, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To draw.
    Draw(DrawAsk),
    /// To give the user chances.
    Grant(GrantAsk),
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

/// A command that its rules allow, by kind. It waits for the units that it wants.
#[derive(Debug)]
pub(crate) enum Planned {
    Draw(PlannedDraw),
    Grant(PlannedGrant),
}

/// What kinds keep in common lists while a batch waits for its units: one list serves all commands
/// of a kind, so that none needs an allocation of its own.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    decisions: Vec<Decision>,
}

/// What a command made, by kind: its answer, and the rows with ids of their own that it appends.
/// Cloning it is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// Orders, in the order in which they were drawn.
    Draws(Orders),
    /// Chances.
    Grant(RechargeOrder),
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

impl Command {
    /// How much room it takes in a queue and a batch, in draws. It makes at most this number of
    /// rows with ids of their own.
    pub fn weight(&self) -> usize {
        match self.ask {
            Ask::Draw(ask) => ask.weight(),
            Ask::Grant(ask) => ask.weight(),
        }
    }
}

impl Ask {
    /// What must be equal for another call to be a repeat of this one.
    pub const fn fingerprint(self) -> Fingerprint {
        let (kind, asked) = match self {
            Self::Draw(ask) => (Kind::Draw, ask.asked()),
            Self::Grant(ask) => (Kind::Grant, ask.asked()),
        };
        Fingerprint {
            kind,
            activity: self.activity(),
            asked,
        }
    }

    /// The activity whose account of the user it reads and may change: each command has one.
    pub const fn activity(self) -> ActivityId {
        match self {
            Self::Draw(ask) => ask.activity,
            Self::Grant(ask) => ask.activity,
        }
    }

    /// Decides, and changes the rows as far as that does not depend on units. What it has changed
    /// is undone by the caller if it is refused.
    pub(crate) fn plan<R: Randomness>(
        self,
        planning: &mut Planning<'_, R>,
        drafts: &mut Drafts,
    ) -> Result<Planned, Refusal> {
        match self {
            Self::Draw(ask) => ask.plan(planning, &mut drafts.decisions).map(Planned::Draw),
            Self::Grant(ask) => ask.plan(planning).map(Planned::Grant),
        }
    }
}

impl Planned {
    /// The units that it wants, one entry each.
    pub(crate) fn wants<'p>(&'p self, drafts: &'p Drafts) -> impl Iterator<Item = Prize> + 'p {
        match self {
            Self::Draw(planned) => Some(planned.wants(&drafts.decisions)),
            Self::Grant(_) => None,
        }
        .into_iter()
        .flatten()
    }

    /// Makes what was planned, with what units there are.
    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        drafts: &Drafts,
        settling: &mut Settling<'_, M>,
    ) -> Made {
        match self {
            Self::Draw(planned) => Made::Draws(planned.settle(&drafts.decisions, settling)),
            Self::Grant(planned) => Made::Grant(planned.settle(settling)),
        }
    }
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
        let count = match self {
            Self::Draws(orders) => orders.len(),
            Self::Grant(_) => 1,
        };
        u16::try_from(count).expect("a command makes a few rows")
    }

    /// The orders that were drawn; none where something else was made.
    pub fn orders(&self) -> &[Order] {
        match self {
            Self::Draws(orders) => orders,
            Self::Grant(_) => &[],
        }
    }
}

/// What a command of one kind asks for, with the type of what it makes.
pub trait TypedAsk: Into<Ask> {
    /// What it makes.
    type Made;

    /// What such a command made; `None` for what another kind makes.
    fn made(made: Made) -> Option<Self::Made>;
}

/// Gives an ask its variant in [`Ask`], and in [`Made`] with the type of what it holds.
macro_rules! typed_asks {
    ($($ask:ident: $kind:ident, makes $made:ident($type:ty);)*) => {$(
        impl From<$ask> for Ask {
            fn from(ask: $ask) -> Self {
                Self::$kind(ask)
            }
        }

        impl TypedAsk for $ask {
            type Made = $type;

            fn made(made: Made) -> Option<$type> {
                let Made::$made(made) = made else {
                    return None;
                };
                Some(made)
            }
        }
    )*};
}

typed_asks! {
    DrawAsk: Draw, makes Draws(Orders);
    GrantAsk: Grant, makes Grant(RechargeOrder);
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
