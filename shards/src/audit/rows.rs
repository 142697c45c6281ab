//! Stored rows as they stand. Numbers are not narrowed to the ranges that the program writes:
//! a value out of its range is for the checks to find, not a reason to stop looking.
use market::call::Kind;

use crate::store::{Columns, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StoredAccount {
    pub(super) activity: i64,
    pub(super) granted: i64,
    pub(super) used: i64,
    pub(super) day: i64,
    pub(super) day_used: i64,
    pub(super) month_used: i64,
}

/// A call: the use of a request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredCall {
    pub(super) request: Box<str>,
    pub(super) kind: i64,
    pub(super) activity: i64,
    pub(super) asked: i64,
    pub(super) first_id: i64,
    /// How many rows it says that it made.
    pub(super) made: i64,
    pub(super) created_at_ms: i64,
    /// How many of them are there.
    pub(super) found: i64,
}

/// Chances that were given to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredRecharge {
    pub(super) id: i64,
    pub(super) activity: i64,
    pub(super) chances: i64,
}

/// An order, and what its call says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredOrder {
    pub(super) activity: i64,
    pub(super) ordinal: i64,
    pub(super) id: i64,
    pub(super) version: i64,
    pub(super) day: i64,
    pub(super) award: i64,
    pub(super) award_title: Box<str>,
    pub(super) award_index: i64,
    pub(super) rule: Box<str>,
    pub(super) stocked: i64,
    pub(super) created_at_ms: i64,
    pub(super) request: Box<str>,
    pub(super) seq: i64,
    pub(super) asked: i64,
}

/// An account's label was ahead of the clock and was set back: of its first `used` orders, those
/// labelled later than `today` do not count for the label any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LabelRepair {
    pub(super) activity: i64,
    pub(super) used: i64,
    pub(super) today: i64,
}

/// The place by which a user's orders are gone through.
pub(super) type OrderPlace = (i64, i64, i64);

impl StoredOrder {
    pub(super) fn place(&self) -> OrderPlace {
        (self.activity, self.ordinal, self.id)
    }
}

/// Something of a user, whose id is the first column.
pub(super) trait OfUser: Sized {
    fn of(row: &impl Columns) -> Result<Self, StoreError>;
}

impl OfUser for StoredAccount {
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

impl OfUser for StoredCall {
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
    pub(super) fn ids(&self) -> impl Iterator<Item = i64> + use<> {
        let first = u64::try_from(self.first_id).unwrap_or(0);
        let made = u16::try_from(self.made).unwrap_or(0);
        let id = move |nth| i64::try_from(router::nth_after(first, nth)?).ok();
        (0..made).filter_map(id)
    }

    pub(super) fn is(&self, kind: Kind) -> bool {
        self.kind == i64::from(kind.number())
    }
}

impl StoredOrder {
    /// The order in a row, which is the `seq`th of this call.
    pub(super) fn of(row: &impl Columns, call: &StoredCall, seq: i64) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.integer(0)?,
            activity: row.integer(2)?,
            version: row.integer(3)?,
            ordinal: row.integer(4)?,
            day: row.integer(5)?,
            award: row.integer(6)?,
            award_title: row.text(7)?.into(),
            award_index: row.integer(8)?,
            rule: row.text(9)?.into(),
            stocked: row.integer(10)?,
            created_at_ms: call.created_at_ms,
            request: call.request.clone(),
            seq,
            asked: call.asked,
        })
    }
}

impl StoredRecharge {
    /// The recharge order in a row.
    pub(super) fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.integer(0)?,
            activity: row.integer(3)?,
            chances: row.integer(5)?,
        })
    }
}

impl OfUser for LabelRepair {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            used: row.integer(2)?,
            today: row.integer(3)?,
        })
    }
}

/// A user's id with something of this user.
pub(super) fn of_user<T: OfUser>(row: &impl Columns) -> Result<(String, T), StoreError> {
    Ok((row.text(0)?.to_owned(), T::of(row)?))
}
