//! To change a user's points, or to freeze them: what operators do.
use super::recharge::{RechargeKind, RechargeOrder};
use crate::batch::context::{Planning, Settling};
use crate::batch::needs::Needing;
use crate::ids::{OrderId, UserId};
use crate::points::{Amount, Points, PointsAccount, Trade};
use crate::random::Randomness;
use crate::refusal::Refusal;

/// A command to change an account of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointsAsk {
    /// How.
    pub change: PointsChange,
}

/// How an operator changes an account of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointsChange {
    /// Adds points.
    Add(Points),
    /// Takes points, where there are enough, and none are frozen.
    Take(Points),
    /// From now on nothing is taken.
    Freeze,
    /// Ends that.
    Unfreeze,
}

impl PointsAsk {
    /// Whether a call that made this was for the same.
    pub(crate) fn would_make(self, made: &[RechargeOrder]) -> bool {
        let (kind, amount) = self.record();
        made.iter()
            .all(|order| order.kind == kind && order.points == amount)
    }

    #[expect(clippy::unused_self, reason = "each kind says its own")]
    pub(crate) fn needs(self, needing: &mut Needing<'_, '_>) {
        needing.points();
    }

    fn record(self) -> (RechargeKind, Option<Amount>) {
        match self.change {
            PointsChange::Add(points) => (RechargeKind::Operator, Some(Amount::add(points))),
            PointsChange::Take(points) => (RechargeKind::Operator, Some(Amount::take(points))),
            PointsChange::Freeze => (RechargeKind::Freeze, None),
            PointsChange::Unfreeze => (RechargeKind::Unfreeze, None),
        }
    }

    fn change(self, account: PointsAccount) -> Result<PointsAccount, Refusal> {
        let frozen = |frozen| PointsAccount { frozen, ..account };
        match self.change {
            PointsChange::Add(_) if !account.has_room() => Err(Refusal::TooManyPoints),
            PointsChange::Add(points) => account.receive(points),
            PointsChange::Take(points) => account.take(points),
            PointsChange::Freeze => Ok(frozen(true)),
            PointsChange::Unfreeze => Ok(frozen(false)),
        }
    }

    pub(crate) fn plan<R: Randomness>(self, planning: &Planning<'_, R>) -> Result<Self, Refusal> {
        self.change(planning.rows.points()).map(|_| self)
    }

    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        settling: &mut Settling<'_, M>,
    ) -> Result<RechargeOrder, Refusal> {
        let account = self.change(settling.rows.points())?;
        let (kind, amount) = self.record();
        let order = settling.recharge(None, kind, 0, amount);
        match amount {
            Some(amount) => settling.enter(account, Trade::Operator, None, amount, order.id),
            None => settling.rows.set_points(account),
        }
        Ok(order)
    }
}
