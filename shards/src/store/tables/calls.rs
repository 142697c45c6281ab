//! `raffle_call_N`: which call a user's request id belongs to, whatever it asked for. Two gateways
//! with one request id meet at its primary key. A call is written in the transaction that writes
//! what it made, and neither is ever changed or deleted. So a call shows for ever whether its batch
//! has committed.
use jiff::Timestamp;
use market::{Call, Kind, OrderId, RequestId, UserId};

use super::table::{NumberedTable, OfUsers, StoredOfUser, Table};
use crate::store::rows::{number, optional_activity_id, order_id, user_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on calls.
    CallStatements in "calls" {
        /// `[[user, request], ...]`, sorted -> index, the call's record; locks the calls.
        lock_batch,
        /// `[[user, request], ...]`, sorted -> the indexes of those that another transaction has
        /// locked.
        find_held,
        /// Writes calls.
        insert,
        /// Writes calls, and refuses those that another transaction is writing.
        claim,
        /// `[[user, request], ...]`, sorted: takes back calls that this transaction has written.
        take_back,
        /// `[[user, request]]` -> the id of the first row that the call made, if the call is there
        /// when the transaction that inserts it has ended.
        lock,
        /// `[[user, request], ...]` -> index, call.
        find,
        /// `[user, activity, created_at_ms, first id, draws]` -> index 0, call: the user's calls for
        /// draws, or all others, up to that one, the newest first, at most 102.
        latest,
        /// `[after, up to]` -> at most `{rows_max}` calls of the users in between, by key.
        page,
        /// `[user, after]` -> at most `{rows_max}` calls of the user behind that request id, by
        /// key.
        of_user,
        /// `[user, request]` -> at most `{rows_max}` calls after this key, by key.
        walk,
        /// The user and request id of the last call by key.
        last,
        /// `[[user, request]]`: writes the calls of the next orders from before there were calls,
        /// by key, at most `{rows_max}` of them.
        convert,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Calls;

impl NumberedTable for Calls {
    const NAME: &'static str = "raffle_call";
}

impl Table for Calls {
    type Key = (UserId, RequestId);
    type Row = Call;

    fn key(row: &Call) -> Self::Key {
        (row.user.clone(), row.request.clone())
    }

    fn write<'r>(row: &'r Call, rows: &mut Rows<'r>) {
        rows.push([
            row.user.as_str().into(),
            row.request.as_str().into(),
            row.kind.number().into(),
            number(row.activity.map_or(0, market::ActivityId::get)),
            number(row.asked),
            number(row.first_id.get()),
            u32::from(row.made).into(),
            Value::Integer(row.created_at.as_millisecond()),
        ]);
    }
}

impl OfUsers for Calls {
    fn user(row: &Self::Row) -> &UserId {
        &row.user
    }
}

/// A whole row, whose columns begin with column `first`.
pub(crate) fn read(row: &impl Columns, first: usize) -> Result<Call, StoreError> {
    let user = user_id(row, first)?;
    let request = RequestId::stored(row.text(first + 1)?).map_err(|_| out_of_range(first + 1))?;
    read_record(row, first + 2, &user, &request)
}

/// How many columns [`read`] reads.
pub(crate) const COLUMNS: usize = 8;

/// Columns from `first` on: kind, activity, asked, first id, made, time of creation.
pub(crate) fn read_record(
    row: &impl Columns,
    first: usize,
    user: &UserId,
    request: &RequestId,
) -> Result<Call, StoreError> {
    Ok(Call {
        user: user.clone(),
        request: request.clone(),
        kind: Kind::from_number(row.number(first)?).ok_or_else(|| out_of_range(first))?,
        activity: optional_activity_id(row, first + 1)?,
        asked: row.number(first + 2)?,
        first_id: order_id(row, first + 3)?,
        made: row.number(first + 4)?,
        created_at: Timestamp::from_millisecond(row.integer(first + 5)?)
            .map_err(|_| out_of_range(first + 5))?,
    })
}

/// The ids of the rows that a call made: they follow its first one without a gap.
pub(crate) fn ids_of(call: &Call) -> impl Iterator<Item = OrderId> + use<> {
    let first = call.first_id.get();
    (0..call.made).filter_map(move |nth| OrderId::new(router::nth_after(first, nth)?))
}

/// A call as it stands, for the audit: the use of a request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredCall {
    pub(crate) request: Box<str>,
    pub(crate) kind: i64,
    pub(crate) activity: i64,
    pub(crate) asked: i64,
    pub(crate) first_id: i64,
    /// How many rows it says that it made.
    pub(crate) made: i64,
    pub(crate) created_at_ms: i64,
    /// How many of them are there.
    pub(crate) found: i64,
}

impl StoredOfUser for StoredCall {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            request: row.text(1)?.into(),
            kind: row.integer(2)?,
            activity: row.integer(3)?,
            asked: row.integer(4)?,
            first_id: row.integer(5)?,
            made: row.integer(6)?,
            created_at_ms: row.integer(7)?,
            found: 0,
        })
    }
}

impl StoredCall {
    /// The ids of the rows that it says it made.
    pub(crate) fn ids(&self) -> impl Iterator<Item = i64> + use<> {
        let first = u64::try_from(self.first_id).unwrap_or(0);
        let made = u16::try_from(self.made).unwrap_or(0);
        let id = move |nth| i64::try_from(router::nth_after(first, nth)?).ok();
        (0..made).filter_map(id)
    }

    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.kind == i64::from(kind.number())
    }
}
