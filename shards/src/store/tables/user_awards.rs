//! `user_award_N`: how many of an award a user was given, where the award has a limit for one user. It
//! is behind the accounts in the order of locks, and only draws touch it.
use market::batch::UserAwardKey;
use market::{ActivityId, AwardId, UserId};

use super::Numbered;
use super::locked::{LockedStatements, LockedTable, locked_statements};
use super::table::{NumberedTable, StoredOfUser};
use crate::store::rows::{activity_id, award_id, number};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError};

numbered_statements! {
    /// Statements on what users were given.
    UserAwardStatements in "user_awards" {
        /// `(user, activity, award), ...`, sorted -> user, activity, award, how many; locks the rows.
        lock_batch,
        /// `[[user, activity, award], ...]`, sorted -> the indexes of those that another transaction
        /// has locked.
        find_held,
        /// Writes rows that were not there.
        insert,
        /// Writes rows that were, and that change.
        update,
        /// `[after, up to]` -> at most `{rows_max}` rows of the users in between, by key.
        page,
        /// `[user]` -> the user's rows, by key.
        of_user,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct UserAwards;

impl NumberedTable for UserAwards {
    const NAME: &'static str = "user_award";
}

impl LockedTable for UserAwards {
    type Key = UserAwardKey;
    /// How many.
    type State = u32;
    type KeyOfRow<'r> = (&'r str, ActivityId, AwardId);

    fn user((user, ..): &UserAwardKey) -> &UserId {
        user
    }

    fn write_key<'r>((user, activity, award): &'r UserAwardKey, rows: &mut Rows<'r>) {
        rows.push([
            user.as_str().into(),
            number(activity.get()),
            number(award.get()),
        ]);
    }

    fn write_state<'r>(
        (user, activity, award): &'r UserAwardKey,
        given: &u32,
        rows: &mut Rows<'r>,
    ) {
        rows.push([
            user.as_str().into(),
            number(activity.get()),
            number(award.get()),
            (*given).into(),
        ]);
    }

    fn as_in_row((user, activity, award): &UserAwardKey) -> Self::KeyOfRow<'_> {
        (user.as_str(), *activity, *award)
    }

    fn read_key(row: &impl Columns) -> Result<Self::KeyOfRow<'_>, StoreError> {
        Ok((row.text(0)?, activity_id(row, 1)?, award_id(row, 2)?))
    }

    fn read_state(row: &impl Columns) -> Result<u32, StoreError> {
        row.number(3)
    }

    fn json_key((user, activity, award): &UserAwardKey) -> serde_json::Value {
        serde_json::json!([user.as_str(), activity.get(), award.get()])
    }

    fn statements(sql: &Numbered) -> LockedStatements<'_> {
        locked_statements!(sql.user_awards)
    }
}

/// What a user was given of an award as it stands, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredUserAward {
    pub(crate) activity: i64,
    pub(crate) award: i64,
    pub(crate) given: i64,
}

impl StoredOfUser for StoredUserAward {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            award: row.integer(2)?,
            given: row.integer(3)?,
        })
    }
}
