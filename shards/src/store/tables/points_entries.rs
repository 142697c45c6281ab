//! `points_entry_N`: the ledger of points. Its key is user and number: a user's entries are read in
//! pages of their own, and no entry costs another index.
use jiff::Timestamp;
use market::points::{Amount, Points, PointsEntry, Trade};
use market::{BusinessNumber, UserId};

use super::table::{NumberedTable, OfUsers, StoredOfUser, Table};
use crate::store::rows::{number, optional_activity_id, user_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on entries.
    PointsEntryStatements in "points_entries" {
        /// Writes entries.
        insert,
        /// `[after, up to]` -> at most `{rows_max}` entries of the users in between, by key.
        page,
        /// `[user, after]` -> at most `{rows_max}` entries of the user behind that number, by key.
        of_user,
        /// `[user, number]` -> at most `{rows_max}` entries after this key, by key.
        walk,
        /// `[user, before]` -> at most 101 entries of the user before that number, the newest first.
        latest,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct PointsEntries;

impl NumberedTable for PointsEntries {
    const NAME: &'static str = "points_entry";
}

impl Table for PointsEntries {
    type Key = (UserId, u64);
    type Row = PointsEntry;

    fn key(row: &PointsEntry) -> Self::Key {
        (row.user.clone(), row.number)
    }

    fn write<'r>(row: &'r PointsEntry, rows: &mut Rows<'r>) {
        rows.push([
            row.user.as_str().into(),
            number(row.number),
            row.trade.name().into(),
            number(row.activity.map_or(0, market::ActivityId::get)),
            Value::Integer(row.amount.hundredths()),
            number(row.balance.hundredths()),
            row.business.as_str().into(),
            Value::Integer(row.created_at.as_millisecond()),
        ]);
    }
}

impl OfUsers for PointsEntries {
    fn user(row: &Self::Row) -> &UserId {
        &row.user
    }
}

/// A whole row.
pub(crate) fn read(row: &impl Columns) -> Result<PointsEntry, StoreError> {
    Ok(PointsEntry {
        user: user_id(row, 0)?,
        number: row.number(1)?,
        trade: Trade::from_name(row.text(2)?).ok_or_else(|| out_of_range(2))?,
        activity: optional_activity_id(row, 3)?,
        amount: Amount::from_hundredths(row.integer(4)?),
        balance: Points::from_hundredths(row.number(5)?).ok_or_else(|| out_of_range(5))?,
        business: BusinessNumber::new(row.text(6)?).map_err(|_| out_of_range(6))?,
        created_at: Timestamp::from_millisecond(row.integer(7)?).map_err(|_| out_of_range(7))?,
    })
}

/// An entry as it stands, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEntry {
    pub(crate) number: i64,
    pub(crate) trade: Box<str>,
    pub(crate) activity: i64,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) business: Box<str>,
}

impl StoredOfUser for StoredEntry {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.integer(1)?,
            trade: row.text(2)?.into(),
            activity: row.integer(3)?,
            amount: row.integer(4)?,
            balance: row.integer(5)?,
            business: row.text(6)?.into(),
        })
    }
}
