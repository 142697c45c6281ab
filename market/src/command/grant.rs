//! To give a user chances. Operators do so to compensate for what went wrong.
//!
//! The chances are added to what the account was granted, never to the limits of a day or month.
//! The activity must be published, but need not be open: users are compensated after its end too.
//! Each grant is recorded as a recharge order.
use std::str::FromStr;

use crate::batch::context::{Planning, Settling};
use crate::batch::needs::Needing;
use crate::chances::Account;
use crate::command::recharge::{RechargeKind, RechargeOrder};
use crate::ids::{ActivityId, OrderId, UserId};
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

/// A grant that is allowed.
#[derive(Debug)]
pub(crate) struct PlannedGrant(GrantAsk);

impl GrantAsk {
    /// How much it asks for, as its call records it.
    pub(crate) const fn asked(self) -> u64 {
        self.chances.0 as u64
    }

    pub(crate) fn needs(self, needing: &mut Needing<'_, '_>) {
        needing.account(self.activity);
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
            .rows
            .account(0)
            .unwrap_or_else(|| Account::new(published.campaign.chances));
        let account = account.receive(self.chances.get())?;
        planning.rows.set_account(0, account);
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
        settling.recharge(Some(activity), RechargeKind::Operator, chances.get(), None)
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
}
