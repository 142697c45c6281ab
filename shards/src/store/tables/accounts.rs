//! `raffle_account_N`: how often a user has drawn in an activity, and may still draw. A batch locks
//! the accounts of its users before anything else.
use market::batch::AccountKey;
use market::calendar::Day;
use market::chances::Account;
use market::{ActivityId, UserId};

use super::Numbered;
use super::locked::{LockedStatements, LockedTable, locked_statements};
use super::table::{NumberedTable, StoredOfUser};
use crate::store::rows::{activity_id, number};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError};

numbered_statements! {
    /// Statements on accounts.
    AccountStatements in "accounts" {
        /// `(user, activity), ...`, sorted -> user, activity, account; locks the accounts.
        lock_batch,
        /// `[[user, activity], ...]`, sorted -> the indexes of those that another transaction has
        /// locked.
        find_held,
        /// `(user, activity), ...` -> user, activity, account; locks nothing.
        read,
        /// Writes accounts that were not there.
        insert,
        /// Writes accounts that were, and that change.
        update,
        /// `[after, up to]` -> at most `{rows_max}` accounts of the users in between, by key.
        page,
        /// `[user]` -> accounts, by key.
        of_user,
        /// `[user, activity]` -> the account, locked.
        lock,
        /// `[[user, activity, day, day_used, month_used]]`: changes an account's label.
        set_label,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Accounts;

impl NumberedTable for Accounts {
    const NAME: &'static str = "raffle_account";
    const SHOWS_USE: bool = true;
}

impl LockedTable for Accounts {
    type Key = AccountKey;
    type State = Account;
    type KeyOfRow<'r> = (&'r str, ActivityId);

    fn user((user, _): &AccountKey) -> &UserId {
        user
    }

    fn write_key<'r>((user, activity): &'r AccountKey, rows: &mut Rows<'r>) {
        rows.push([user.as_str().into(), number(activity.get())]);
    }

    fn write_state<'r>((user, activity): &'r AccountKey, account: &Account, rows: &mut Rows<'r>) {
        rows.push([
            user.as_str().into(),
            number(activity.get()),
            account.granted.into(),
            account.used.into(),
            account.day.number().into(),
            account.day_used.into(),
            account.month_used.into(),
        ]);
    }

    fn as_in_row((user, activity): &AccountKey) -> Self::KeyOfRow<'_> {
        (user.as_str(), *activity)
    }

    fn read_key(row: &impl Columns) -> Result<Self::KeyOfRow<'_>, StoreError> {
        Ok((row.text(0)?, activity_id(row, 1)?))
    }

    fn read_state(row: &impl Columns) -> Result<Account, StoreError> {
        read_state(row, 2)
    }

    fn json_key((user, activity): &AccountKey) -> serde_json::Value {
        serde_json::json!([user.as_str(), activity.get()])
    }

    fn statements(sql: &Numbered) -> LockedStatements<'_> {
        locked_statements!(sql.accounts)
    }
}

/// Columns from `first` on: chances granted, used, day, used on it, used in its month.
pub(crate) fn read_state(row: &impl Columns, first: usize) -> Result<Account, StoreError> {
    Ok(Account {
        granted: row.number(first)?,
        used: row.number(first + 1)?,
        day: Day::from_number(row.number(first + 2)?),
        day_used: row.number(first + 3)?,
        month_used: row.number(first + 4)?,
    })
}

/// An account as it stands, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredAccount {
    pub(crate) activity: i64,
    pub(crate) granted: i64,
    pub(crate) used: i64,
    pub(crate) day: i64,
    pub(crate) day_used: i64,
    pub(crate) month_used: i64,
}

impl StoredOfUser for StoredAccount {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            granted: row.integer(2)?,
            used: row.integer(3)?,
            day: row.integer(4)?,
            day_used: row.integer(5)?,
            month_used: row.integer(6)?,
        })
    }
}
