//! The rows of one command of a batch.
use super::needs::CommandNeeds;
use super::slots::{AccountKey, Slots, UserAwardKey};
use crate::chances::Account;
use crate::ids::{ActivityId, UserId};
use crate::points::{PointsAccount, PointsEntry};
use crate::sign_ins::SignIn;

/// The rows of one command, as the commands before it leave them.
pub(crate) struct CommandRows<'a> {
    pub(super) accounts: &'a mut Slots<AccountKey, Account>,
    pub(super) points: &'a mut Slots<UserId, PointsAccount>,
    pub(super) sign_ins: &'a mut Slots<AccountKey, SignIn>,
    pub(super) user_awards: &'a mut Slots<UserAwardKey, u32>,
    pub(super) entries: &'a mut Vec<PointsEntry>,
    pub(super) needs: &'a CommandNeeds,
    /// The indexes of its accounts.
    pub(super) indexes: &'a [usize],
}

impl CommandRows<'_> {
    /// The activities whose accounts it has, in the order in which it named them.
    pub(crate) fn activities(&self) -> impl Iterator<Item = ActivityId> {
        (self.indexes.iter()).map(|&index| self.accounts.key(index).1)
    }

    /// Its account with this index; `None` where there is none yet.
    pub(crate) fn account(&self, nth: usize) -> Option<Account> {
        self.accounts.now(self.indexes[nth])
    }

    /// Changes or makes the account with this index.
    pub(crate) fn set_account(&mut self, nth: usize, account: Account) {
        self.accounts.set(self.indexes[nth], Some(account));
    }

    /// The user's points.
    ///
    /// # Panics
    /// Where the command did not say that it needs them.
    pub(crate) fn points(&self) -> PointsAccount {
        let index = self.needs.points.expect("the command needs points");
        self.points.now(index).unwrap_or_default()
    }

    /// Changes the user's points.
    pub(crate) fn set_points(&mut self, account: PointsAccount) {
        let index = self.needs.points.expect("the command needs points");
        self.points.set(index, Some(account));
    }

    /// Adds an entry to the user's ledger.
    pub(crate) fn append(&mut self, entry: PointsEntry) {
        self.entries.push(entry);
    }

    /// The sign-in in the activity with this index.
    pub(crate) fn sign_in(&self, nth: usize) -> SignIn {
        self.sign_ins
            .now(self.needs.sign_ins[nth])
            .unwrap_or_default()
    }

    /// Changes the sign-in in the activity with this index.
    pub(crate) fn set_sign_in(&mut self, nth: usize, sign_in: SignIn) {
        self.sign_ins.set(self.needs.sign_ins[nth], Some(sign_in));
    }

    /// How many the user was given of the award with this index.
    pub(crate) fn given(&self, nth: usize) -> u32 {
        let index = self.needs.user_awards[nth];
        self.user_awards.now(index).unwrap_or(0)
    }

    /// The user was given one more of the award with this index.
    pub(crate) fn give_one(&mut self, nth: usize) {
        let given = self.given(nth) + 1;
        self.user_awards
            .set(self.needs.user_awards[nth], Some(given));
    }

    /// The command's first account as it is, to be put back when the command is refused. No other
    /// row is changed before all of a command is known to be possible.
    pub(super) fn save(&self) -> Option<Account> {
        self.accounts.now(*self.indexes.first()?)
    }

    pub(super) fn put_back(&mut self, saved: Option<Account>) {
        if let Some(&index) = self.indexes.first() {
            self.accounts.set(index, saved);
        }
    }
}
