//! To give a user chances. Operators do so to compensate for what went wrong.
//!
//! The chances are added to what the account was granted, never to the limits of a day or month.
//! The activity must be published, but need not be open: users are compensated after its end too.
//! Each grant is recorded as a recharge order. What an account was granted in all is the welcome
//! chances of its activity and the sum of its recharge orders.
use std::str::FromStr;

use jiff::Timestamp;

use crate::batch::context::{Planning, Settling};
use crate::chances::Account;
use crate::ids::{ActivityId, OrderId, RequestId, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;

/// How many chances a command gives: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChanceCount(u32);

/// A number of chances that no command may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an integer from 1 to 1000000")]
pub struct InvalidChances;

impl ChanceCount {
    /// The most that one command gives.
    pub const MAX: Self = Self(1_000_000);

    /// Checks a number and makes it a count.
    pub const fn new(number: u32) -> Result<Self, InvalidChances> {
        if number >= 1 && number <= Self::MAX.0 {
            Ok(Self(number))
        } else {
            Err(InvalidChances)
        }
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for ChanceCount {
    type Err = InvalidChances;

    fn from_str(text: &str) -> Result<Self, InvalidChances> {
        // Rust's own parser takes a leading plus sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| text.parse().ok())
            .flatten()
            .ok_or(InvalidChances)
            .and_then(Self::new)
    }
}

/// A command to give chances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantAsk {
    /// In which activity.
    pub activity: ActivityId,
    /// How many.
    pub chances: ChanceCount,
}

/// The record of chances that were given to a user. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RechargeOrder {
    /// Its own id; it carries the user's slot.
    pub id: OrderId,
    /// Who got the chances.
    pub user: UserId,
    /// The idempotency key of its call, unique per user.
    pub request: RequestId,
    /// In which activity.
    pub activity: ActivityId,
    /// Why they were given.
    pub kind: RechargeKind,
    /// How many.
    pub chances: u32,
    /// When the call was planned.
    pub created_at: Timestamp,
}

/// Why chances were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RechargeKind {
    /// An operator gave them.
    Operator,
}

impl RechargeKind {
    const ALL: [Self; 1] = [Self::Operator];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
        }
    }

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A grant that is allowed.
#[derive(Debug)]
pub(crate) struct PlannedGrant(GrantAsk);

impl GrantAsk {
    /// How much it asks for, as its call records it.
    pub(crate) const fn asked(self) -> u64 {
        self.chances.0 as u64
    }

    /// It changes one account, as a draw does.
    #[expect(clippy::unused_self, reason = "each kind says its own")]
    pub(crate) const fn weight(self) -> usize {
        1
    }

    /// Adds the chances. A new account begins with the welcome chances.
    pub(crate) fn plan<R: Randomness>(
        self,
        planning: &mut Planning<'_, R>,
    ) -> Result<PlannedGrant, Refusal> {
        let catalogue = planning.around.catalogue;
        let published = catalogue
            .activity(self.activity)
            .ok_or(Refusal::ActivityUnknown)?;
        let account = planning
            .account
            .now()
            .unwrap_or_else(|| Account::new(published.campaign.chances));
        let account = account.receive(self.chances.get())?;
        planning.account.set(account);
        Ok(PlannedGrant(self))
    }
}

impl PlannedGrant {
    /// Makes the recharge order.
    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        settling: &mut Settling<'_, M>,
    ) -> RechargeOrder {
        let Self(GrantAsk { activity, chances }) = self;
        RechargeOrder {
            id: (settling.mint)(settling.user),
            user: settling.user.clone(),
            request: settling.request.clone(),
            activity,
            kind: RechargeKind::Operator,
            chances: chances.get(),
            created_at: settling.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_bounded_and_have_one_spelling() {
        assert_eq!("1".parse(), ChanceCount::new(1));
        assert_eq!("1000000".parse(), Ok(ChanceCount::MAX));
        for bad in ["", "0", "1000001", "+1", "-1", "1.0", " 1", "99999999999"] {
            assert_eq!(bad.parse::<ChanceCount>(), Err(InvalidChances), "{bad:?}");
        }
    }

    #[test]
    fn names_round_trip() {
        for kind in RechargeKind::ALL {
            assert_eq!(RechargeKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(RechargeKind::from_name("reward"), None);
    }
}
