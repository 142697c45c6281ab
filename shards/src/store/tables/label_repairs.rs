//! `label_repair_N`: labels of days that were ahead of the clock and were set back, of accounts and
//! of sign-ins, by `drawbridge audit --repair`, which locks the row first. Only the audit reads it.
use super::table::{NumberedTable, StoredOfUser};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, StoreError};

numbered_statements! {
    /// Statements on repairs of labels.
    LabelRepairStatements in "label_repairs" {
        /// `[[user, activity, used, today, day_before, at_ms], ...]`: notes a repair.
        insert,
        /// `[after, up to]` -> at most `{rows_max}` repairs of the users in between, by key.
        page,
        /// `[user]` -> repairs, by key.
        of_user,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct LabelRepairs;

impl NumberedTable for LabelRepairs {
    const NAME: &'static str = "label_repair";
}

/// An account's label was ahead of the clock and was set back: of its first `used` orders, those
/// labelled later than `today` do not count for the label any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LabelRepair {
    pub(crate) activity: i64,
    pub(crate) used: i64,
    pub(crate) today: i64,
}

/// A sign-in was rewarded for a day that had not begun. It does not count any more: the user may
/// sign in on that day once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignInRepair {
    pub(crate) activity: i64,
    /// The day.
    pub(crate) day: i64,
    /// How many rewards had been given for it by then.
    pub(crate) given: i64,
}

/// A row: what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoredRepair {
    OfAccount(LabelRepair),
    OfSignIn(SignInRepair),
}

/// The column `used` of a sign-in's repair holds this and the day, `today` the rewards. No account has so many orders.
const OF_SIGN_IN: i64 = 4_000_000_000;

impl SignInRepair {
    /// What the column `used` holds.
    pub(crate) const fn stored(self) -> i64 {
        OF_SIGN_IN + self.day
    }
}

impl StoredRepair {
    /// That of an account.
    pub(crate) fn of_account(self) -> Option<LabelRepair> {
        match self {
            Self::OfAccount(repair) => Some(repair),
            Self::OfSignIn(_) => None,
        }
    }

    /// That of a sign-in.
    pub(crate) fn of_sign_in(self) -> Option<SignInRepair> {
        match self {
            Self::OfAccount(_) => None,
            Self::OfSignIn(repair) => Some(repair),
        }
    }
}

impl StoredOfUser for StoredRepair {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        let (activity, used) = (row.integer(1)?, row.integer(2)?);
        Ok(if used >= OF_SIGN_IN {
            let day = used - OF_SIGN_IN;
            let given = row.integer(3)?;
            Self::OfSignIn(SignInRepair {
                activity,
                day,
                given,
            })
        } else {
            let today = row.integer(3)?;
            Self::OfAccount(LabelRepair {
                activity,
                used,
                today,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_holds_each_day() {
        let last_day = SignInRepair {
            activity: 1,
            day: 99_991_231,
            given: 1,
        };
        assert!(u32::try_from(last_day.stored()).is_ok());
    }
}
