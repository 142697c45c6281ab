//! The rows of a batch: those that it reads and may change, and those that it appends.
use super::command_rows::CommandRows;
use super::gather::Known;
use super::needs::{CommandNeeds, Needs};
use super::slots::{AccountKey, Slots, UserAwardKey};
use crate::call::{Call, MadeCall};
use crate::chances::Account;
use crate::command::draw::Order;
use crate::ids::UserId;
use crate::points::{PointsAccount, PointsEntry};
use crate::sign_ins::SignIn;

/// All rows of a batch.
#[derive(Debug, Default)]
pub struct Rows {
    /// The accounts that it has read.
    pub accounts: Slots<AccountKey, Account>,
    /// The accounts of points that it has read.
    pub points: Slots<UserId, PointsAccount>,
    /// The sign-ins that it has read.
    pub sign_ins: Slots<AccountKey, SignIn>,
    /// How many users were given of awards, as far as it has read that.
    pub user_awards: Slots<UserAwardKey, u32>,
    /// New: the calls that made something, and what they made, in the batch's order.
    pub made: Vec<MadeCall>,
    /// New: the entries of ledgers, in the order in which points were added and taken.
    pub entries: Vec<PointsEntry>,
}

impl Rows {
    /// Nothing is changed yet.
    pub(super) fn new(needs: Needs, known: &mut Known) -> Self {
        Self {
            accounts: Slots::new(needs.accounts, std::mem::take(&mut known.accounts)),
            points: Slots::new(needs.points, std::mem::take(&mut known.points)),
            sign_ins: Slots::new(needs.sign_ins, std::mem::take(&mut known.sign_ins)),
            user_awards: Slots::new(needs.user_awards, std::mem::take(&mut known.user_awards)),
            made: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// The new calls.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.made.iter().map(|made| &made.call)
    }

    /// The new orders of all calls.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.made.iter().flat_map(|made| made.made.orders())
    }

    /// Whether there is nothing to write. Commands that change a row make something.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// Those of one command, whose accounts have these indexes.
    pub(super) fn of_command<'a>(
        &'a mut self,
        needs: &'a CommandNeeds,
        accounts: &'a [usize],
    ) -> CommandRows<'a> {
        CommandRows {
            accounts: &mut self.accounts,
            points: &mut self.points,
            sign_ins: &mut self.sign_ins,
            user_awards: &mut self.user_awards,
            entries: &mut self.entries,
            needs,
            indexes: accounts,
        }
    }
}
