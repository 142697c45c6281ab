//! Row locks of a shard's database, as InnoDB has them: shared by several transactions, or
//! exclusive to one.
use std::collections::BTreeMap;

use market::batch::StockItem;
use market::{ActivityId, AwardId, RequestId, UserId};

use crate::grant::GrantId;
use crate::stock::ServerId;

/// Item, segment, run and lane.
pub(super) type CounterKey = (StockItem, u16, u64, u16);

/// A row that can be locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LockedRow {
    Account(UserId, ActivityId),
    Points(UserId),
    SignIn(UserId, ActivityId),
    UserAward(UserId, ActivityId, AwardId),
    Call(UserId, RequestId),
    Receipt(GrantId),
    Counter(CounterKey),
    Epoch(ServerId),
}

impl LockedRow {
    /// The user whose row it is, if it is one of a user.
    pub(super) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Account(user, _)
            | Self::Points(user)
            | Self::SignIn(user, _)
            | Self::UserAward(user, ..)
            | Self::Call(user, _) => Some(user),
            Self::Receipt(_) | Self::Counter(_) | Self::Epoch(_) => None,
        }
    }
}

/// How a row is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockMode {
    Shared,
    Exclusive,
}

/// What became of an attempt to lock a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockAttempt {
    Locked,
    /// Another transaction has it.
    Taken,
    /// The transaction that asks has ended.
    Gone,
}

/// The transactions that have a row locked.
#[derive(Default)]
struct Holders {
    exclusive: Option<u64>,
    shared: Vec<u64>,
}

impl Holders {
    fn admit(&mut self, transaction: u64, mode: LockMode) -> bool {
        let others_share = self.shared.iter().any(|&holder| holder != transaction);
        let free = self.exclusive.is_none_or(|holder| holder == transaction);
        match mode {
            LockMode::Exclusive if free && !others_share => self.exclusive = Some(transaction),
            LockMode::Shared if free => self.shared.push(transaction),
            LockMode::Exclusive | LockMode::Shared => return false,
        }
        true
    }

    fn dismiss(&mut self, transaction: u64) {
        self.exclusive = self.exclusive.filter(|&holder| holder != transaction);
        self.shared.retain(|&holder| holder != transaction);
    }

    fn is_empty(&self) -> bool {
        self.exclusive.is_none() && self.shared.is_empty()
    }
}

/// All locks.
#[derive(Default)]
pub(super) struct RowLocks(BTreeMap<LockedRow, Holders>);

impl RowLocks {
    /// Locks a row for a transaction; false when another one has it.
    pub(super) fn lock(&mut self, transaction: u64, row: &LockedRow, mode: LockMode) -> bool {
        let holders = self.0.entry(row.clone()).or_default();
        holders.admit(transaction, mode)
    }

    /// Whether any transaction has a row.
    pub(super) fn is_held(&self, row: &LockedRow) -> bool {
        self.0.contains_key(row)
    }

    /// A transaction lets a row go.
    pub(super) fn release(&mut self, transaction: u64, row: &LockedRow) {
        if let Some(holders) = self.0.get_mut(row) {
            holders.dismiss(transaction);
            if holders.is_empty() {
                self.0.remove(row);
            }
        }
    }

    /// All transactions are gone.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
