//! `points_account_N`: a user's points. Batches lock it behind the accounts of chances.
use market::UserId;
use market::points::{Points, PointsAccount};

use super::Numbered;
use super::locked::{LockedStatements, LockedTable, locked_statements};
use super::table::{NumberedTable, StoredOfUser};
use crate::store::rows::number;
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, out_of_range};

numbered_statements! {
    /// Statements on accounts of points.
    PointsAccountStatements in "points_accounts" {
        /// `(user), ...`, sorted -> user, account; locks the accounts.
        lock_batch,
        /// `[[user], ...]`, sorted -> the indexes of those that another transaction has locked.
        find_held,
        /// `(user), ...` -> user, account; locks nothing.
        read,
        /// Writes accounts that were not there.
        insert,
        /// Writes accounts that were, and that change.
        update,
        /// `[after, up to]` -> at most `{rows_max}` accounts of the users in between, by key.
        page,
        /// `[user]` -> the account.
        of_user,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct PointsAccounts;

impl NumberedTable for PointsAccounts {
    const NAME: &'static str = "points_account";
    const SHOWS_USE: bool = true;
}

impl LockedTable for PointsAccounts {
    type Key = UserId;
    type State = PointsAccount;
    type KeyOfRow<'r> = &'r str;

    fn user(user: &UserId) -> &UserId {
        user
    }

    fn write_key<'r>(user: &'r UserId, rows: &mut Rows<'r>) {
        rows.push([user.as_str().into()]);
    }

    fn write_state<'r>(user: &'r UserId, account: &PointsAccount, rows: &mut Rows<'r>) {
        rows.push([
            user.as_str().into(),
            number(account.balance.hundredths()),
            number(account.entries),
            u8::from(account.frozen).into(),
        ]);
    }

    fn as_in_row(user: &UserId) -> &str {
        user.as_str()
    }

    fn read_key(row: &impl Columns) -> Result<&str, StoreError> {
        row.text(0)
    }

    fn read_state(row: &impl Columns) -> Result<PointsAccount, StoreError> {
        let balance = Points::from_hundredths(row.number(1)?).ok_or_else(|| out_of_range(1))?;
        Ok(PointsAccount {
            balance,
            entries: row.number(2)?,
            frozen: row.integer(3)? != 0,
        })
    }

    fn json_key(user: &UserId) -> serde_json::Value {
        serde_json::json!([user.as_str()])
    }

    fn statements(sql: &Numbered) -> LockedStatements<'_> {
        locked_statements!(sql.points_accounts)
    }
}

/// An account of points as it stands, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredPoints {
    pub(crate) balance: i64,
    pub(crate) entries: i64,
}

impl StoredOfUser for StoredPoints {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            balance: row.integer(1)?,
            entries: row.integer(2)?,
        })
    }
}
