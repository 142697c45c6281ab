//! Commands: what users and operators ask lanes to execute. This file is the one list of their
//! kinds: each has a variant in [`Kind`], [`Ask`], `Planned` and [`Made`], a line in each `match`,
//! and a line in `typed_asks!`. Its rules stand in a file or folder of its own, which returns plain
//! values and knows no other kind.
//!
//! A kind says what it asks for, how much room it takes ([`Command::weight`]), which rows it needs,
//! what it decides, which units it wants and what it makes of them. What holds for all kinds is in
//! [`crate::batch`]: repeats, keys, all or nothing, random numbers.
pub mod adjust;
pub mod draw;
pub mod exchange;
pub mod grant;
pub mod recharge;
pub mod reward;
pub mod rewarding;
pub mod sign_in;

use jiff::Timestamp;

use self::adjust::PointsAsk;
use self::draw::{Decision, DrawAsk, Order, Orders, PlannedDraw};
use self::exchange::{ExchangeAsk, PlannedExchange};
use self::grant::{GrantAsk, PlannedGrant};
use self::recharge::{RechargeOrder, Recharges};
use self::reward::{PlannedReward, RewardAsk};
use self::rewarding::Due;
use self::sign_in::{PlannedSignIn, SignInAsk};
use crate::batch::context::{Planning, Settling};
use crate::batch::needs::Needing;
use crate::campaign::Catalogue;
use crate::ids::{ActivityId, OrderId, RequestId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::units::StockItem;

/// The kinds of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// To draw.
    Draw,
    /// To give a user chances.
    Grant,
    /// To buy chances with points.
    Exchange,
    /// The daily sign-in.
    SignIn,
    /// A behaviour that another system reports.
    Reward,
    /// To change a user's points.
    Points,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To draw.
    Draw(DrawAsk),
    /// To give the user chances.
    Grant(GrantAsk),
    /// To buy chances with points.
    Exchange(ExchangeAsk),
    /// To sign in.
    SignIn(SignInAsk),
    /// To reward a reported behaviour.
    Reward(RewardAsk),
    /// To change the user's points.
    Points(PointsAsk),
}

/// What must be equal for a call to be a repeat of an earlier one, as its record has it. It is what
/// the call asks for, not what it got. Some kinds compare more, with what was made:
/// [`Ask::would_make`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The kind of command.
    pub kind: Kind,
    /// The activity that it names.
    pub activity: Option<ActivityId>,
    /// How much: a count of draws, a number of chances; 1 for all other kinds.
    pub asked: u64,
}

/// A command that its rules allow, by kind. It waits for the units that it wants.
#[derive(Debug)]
pub(crate) enum Planned {
    Draw(PlannedDraw),
    Grant(PlannedGrant),
    Exchange(PlannedExchange),
    SignIn(PlannedSignIn),
    Reward(PlannedReward),
    Points(PointsAsk),
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
    /// What the user was given or has bought.
    Recharges(Recharges),
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Draw,
        Self::Grant,
        Self::Exchange,
        Self::SignIn,
        Self::Reward,
        Self::Points,
    ];

    /// The number that is stored. It never changes.
    pub const fn number(self) -> u8 {
        match self {
            Self::Draw => 1,
            Self::Grant => 2,
            Self::Exchange => 3,
            Self::SignIn => 4,
            Self::Reward => 5,
            Self::Points => 6,
        }
    }

    /// The kind of a stored number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl Command {
    /// How much room it takes in a queue and a batch, in draws, under the campaigns of a moment.
    /// `now` is asked only where that depends on the time.
    pub fn weight(&self, catalogue: &Catalogue, now: impl FnOnce() -> Timestamp) -> usize {
        match &self.ask {
            Ask::Draw(ask) => ask.weight(),
            // Each changes an account or two, as a draw does.
            Ask::Grant(_) | Ask::Exchange(_) | Ask::Points(_) => 1,
            Ask::SignIn(ask) => ask.weight(&self.user, catalogue, now()),
            Ask::Reward(ask) => ask.weight(&self.user, catalogue, now()),
        }
    }
}

impl Ask {
    /// What must be equal for another call to be a repeat of this one.
    pub const fn fingerprint(&self) -> Fingerprint {
        let (kind, activity, asked) = match self {
            Self::Draw(ask) => (Kind::Draw, Some(ask.activity), ask.asked()),
            Self::Grant(ask) => (Kind::Grant, Some(ask.activity), ask.asked()),
            Self::Exchange(_) => (Kind::Exchange, None, 1),
            Self::SignIn(ask) => (Kind::SignIn, ask.activity, 1),
            Self::Reward(_) => (Kind::Reward, None, 1),
            Self::Points(_) => (Kind::Points, None, 1),
        };
        Fingerprint {
            kind,
            activity,
            asked,
        }
    }

    /// Whether a call of this kind and fingerprint that made this was for the same, as far as its
    /// fingerprint does not say so.
    pub(crate) fn would_make(&self, made: &Made) -> bool {
        match self {
            Self::Exchange(ask) => ask.would_make(made.recharges()),
            Self::Points(ask) => ask.would_make(made.recharges()),
            // The key of a reported behaviour is made of all that it says.
            Self::Draw(_) | Self::Grant(_) | Self::SignIn(_) | Self::Reward(_) => true,
        }
    }

    /// Lists the rows that it needs.
    pub(crate) fn needs(
        &self,
        user: &UserId,
        catalogue: &Catalogue,
        now: Timestamp,
        needing: &mut Needing<'_, '_>,
    ) {
        match self {
            Self::Draw(ask) => ask.needs(catalogue, needing),
            Self::Grant(ask) => ask.needs(needing),
            Self::Exchange(ask) => ask.needs(catalogue, needing),
            Self::SignIn(ask) => ask.needs(user, catalogue, now, needing),
            Self::Reward(ask) => ask.needs(user, catalogue, now, needing),
            Self::Points(ask) => ask.needs(needing),
        }
    }

    /// Decides, and changes the first account as far as that does not depend on units. What it has
    /// changed is undone by the caller if it is refused.
    pub(crate) fn plan<R: Randomness>(
        &self,
        planning: &mut Planning<'_, R>,
        drafts: &mut Drafts,
    ) -> Result<Planned, Refusal> {
        match self {
            Self::Draw(ask) => ask.plan(planning, &mut drafts.decisions).map(Planned::Draw),
            Self::Grant(ask) => ask.plan(planning).map(Planned::Grant),
            Self::Exchange(ask) => ask.plan(planning).map(Planned::Exchange),
            Self::SignIn(ask) => ask.plan(planning).map(Planned::SignIn),
            Self::Reward(ask) => ask.plan(planning).map(Planned::Reward),
            Self::Points(ask) => ask.plan(planning).map(Planned::Points),
        }
    }
}

impl Planned {
    /// The units that it wants, one entry each.
    pub(crate) fn wants<'p>(&'p self, drafts: &'p Drafts) -> impl Iterator<Item = StockItem> + 'p {
        let (draws, bought, due) = match self {
            Self::Draw(planned) => (Some(planned.wants(&drafts.decisions)), None, &[][..]),
            Self::Exchange(planned) => (None, Some(planned.wants()), &[][..]),
            Self::SignIn(planned) => (None, None, planned.due()),
            Self::Reward(planned) => (None, None, planned.due()),
            Self::Grant(_) | Self::Points(_) => (None, None, &[][..]),
        };
        let given = due.iter().flat_map(Due::items);
        draws.into_iter().flatten().chain(bought).chain(given)
    }

    /// Makes what was planned, with what units there are. Where that is refused, no row is changed.
    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        drafts: &Drafts,
        settling: &mut Settling<'_, M>,
    ) -> Result<Made, Refusal> {
        let one = |order: RechargeOrder| Made::Recharges([order].into());
        match self {
            Self::Draw(planned) => Ok(Made::Draws(planned.settle(&drafts.decisions, settling))),
            Self::Grant(planned) => Ok(one(planned.settle(settling))),
            Self::Exchange(planned) => planned.settle(settling).map(one),
            Self::SignIn(planned) => planned.settle(settling).map(Made::Recharges),
            Self::Reward(planned) => planned.settle(settling).map(Made::Recharges),
            Self::Points(ask) => ask.settle(settling).map(one),
        }
    }
}

impl Made {
    /// The id of the first row that was made.
    pub fn first_id(&self) -> OrderId {
        match self {
            Self::Draws(orders) => orders[0].id,
            Self::Recharges(recharges) => recharges[0].id,
        }
    }

    /// How many rows with an id of their own were made.
    pub fn count(&self) -> u16 {
        let count = match self {
            Self::Draws(orders) => orders.len(),
            Self::Recharges(recharges) => recharges.len(),
        };
        u16::try_from(count).expect("a command makes a few rows")
    }

    /// The orders that were drawn; none where something else was made.
    pub fn orders(&self) -> &[Order] {
        match self {
            Self::Draws(orders) => orders,
            Self::Recharges(_) => &[],
        }
    }

    /// The recharge orders; none where something else was made.
    pub fn recharges(&self) -> &[RechargeOrder] {
        match self {
            Self::Recharges(recharges) => recharges,
            Self::Draws(_) => &[],
        }
    }

    /// The ids of the rows that were made, in their order.
    pub fn ids(&self) -> impl Iterator<Item = OrderId> {
        let orders = self.orders().iter().map(|order| order.id);
        orders.chain(self.recharges().iter().map(|order| order.id))
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
    GrantAsk: Grant, makes Recharges(Recharges);
    ExchangeAsk: Exchange, makes Recharges(Recharges);
    SignInAsk: SignIn, makes Recharges(Recharges);
    RewardAsk: Reward, makes Recharges(Recharges);
    PointsAsk: Points, makes Recharges(Recharges);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kinds_are_for_ever() {
        assert_eq!(Kind::ALL.map(Kind::number), [1, 2, 3, 4, 5, 6]);
        assert_eq!(
            Kind::ALL.map(|kind| Kind::from_number(kind.number())),
            Kind::ALL.map(Some)
        );
        assert_eq!(Kind::from_number(0), None);
    }
}
