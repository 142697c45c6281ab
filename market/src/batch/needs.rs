//! What a batch needs: which rows it locks and reads, by command and in all.
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use super::slots::{AccountKey, UserAwardKey};
use crate::ids::{ActivityId, AwardId, RequestId, UserId};

/// What a batch must lock and read: distinct keys, in the order in which commands name them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Accounts.
    pub accounts: Vec<AccountKey>,
    /// Users whose points are needed.
    pub points: Vec<UserId>,
    /// Sign-ins.
    pub sign_ins: Vec<AccountKey>,
    /// What users were given of awards that have a limit for one user.
    pub user_awards: Vec<UserAwardKey>,
    /// Keys under which earlier calls may have been made.
    pub calls: Vec<(UserId, RequestId)>,
}

/// Some of the rows that a batch needs; each list in the order of the needs' own.
#[derive(Debug)]
pub struct NeededRows {
    /// Accounts.
    pub accounts: Vec<bool>,
    /// Accounts of points.
    pub points: Vec<bool>,
    /// Sign-ins.
    pub sign_ins: Vec<bool>,
    /// What users were given of awards.
    pub user_awards: Vec<bool>,
    /// Calls.
    pub calls: Vec<bool>,
}

/// How many rows with ids of their own a command makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCount {
    usual: u16,
    most: u16,
}

impl RowCount {
    /// One.
    pub const ONE: Self = Self::all(1);

    /// This number.
    pub const fn all(count: u16) -> Self {
        Self::new(count, count)
    }

    /// This number on most days, and at most that one. A command that makes none is refused, so
    /// both are 1 or more.
    pub const fn new(usual: u16, most: u16) -> Self {
        let usual = if usual == 0 { 1 } else { usual };
        let most = if most < usual { usual } else { most };
        Self { usual, most }
    }

    /// How many it usually makes.
    pub const fn usual(self) -> u16 {
        self.usual
    }

    /// How many it makes at most.
    pub const fn most(self) -> u16 {
        self.most
    }
}

/// Which of the rows one command needs, as indexes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandNeeds {
    pub(super) accounts: Range<usize>,
    pub(super) points: Option<usize>,
    /// Where it needs sign-ins, one for each account.
    pub(super) sign_ins: Vec<usize>,
    /// Those of awards, in the order of the campaign's limits.
    pub(super) user_awards: Vec<usize>,
    pub(super) call: usize,
    pub(super) makes: RowCount,
}

/// Notes what one command needs.
pub(crate) struct Needing<'a, 'c> {
    pub(super) user: &'c UserId,
    pub(super) gathered: &'a mut Gathered<'c>,
    pub(super) of_command: &'a mut CommandNeeds,
}

impl Needing<'_, '_> {
    /// It needs its account in this activity.
    pub(crate) fn account(&mut self, activity: ActivityId) {
        let index = self.gathered.accounts.index((self.user, activity));
        self.gathered.account_of.push(index);
        self.of_command.accounts.end += 1;
    }

    /// It needs its user's points.
    pub(crate) fn points(&mut self) {
        self.of_command.points = Some(self.gathered.points.index(self.user));
    }

    /// It needs its account in this activity, and when the user has signed in there.
    pub(crate) fn account_and_sign_in(&mut self, activity: ActivityId) {
        self.account(activity);
        let index = self.gathered.sign_ins.index((self.user, activity));
        self.of_command.sign_ins.push(index);
    }

    /// It needs what its user was given of this award.
    pub(crate) fn user_award(&mut self, activity: ActivityId, award: AwardId) {
        let key = (self.user, activity, award);
        let index = self.gathered.user_awards.index(key);
        self.of_command.user_awards.push(index);
    }

    /// It makes this number of rows with ids of their own.
    pub(crate) fn makes(&mut self, rows: RowCount) {
        self.of_command.makes = rows;
    }
}

/// Distinct keys in the order in which they came.
pub(super) struct Distinct<K>(pub(super) Vec<K>, HashMap<K, usize>);

impl<K: Hash + Eq + Clone> Distinct<K> {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count), HashMap::with_capacity(count))
    }

    pub(super) fn index(&mut self, key: K) -> usize {
        let Self(keys, indexes) = self;
        *indexes.entry(key).or_insert_with_key(|key| {
            keys.push(key.clone());
            keys.len() - 1
        })
    }
}

/// The keys of a batch, while they are gathered.
pub(super) struct Gathered<'c> {
    pub(super) accounts: Distinct<(&'c UserId, ActivityId)>,
    pub(super) points: Distinct<&'c UserId>,
    pub(super) sign_ins: Distinct<(&'c UserId, ActivityId)>,
    pub(super) user_awards: Distinct<(&'c UserId, ActivityId, AwardId)>,
    pub(super) calls: Distinct<(&'c UserId, &'c RequestId)>,
    pub(super) account_of: Vec<usize>,
}
