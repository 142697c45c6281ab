//! `sign_in_N`: when a user last signed in, in one activity. It is behind the accounts in the order
//! of locks, and only sign-ins touch it.
use market::batch::AccountKey;
use market::calendar::Day;
use market::sign_in::SignIn;
use market::{ActivityId, UserId};

use super::Numbered;
use super::locked::{LockedStatements, LockedTable, locked_statements};
use super::table::{NumberedTable, StoredOfUser};
use crate::store::rows::{activity_id, number};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError};

numbered_statements! {
    /// Statements on sign-ins.
    SignInStatements in "sign_ins" {
        /// `(user, activity), ...`, sorted -> user, activity, sign-in; locks the rows.
        lock_batch,
        /// `[[user, activity], ...]`, sorted -> the indexes of those that another transaction has
        /// locked.
        find_held,
        /// Writes rows that were not there.
        insert,
        /// Writes rows that were, and that change.
        update,
        /// `[after, up to]` -> at most `{rows_max}` rows of the users in between, by key.
        page,
        /// `[user]` -> the user's rows, by key.
        of_user,
        /// `[user, activity]` -> the row, locked.
        lock,
        /// `[[user, activity, day, streak]]`: changes a row.
        set_last,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct SignIns;

impl NumberedTable for SignIns {
    const NAME: &'static str = "sign_in";
}

impl LockedTable for SignIns {
    type Key = AccountKey;
    type State = SignIn;
    type KeyOfRow<'r> = (&'r str, ActivityId);

    fn user((user, _): &AccountKey) -> &UserId {
        user
    }

    fn write_key<'r>((user, activity): &'r AccountKey, rows: &mut Rows<'r>) {
        rows.push([user.as_str().into(), number(activity.get())]);
    }

    fn write_state<'r>((user, activity): &'r AccountKey, sign_in: &SignIn, rows: &mut Rows<'r>) {
        rows.push([
            user.as_str().into(),
            number(activity.get()),
            sign_in.day.number().into(),
            sign_in.streak.into(),
        ]);
    }

    fn as_in_row((user, activity): &AccountKey) -> Self::KeyOfRow<'_> {
        (user.as_str(), *activity)
    }

    fn read_key(row: &impl Columns) -> Result<Self::KeyOfRow<'_>, StoreError> {
        Ok((row.text(0)?, activity_id(row, 1)?))
    }

    fn read_state(row: &impl Columns) -> Result<SignIn, StoreError> {
        Ok(SignIn {
            day: Day::from_number(row.number(2)?),
            streak: row.number(3)?,
        })
    }

    fn json_key((user, activity): &AccountKey) -> serde_json::Value {
        serde_json::json!([user.as_str(), activity.get()])
    }

    fn statements(sql: &Numbered) -> LockedStatements<'_> {
        locked_statements!(sql.sign_ins)
    }
}

/// A sign-in as it stands, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredSignIn {
    pub(crate) activity: i64,
    pub(crate) day: i64,
    pub(crate) streak: i64,
}

impl StoredOfUser for StoredSignIn {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            day: row.integer(2)?,
            streak: row.integer(3)?,
        })
    }
}
