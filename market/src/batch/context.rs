//! What a kind of command plans and settles with.
use jiff::Timestamp;

use super::command_rows::CommandRows;
use crate::campaign::Catalogue;
use crate::command::recharge::{RechargeKind, RechargeOrder};
use crate::ids::{ActivityId, BusinessNumber, OrderId, RequestId, UserId};
use crate::points::{Amount, PointsAccount, PointsEntry, Trade};
use crate::units::{Purse, Supply};

/// What all commands of a batch are planned under.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// One version of each campaign, and the switches.
    pub catalogue: &'a Catalogue,
    /// Whether the stock can be asked.
    pub supply: &'a Supply,
    /// One reading of the clock.
    pub now: Timestamp,
}

/// A command while it is planned.
pub(crate) struct Planning<'a, R> {
    pub(crate) around: &'a Circumstances<'a>,
    pub(crate) user: &'a UserId,
    /// Its rows. Before it settles it may change its first account, and no other row.
    pub(crate) rows: CommandRows<'a>,
    /// Its random numbers.
    pub(crate) random: R,
    /// How many users have of awards when all draws planned so far are given what they ask for, in
    /// the order of the batch's rows.
    pub(super) expected: &'a mut [u32],
}

impl<R> Planning<'_, R> {
    /// How many the user has of the award with this index when all draws planned so far are given
    /// what they ask for.
    pub(crate) fn expected(&self, nth: usize) -> u32 {
        self.expected[self.rows.needs.user_awards[nth]]
    }

    /// Changes that for the commands that are planned later.
    pub(crate) fn expect(&mut self, nth: usize, given: u32) {
        self.expected[self.rows.needs.user_awards[nth]] = given;
    }
}

/// A command while it is settled.
pub(crate) struct Settling<'a, M> {
    pub(crate) user: &'a UserId,
    pub(crate) request: &'a RequestId,
    pub(crate) now: Timestamp,
    /// Its rows. It changes them when nothing can refuse it any more.
    pub(crate) rows: CommandRows<'a>,
    /// What the batch was granted.
    pub(crate) purse: &'a mut Purse,
    /// Makes an id that carries the user's slot.
    pub(crate) mint: &'a mut M,
}

impl<M: FnMut(&UserId) -> OrderId> Settling<'_, M> {
    /// A recharge order of this command.
    pub(crate) fn recharge(
        &mut self,
        activity: Option<ActivityId>,
        kind: RechargeKind,
        chances: u32,
        points: Option<Amount>,
    ) -> RechargeOrder {
        RechargeOrder {
            id: (self.mint)(self.user),
            user: self.user.clone(),
            request: self.request.clone(),
            activity,
            kind,
            chances,
            points,
            created_at: self.now,
        }
    }

    /// Sets the user's points to `account`, and enters what has changed them into the ledger.
    pub(crate) fn enter(
        &mut self,
        account: PointsAccount,
        trade: Trade,
        activity: Option<ActivityId>,
        amount: Amount,
        order: OrderId,
    ) {
        self.rows.set_points(account);
        self.rows.append(PointsEntry {
            user: self.user.clone(),
            number: account.entries,
            trade,
            activity,
            amount,
            balance: account.balance,
            business: BusinessNumber::of_order(order),
            created_at: self.now,
        });
    }
}
