//! Commands: what users and operators ask lanes to execute. A kind of command is one line in each
//! `match` of this file; its rules stand in a file or folder of its own.
//!
//! A kind says what makes a repeat ([`Ask::fingerprint`]), how much room it takes
//! ([`Ask::weight`]), whose account it reads ([`Ask::activity`]), what it decides ([`Ask::plan`]),
//! which units it wants and what it makes of them ([`Planned`]). What holds for all kinds is in
//! [`crate::batch`]: repeats, keys, all or nothing, random numbers.
use jiff::Timestamp;

use crate::batch::context::{Planning, Settling};
use crate::call::{Call, Fingerprint, Made};
use crate::draw::{Decision, DrawAsk, PlannedDraw};
use crate::grant::{GrantAsk, PlannedGrant};
use crate::ids::{ActivityId, OrderId, RequestId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::units::Prize;

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

impl Command {
    /// How much room it takes in a queue and a batch, in draws. It makes at most so many rows with
    /// an id of their own.
    pub fn weight(&self) -> usize {
        self.ask.weight()
    }

    /// The record of this call, which made `made`.
    pub(crate) fn call(&self, made: &Made, now: Timestamp) -> Call {
        let Fingerprint {
            kind,
            activity,
            asked,
        } = self.ask.fingerprint();
        Call {
            user: self.user.clone(),
            request: self.request.clone(),
            kind,
            activity,
            asked,
            first_id: made.first_id(),
            made: made.count(),
            created_at: now,
        }
    }
}

impl Ask {
    /// What must be equal for another call to be a repeat of this one.
    pub const fn fingerprint(self) -> Fingerprint {
        match self {
            Self::Draw(ask) => ask.fingerprint(),
            Self::Grant(ask) => ask.fingerprint(),
        }
    }

    fn weight(self) -> usize {
        match self {
            Self::Draw(ask) => ask.weight(),
            Self::Grant(ask) => ask.weight(),
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

    /// Makes what was planned, with what units there are, and appends its rows.
    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        drafts: &Drafts,
        settling: &mut Settling<'_, M>,
    ) -> Made {
        match self {
            Self::Draw(planned) => planned.settle(&drafts.decisions, settling),
            Self::Grant(planned) => planned.settle(settling),
        }
    }
}
